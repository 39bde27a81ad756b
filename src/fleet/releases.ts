import type { Carrier, Name } from './carrier.js';
import type { Pending } from './pending.js';

interface Release {
  readonly lock: Name;
  readonly owner: string;
  readonly note: string;
  /** The verdict that was to be told last when it was given back. */
  readonly behind: number;
}

/** Locks that are given back once what their owners learnt has been told: whoever gets one next is to know it. */
export class Releases {
  readonly #carrier: Pick<Carrier, 'unlock'>;
  readonly #pending: Pick<Pending, 'lastLearnt' | 'hasLearnt'>;
  #waiting: Release[] = [];

  constructor(carrier: Pick<Carrier, 'unlock'>, pending: Pick<Pending, 'lastLearnt' | 'hasLearnt'>) {
    this.#carrier = carrier;
    this.#pending = pending;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add(lock: Name, owner: string, note: string): void {
    this.#waiting.push({ lock, owner, note, behind: this.#pending.lastLearnt });
  }

  /** What was about to be told waits again, in another order. */
  putOff(): void {
    const behind = this.#pending.lastLearnt;
    this.#waiting = this.#waiting.map((release) => ({ ...release, behind }));
  }

  /** @throws {StoreError} The locks end by themselves then. */
  async send(): Promise<void> {
    const isDue = ({ behind }: Release): boolean => !this.#pending.hasLearnt(behind);
    const due = this.#waiting.filter(isDue);
    this.#waiting = this.#waiting.filter((release) => !isDue(release));
    await Promise.all(due.map(({ lock, owner, note }) => this.#carrier.unlock(lock, owner, note)));
  }
}
