import { startTimer } from '../clock.js';

/** Values by key, each for a while; beyond so many the oldest goes. */
export class Kept<V> {
  readonly #forMs: number;
  readonly #limit: number;
  readonly #entries = new Map<string, { readonly value: V; readonly expiry: { cancel(): void } }>();

  constructor(forMs: number, limit: number) {
    this.#forMs = forMs;
    this.#limit = limit;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  keep(key: string, value: V): void {
    if (this.#forMs === 0) return;
    this.#forget(key);
    const oldest = this.#entries.size >= this.#limit ? this.#entries.keys().next().value : undefined;
    if (oldest !== undefined) this.#forget(oldest);
    this.#entries.set(key, { value, expiry: startTimer(this.#forMs, () => this.#forget(key)) });
  }

  #forget(key: string): void {
    this.#entries.get(key)?.expiry.cancel();
    this.#entries.delete(key);
  }
}
