import { startTimer } from '../clock.js';

/** Whether the store is back is looked at so often, in milliseconds; what it would not do is asked for less and less often. */
const LOOK_MS = 250;
const LONGEST_LOOK_MS = 4_000;

export interface AbsenceOptions {
  /** Whether the store answers. */
  readonly isUp: () => boolean;
  /** Asks where the store stands, if that is all there is in the way. Never rejects. */
  readonly greet: () => Promise<void>;
}

/** How long the store has been away, for those who would rather wait than do without it. */
export class Absence {
  readonly #options: AbsenceOptions;
  /** Since when; undefined while it is there. */
  #lostAt: number | undefined = performance.now();
  readonly #waiting = new Set<() => void>();
  #closed = false;

  constructor(options: AbsenceOptions) {
    this.#options = options;
  }

  /**
   * Tries until it comes to something: at once, and again while the store is there, or has not been away for `ms`, but for no longer than `ms` in all.
   * Undefined if there was no more point in that.
   */
  async insist<T>(ms: number, attempt: () => Promise<T | undefined>): Promise<T | undefined> {
    const deadline = performance.now() + ms;
    for (let pauseMs = LOOK_MS; await this.#isBack(ms, deadline); pauseMs = Math.min(2 * pauseMs, LONGEST_LOOK_MS)) {
      const result = await attempt();
      if (result !== undefined) return result;
      await this.#look(Math.min(pauseMs, deadline - performance.now()));
    }
    return undefined;
  }

  lost(): void {
    this.#lostAt = performance.now();
  }

  found(): void {
    this.#lostAt = undefined;
    this.#proceed();
  }

  close(): void {
    this.#closed = true;
    this.#proceed();
  }

  /** Whether the store answers, once it does or there is no more point in waiting. */
  async #isBack(ms: number, deadline: number): Promise<boolean> {
    const { isUp, greet } = this.#options;
    for (;;) {
      if (!this.#closed && !isUp()) await greet();
      const now = performance.now();
      if (this.#closed || now >= deadline) return false;
      if (isUp()) return true;
      const left = Math.min(deadline, (this.#lostAt ?? now) + ms) - now;
      if (left <= 0) return false;
      await this.#look(Math.min(left, LOOK_MS));
    }
  }

  /** A moment, or until the store is back. */
  #look(ms: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        this.#waiting.delete(end);
        resolve();
      };
      const timer = startTimer(ms, end);
      this.#waiting.add(end);
    });
  }

  #proceed(): void {
    for (const end of [...this.#waiting]) end();
  }
}
