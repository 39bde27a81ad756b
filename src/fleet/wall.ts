import type { Clock } from '../clock.js';
import type { Stamp } from './carrier.js';
import { HybridClock } from './hybrid-clock.js';

/** Clocks closer together than this count as the same. */
const TOLERATED_SKEW_MS = 1_000;

/** Times and numbers as all processes of a fleet read them: by the store's clock, where this process's is too far from it. */
export class Wall {
  readonly numbers: HybridClock;
  readonly #clock: Clock;
  #offsetMs = 0;

  constructor(clock: Clock, process: number) {
    this.#clock = clock;
    this.numbers = new HybridClock(clock, process);
  }

  /** Milliseconds since the epoch by this process's own clock. */
  own(): number {
    return this.#clock.now();
  }

  now(): number {
    return this.toStore(this.#clock.now());
  }

  toStore(ms: number): number {
    return ms + this.#offsetMs;
  }

  fromStore(ms: number): number {
    return ms - this.#offsetMs;
  }

  /** Whether a number can have been given by now. What was put into the store by other means must not outrank everything to come. */
  believes(number: number): boolean {
    return number <= HybridClock.farthest(this.now());
  }

  /** Another process has got so far. */
  observe(stamp: Stamp): void {
    const number = HybridClock.parse(stamp);
    if (this.believes(number)) this.numbers.observe(number);
  }

  /** The store's clock was at `now` between two moments of this process's. Returns by how much they differ, if that is too much. */
  compare(now: number, before: number, after: number): number | undefined {
    const skew = now - (before + after) / 2;
    // No measurement is better than the time it took.
    const tooFar = Math.abs(skew) > TOLERATED_SKEW_MS + (after - before) / 2;
    if (tooFar && Math.abs(skew - this.#offsetMs) <= TOLERATED_SKEW_MS) return skew;
    this.#offsetMs = tooFar ? skew : 0;
    this.numbers.setOffset(this.#offsetMs);
    return tooFar ? skew : undefined;
  }
}
