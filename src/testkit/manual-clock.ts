import type { Clock } from '../clock.js';
import { settle } from './settle.js';
import { VirtualTimers } from './virtual-timers.js';

/** What `install` replaces: `globalThis` has them. */
export interface TimerGlobals {
  setTimeout: unknown;
  clearTimeout: unknown;
  setInterval: unknown;
  clearInterval: unknown;
  Date: unknown;
}

/** A clock that moves only when it is told to: for the `clock` option of `createLatchkey` and, once installed, for timers. */
export interface ManualClock extends Clock {
  /** Timers that are to fire still. */
  readonly timers: number;
  /** When the next of them is due, in milliseconds since the epoch; undefined if there is none. */
  readonly nextAt: number | undefined;
  /**
   * Moves on by so many whole milliseconds: timers that come due fire in their order, and after each all that is ready happens. Rejects with what a
   * timer throws, and after 100,000 timers.
   * @throws {TypeError} for what is no number of whole milliseconds.
   */
  advance(ms: number): Promise<void>;
  /** Moves on to the next timer and fires it, with those that are due at the same time. Resolves to false if there is none. */
  advanceToNext(): Promise<boolean>;
  /**
   * Puts itself in the place of the timers and of `Date` of a global object, by default this one; returns how to take it out. Timers that were
   * running before, and those of `node:timers/promises` and `AbortSignal.timeout`, stay with real time.
   * @throws {Error} where a clock is installed already.
   */
  install(target?: TimerGlobals): () => void;
}

/** Where time begins: the first of January 2026, UTC. */
const START = Date.UTC(2026, 0, 1);
const MOST_FIRED = 100_000;
const REPLACED = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] as const;

/**
 * A clock at `start` (whole milliseconds since the epoch; default: the first of January 2026, UTC). Nothing global changes unless `install` is called.
 * @throws {TypeError} for a `start` that is no whole number.
 */
export function createManualClock(start: number = START): ManualClock {
  return createVirtualClock(start);
}

/** The same, with what only the explorer is to know. */
export function createVirtualClock(start: number = START): ManualClock & { readonly isMoving: boolean; close(): void } {
  if (!Number.isSafeInteger(start)) throw new TypeError('createManualClock: `start` must be a number of whole milliseconds');
  return new VirtualClock(start);
}

class VirtualClock implements ManualClock {
  #now: number;
  #moving = 0;
  #closed = false;
  readonly #timers = new VirtualTimers(() => this.#now);

  constructor(start: number) {
    this.#now = start;
  }

  /** Bound, since it is handed on by itself, too. */
  readonly now = (): number => this.#now;

  get timers(): number {
    return this.#timers.size;
  }

  get nextAt(): number | undefined {
    return this.#timers.nextAt;
  }

  /** Somebody is moving it on. */
  get isMoving(): boolean {
    return this.#moving > 0;
  }

  /** No timer fires any more. */
  close(): void {
    this.#closed = true;
  }

  async advance(ms: number): Promise<void> {
    if (!Number.isSafeInteger(ms) || ms < 0) throw new TypeError('advance: `ms` must be a number of whole milliseconds, 0 or more');
    this.#moving++;
    try {
      await this.#moveTo(this.#now + ms);
    } finally {
      this.#moving--;
    }
  }

  async #moveTo(until: number): Promise<void> {
    await settle();
    for (let fired = 0; !this.#closed; fired++) {
      const due = this.#timers.take(until);
      if (due === undefined) break;
      if (fired === MOST_FIRED) throw new Error(`advance: ${MOST_FIRED} timers have fired, and there is no end to them`);
      // A timer that moved the clock itself has been there already.
      this.#now = Math.max(this.#now, due.at);
      due.fire();
      await settle();
    }
    this.#now = Math.max(this.#now, until);
  }

  async advanceToNext(): Promise<boolean> {
    const { nextAt } = this;
    if (nextAt === undefined) return false;
    await this.advance(Math.max(0, nextAt - this.#now));
    return true;
  }

  install(target: TimerGlobals = globalThis): () => void {
    if (typeof target !== 'object' || target === null) throw new TypeError('install: `target` must be a global object');
    if (isInstalled(target.setTimeout))
      throw new Error('install: a manual clock, or explore(), is active still (has an earlier test timed out before it was over?)');
    const before = new Map(REPLACED.map((name) => [name, target[name]]));
    const start =
      (repeats: boolean) =>
      (callback: unknown, delay?: unknown, ...args: unknown[]): unknown => {
        if (typeof callback !== 'function') throw new TypeError('the callback of a timer must be a function');
        return this.#timers.start(() => callback(...args), delay, repeats);
      };
    // Timers that were started before, or elsewhere, are cleared as they would be without it.
    const stop =
      (name: 'clearTimeout' | 'clearInterval') =>
      (timer: unknown): void => {
        if (!this.#timers.stop(timer)) (before.get(name) as ((timer: unknown) => void) | undefined)?.(timer);
      };
    const own = {
      setTimeout: start(false),
      clearTimeout: stop('clearTimeout'),
      setInterval: start(true),
      clearInterval: stop('clearInterval'),
      Date: this.#date(),
    };
    Object.assign(own.setTimeout, { [INSTALLED]: true });
    Object.assign(target, own);
    return () => {
      // Of what somebody else has put there since it keeps its hands.
      for (const name of REPLACED) if (target[name] === own[name]) target[name] = before.get(name);
    };
  }

  #date(): DateConstructor {
    const now = this.now;
    return new Proxy(Date, {
      construct: (real, args, target) => Reflect.construct(real, args.length === 0 ? [now()] : args, target),
      apply: (real) => new real(now()).toString(),
      get: (real, name, receiver) => (name === 'now' ? now : Reflect.get(real, name, receiver)),
    });
  }
}

const INSTALLED = Symbol('latchkey.manualClock');

function isInstalled(timer: unknown): boolean {
  return typeof timer === 'function' && INSTALLED in timer;
}
