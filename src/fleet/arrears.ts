import { startTimer } from '../clock.js';

const RETRY_MS = 500;
/** Beyond so many the oldest are given up: what they concern expires in the store. */
const MOST_OWED = 1_000;

interface Debt {
  readonly pay: () => Promise<unknown>;
  paying: boolean;
}

/** What the store has not confirmed that it was told: it is told again until it does. */
export class Arrears {
  readonly #isUp: () => boolean;
  readonly #owed = new Map<string, Debt>();
  #timer: { cancel(): void } | undefined;
  #closed = false;

  constructor(isUp: () => boolean) {
    this.#isUp = isUp;
  }

  /** `pay` tells the store, at once if that answers; it may be called again and again, and rejects if the store was not reached. */
  owe(key: string, pay: () => Promise<unknown>): void {
    if (this.#closed) return;
    const debt = { pay, paying: false };
    this.#owed.delete(key);
    this.#owed.set(key, debt);
    for (const oldest of this.#owed.keys()) {
      if (this.#owed.size <= MOST_OWED) break;
      this.#owed.delete(oldest);
    }
    if (this.#isUp()) void this.#pay(key, debt);
    this.#retryLater();
  }

  /** The store may answer again. */
  payAll(): void {
    if (this.#isUp()) for (const [key, debt] of this.#owed) void this.#pay(key, debt);
    this.#retryLater();
  }

  close(): void {
    this.#closed = true;
    this.#owed.clear();
    this.#timer?.cancel();
  }

  async #pay(key: string, debt: Debt): Promise<void> {
    if (debt.paying) return;
    debt.paying = true;
    try {
      await debt.pay();
      if (this.#owed.get(key) === debt) this.#owed.delete(key);
    } catch {
      // It is tried again.
    } finally {
      debt.paying = false;
    }
  }

  #retryLater(): void {
    if (this.#closed || this.#owed.size === 0) return;
    this.#timer ??= startTimer(RETRY_MS, () => {
      this.#timer = undefined;
      this.payAll();
    });
  }
}
