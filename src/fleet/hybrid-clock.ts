import type { Clock } from '../clock.js';
import { Sequence } from '../ledger/sequence.js';
import type { Stamp } from './carrier.js';

/** The time is counted from here, so that milliseconds and numbers fit into one safe integer until 2089. */
const EPOCH_MS = Date.UTC(2020, 0, 1);
const NUMBERS_PER_MS = 4_096;
const GREATEST = Number.MAX_SAFE_INTEGER;
/** However wrong the clock is, there is room left to count on. */
const LATEST_TIME = GREATEST - 2 ** 40;

/** Machines that keep their time by NTP are closer together than this; correcting them would only add the error of the measurement. */
const TOLERATED_OFFSET_MS = 1_000;

/** What is asked of a store with a number further ahead of its clock is refused. */
const FARTHEST_MS = 60_000;

const STAMP_DIGITS = 16;
const STAMP = /^\d{16}$/;

/**
 * A hybrid logical clock (Kulkarni et al., 2014): numbers follow the time and what was heard from other processes, so that they compare across
 * processes without asking anybody. They only ever grow, even if the time goes back.
 */
export class HybridClock extends Sequence {
  readonly #clock: Clock;
  readonly #process: number;
  #offsetMs = 0;
  #last = 0;

  /** `process`: where this process begins to count within a millisecond, so that two seldom give the same number. Below 4,096. */
  constructor(clock: Clock, process = 0) {
    super();
    this.#clock = clock;
    this.#process = process;
  }

  /** No call was sent after now, whatever the clock said then. */
  override bounded(number: number): number {
    return Math.min(number, this.#last);
  }

  /** The greatest number that was given or observed. */
  get last(): number {
    return this.#last;
  }

  override next(): number {
    this.#last = Math.min(Math.max(this.#last + 1, this.#time()), GREATEST);
    return this.#last;
  }

  /** Another process has got so far: later numbers are greater. What is no number is ignored. */
  observe(number: number): void {
    if (Number.isSafeInteger(number) && number > this.#last) this.#last = number;
  }

  /** By how much the store's clock is ahead of this process's, in milliseconds. Up to a second it counts as none. */
  setOffset(ms: number): void {
    if (Number.isFinite(ms)) this.#offsetMs = Math.abs(ms) > TOLERATED_OFFSET_MS ? ms : 0;
  }

  /** Numbers after `number` came from a clock that was wrong, and nobody has seen them: they are given again. */
  stepBack(number: number): void {
    if (number >= 0 && number < this.#last) this.#last = Math.floor(number);
  }

  /** The first number of a moment, in milliseconds since the epoch. */
  static at(ms: number): number {
    const time = Math.floor((ms - EPOCH_MS) * NUMBERS_PER_MS);
    // A clock that says nothing sensible (NaN, before the epoch) leaves it to counting.
    return time > 0 ? Math.min(time, LATEST_TIME) : 0;
  }

  /** The greatest number that a store takes at a moment: a clock that is further ahead is wrong. */
  static farthest(ms: number): number {
    return HybridClock.at(ms + FARTHEST_MS);
  }

  static stamp(number: number): Stamp {
    const whole = number > 0 ? Math.min(Math.floor(number), GREATEST) : 0;
    return String(whole).padStart(STAMP_DIGITS, '0');
  }

  /** The number that a stamp was made of. What is no stamp is 0, older than everything. */
  static parse(stamp: Stamp): number {
    if (typeof stamp !== 'string' || !STAMP.test(stamp)) return 0;
    const number = Number(stamp);
    return Number.isSafeInteger(number) ? number : 0;
  }

  #time(): number {
    const time = HybridClock.at(this.#clock.now() + this.#offsetMs);
    return time > 0 ? time + this.#process : 0;
  }
}
