import type { Credential } from '../credential/credential.js';
import { isPromiseLike } from '../promise-like.js';
import type { Choices } from './choices.js';
import { createVirtualClock, type ManualClock } from './manual-clock.js';
import { settle } from './settle.js';
import { ScriptedUpstream, type Upstream } from './upstream.js';
import type { UpstreamOptions } from './upstream-rules.js';

/** What a scenario is explored in: one thing happens at a time, and the schedule says which is next. */
export interface World {
  /** Virtual time, which timers and `Date` go by as well. It passes when nothing else can happen, and when the scenario lets it. */
  readonly clock: ManualClock;
  /**
   * Does something, or lets a promise through, at a moment that the schedule chooses. A function that throws, or whose promise rejects, fails
   * the schedule; a promise that is let through does that only to whoever awaits it.
   */
  schedule<T>(name: string, what: (() => T | PromiseLike<T>) | PromiseLike<T>): Promise<T>;
  /** Lets the schedule choose, the first if it has no reason not to. The name is printed. */
  pick<T>(name: string, among: readonly [T, ...T[]]): T;
  /** A scripted upstream on the world's clock, whose answers arrive when the schedule says. */
  upstream(options?: Omit<UpstreamOptions, 'clock'>): Upstream;
  /** Resolves when all has happened that can, within so many whole milliseconds of virtual time from now. Default 0. */
  idle(ms?: number): Promise<void>;
}

/** What is explored: sets up what it needs, starts what is to be interleaved, and throws if what comes of it is wrong. */
export type Scenario = (world: World) => unknown;

/** What a scenario has failed by. */
interface Failure {
  readonly error: unknown;
  /** It is what a promise was rejected with that nobody handled. */
  readonly isUnhandled?: boolean | undefined;
}

/** How one schedule went. */
export interface Played {
  readonly steps: readonly string[];
  readonly failure: Failure | undefined;
  /** Credentials that messages must not show. */
  readonly credentials: readonly Credential[];
}

interface Ready {
  readonly name: string;
  readonly go: () => void;
}

interface Idler {
  readonly until: number;
  readonly resolve: () => void;
}

/** Things that happen, and moments that pass. */
const MOST_TURNS = 10_000;
/** Before a scenario is said to wait for nothing: what takes some turns of the event loop by itself may be on its way. */
const PATIENT_TURNS = 20;
/** What is rejected later than that after the end of a schedule counts for whichever is played then. */
const LAST_TURNS = 10;
const TIME_PASSES = 'time passes';

export class ScheduledWorld implements World {
  readonly clock = createVirtualClock();
  readonly #choices: Choices;
  readonly #ready: Ready[] = [];
  readonly #idlers: Idler[] = [];
  readonly #steps: string[] = [];
  readonly #credentials = new Map<string, Credential>();
  #failure: Failure | undefined;
  #isOver = false;
  #turns = 0;
  #passed = 0;

  constructor(choices: Choices) {
    this.#choices = choices;
  }

