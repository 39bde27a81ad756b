import { restampAll } from './pending.js';

const MOST = 10_000;

/** What this process took away, to be told again to a store that has lost it: others may still have it. */
export class Removed<T extends { readonly at: number }> {
  readonly #removed = new Map<string, T>();
  readonly #onForgotten: (key: string) => void;

  /** `onForgotten`: one too many. */
  constructor(onForgotten: (key: string) => void) {
    this.#onForgotten = onForgotten;
  }

  remember(key: string, removed: T): void {
    this.#removed.delete(key);
    this.#removed.set(key, removed);
    for (const oldest of this.#removed.keys()) {
      if (this.#removed.size <= MOST) return;
      this.#removed.delete(oldest);
      this.#onForgotten(oldest);
    }
  }

  /** It was put there again. */
  forget(key: string): void {
    this.#removed.delete(key);
  }

  restamp(greatest: number): void {
    restampAll(this.#removed, greatest);
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#removed.values();
  }
}
