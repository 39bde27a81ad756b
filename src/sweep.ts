import { startTimer } from './clock.js';
import type { Ledger } from './ledger/ledger.js';

/** How often sessions that have gone idle are looked for, at the most and at the least. */
const SWEEP_MS = { most: 10 * 60_000, least: 1_000 };

/** Looks for sessions that have gone idle, as long as there are any. */
export class Sweep {
  readonly #ledger: Ledger;
  readonly #idleMs: number;
  #timer: { cancel(): void } | undefined;

  constructor(ledger: Ledger, idleMs: number) {
    this.#ledger = ledger;
    this.#idleMs = idleMs;
  }

  later(): void {
    this.#timer ??= startTimer(Math.min(Math.max(this.#idleMs / 10, SWEEP_MS.least), SWEEP_MS.most), () => {
      this.#timer = undefined;
      this.#ledger.evictIdle(this.#idleMs);
      if (this.#ledger.sizes.sessions > 0) this.later();
    });
  }

  cancel(): void {
    this.#timer?.cancel();
  }
}