  schedule<T>(name: string, what: (() => T | PromiseLike<T>) | PromiseLike<T>): Promise<T> {
    if (typeof name !== 'string') throw new TypeError('schedule: `name` must be a text');
    if (typeof what !== 'function' && !isPromiseLike(what)) throw new TypeError('schedule: `what` must be a function or a promise');
    const moment = new Promise<void>((go) => this.#ready.push({ name, go }));
    const done = moment.then(() => (typeof what === 'function' ? what() : what));
    // What nobody awaits must not go unhandled; what a function throws is noted.
    done.catch((error: unknown) => {
      if (typeof what === 'function') this.#failure ??= { error };
    });
    if (typeof what !== 'function') what.then(undefined, () => {});
    return done;
  }

  pick<T>(name: string, among: readonly [T, ...T[]]): T {
    if (!Array.isArray(among) || among.length === 0) throw new TypeError('pick: `among` must be a list with something in it');
    const index = this.#choices.next(among.length);
    this.#note(`${name}: ${index + 1} of ${among.length}`);
    return among[index] as T;
  }

  upstream(options: Omit<UpstreamOptions, 'clock'> = {}): Upstream {
    const presented = (credentials: readonly Credential[]): void => {
      for (const credential of credentials) this.#credentials.set(credential.reveal(), credential);
    };
    const upstream = new ScriptedUpstream(
      { ...options, clock: this.clock },
      { presented, arrival: (name) => this.schedule(name, Promise.resolve()) },
    );
    presented(Object.values(options.credentials ?? {}));
    return upstream;
  }

  idle(ms = 0): Promise<void> {
    if (!Number.isSafeInteger(ms) || ms < 0) throw new TypeError('idle: `ms` must be a number of whole milliseconds, 0 or more');
    return new Promise((resolve) => this.#idlers.push({ until: this.clock.now() + ms, resolve }));
  }

  /** It fails, if it has not yet, by a promise that was rejected and left alone. */
  leftAlone(error: unknown): void {
    this.#failure ??= { error, isUnhandled: true };
  }

  /** Plays the scenario to its end, or to where nothing more can happen. */
  async play(scenario: Scenario): Promise<Played> {
    Promise.resolve()
      .then(() => scenario(this))
      .then(
        () => {
          this.#isOver = true;
        },
        (error: unknown) => {
          this.#failure ??= { error };
        },
      );
    try {
      do await settle();
      while (
        // What was scheduled happens, also if the scenario does not wait for it.
        this.#failure === undefined &&
        (!this.#isOver || this.#ready.length > 0) &&
        (await this.#next())
      );
      // What it has left alone is its own failure, not that of the next one.
      if (this.#failure === undefined) await settle(LAST_TURNS);
    } catch (error) {
      this.#failure ??= { error };
    }
    return { steps: this.#steps, failure: this.#failure, credentials: [...this.#credentials.values()] };
  }

  /** One thing more. @throws {Error} if the scenario waits for what will never be. */
  async #next(): Promise<boolean> {
    if (++this.#turns > MOST_TURNS) throw new Error(`the scenario has taken ${MOST_TURNS} steps, and there is no end to it`);
    if (this.#ready.length > 0) {
      const [ready] = this.#ready.splice(this.#choices.next(this.#ready.length), 1);
      this.#note(ready?.name ?? '');
      ready?.go();
      return true;
    }
    // The scenario moves the clock itself.
    if (this.clock.isMoving) return true;
    const { nextAt } = this.clock;
    const first = Math.min(...this.#idlers.map(({ until }) => until));
    if (this.#idlers.length > 0 && (nextAt === undefined || nextAt > first)) {
      await this.clock.advance(Math.max(0, first - this.clock.now()));
      for (const idler of this.#idlers.splice(0)) {
        if (idler.until <= this.clock.now()) idler.resolve();
        else this.#idlers.push(idler);
      }
      return true;
    }
    if (nextAt === undefined) return this.#waitForAnything();
    this.#noteTime();
    return this.clock.advanceToNext();
  }

  async #waitForAnything(): Promise<boolean> {
    for (let turn = 0; turn < PATIENT_TURNS; turn++) {
      await settle();
      if (this.#isOver || this.#failure !== undefined || this.#ready.length + this.#idlers.length > 0 || this.clock.timers > 0) return true;
    }
    throw new Error('the scenario waits, and nothing more will happen');
  }

  #noteTime(): void {
    const isAgain = this.#steps.at(-1)?.startsWith(TIME_PASSES) === true;
    this.#passed = isAgain ? this.#passed + 1 : 1;
    if (isAgain) this.#steps.pop();
    this.#note(this.#passed === 1 ? TIME_PASSES : `${TIME_PASSES} (${this.#passed} times)`);
  }

  #note(step: string): void {
    this.#steps.push(step);
  }
}
