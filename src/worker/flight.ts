import { WorkScope } from '../ledger/scope-key.js';

/** Why a run was broken off from outside: its caller's signal, its time limit, or the end of Latchkey. */
export type Interruption = { readonly by: 'signal' | 'timeout' | 'close'; readonly reason: unknown };

/** Thrown inside a run that was broken off, to unwind it; its caller has been told already and never sees this. */
export class Interrupted extends Error {}

/** One run on its way: the promise that its caller holds, and how to break it off wherever it is. A ring of them knows all. */
export class Flight {
  readonly scope: WorkScope;
  readonly promise: Promise<unknown>;
  previous: Flight | undefined = undefined;
  next: Flight | undefined = undefined;
  interruption: Interruption | undefined = undefined;
  /** It pauses before its next attempt. */
  resting = false;
  /** The ring that it is in. */
  ring: Flights | undefined = undefined;
  /** Stops what may break it off. */
  disarm: (() => void) | undefined = undefined;
  /** When its waiting for fresh auth ends. */
  deadline: { cancel(): void } | undefined = undefined;
  /** Set while others wait for what this run learns. */
  onInterrupt: (() => void) | undefined = undefined;
  #resolve!: (value: unknown) => void;
  #reject!: (reason: unknown) => void;
  #controller: AbortController | undefined = undefined;
  #cancelWait: (() => void) | undefined = undefined;

  constructor(scope: WorkScope) {
    this.scope = scope;
    this.promise = new Promise<unknown>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Tells the caller how the run ended; nothing if it was told already. */
  resolve(value: unknown): void {
    this.#resolve(value);
  }

  reject(reason: unknown): void {
    this.#reject(reason);
  }

  /** Made on first use: most attempts never look at it, and an AbortController costs more than all the rest of a run. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.interruption !== undefined) this.#controller.abort(this.interruption.reason);
    return this.#controller.signal;
  }

  /** Tells the caller at once; an attempt that is out is told by its signal, and what becomes of it is nobody's error. */
  interrupt(interruption: Interruption): void {
    if (this.interruption !== undefined) return;
    this.interruption = interruption;
    // Its caller is told: from here on it is an attempt that nobody waits for.
    this.ring?.delete(this);
    this.reject(interruption.reason);
    this.#controller?.abort(interruption.reason);
    const cancel = this.#cancelWait;
    this.#cancelWait = undefined;
    cancel?.();
    this.onInterrupt?.();
  }

  /** It waits for something other than its attempt. */
  get waiting(): boolean {
    return this.resting || this.#cancelWait !== undefined;
  }

  /** @throws {Interrupted} if the run was broken off. */
  check(): void {
    if (this.interruption !== undefined) throw new Interrupted();
  }

  /**
   * A wait that an interruption ends. `start` gets the two ways to end it and returns how to clean up.
   * @throws {Interrupted} when the run is broken off.
   */
  async wait<R>(start: (resolve: (value: R) => void, reject: (error: unknown) => void) => () => void): Promise<R> {
    this.check();
    let cleanUp: (() => void) | undefined;
    try {
      return await new Promise<R>((resolve, reject) => {
        this.#cancelWait = () => {
          // At once: what is handed to one who waits no more would be lost.
          cleanUp?.();
          reject(new Interrupted());
        };
        cleanUp = start(resolve, reject);
      });
    } finally {
      this.#cancelWait = undefined;
      cleanUp?.();
    }
  }
}

/** The ring's own link is nobody's run. */
const NOBODY = new WorkScope(undefined, undefined, undefined, undefined, false);

/** All runs that are on their way, in a ring: joining and leaving cost next to nothing. */
export class Flights {
  readonly #ring: Flight = new Flight(NOBODY);
  #size = 0;
  #onEmpty: (() => void) | undefined = undefined;

  constructor() {
    this.#ring.previous = this.#ring;
    this.#ring.next = this.#ring;
  }

  get size(): number {
    return this.#size;
  }

  add(flight: Flight): void {
    const last = this.#ring.previous as Flight;
    flight.previous = last;
    flight.next = this.#ring;
    last.next = flight;
    this.#ring.previous = flight;
    flight.ring = this;
    this.#size++;
  }

  delete(flight: Flight): void {
    if (flight.next === undefined || flight.previous === undefined) return;
    flight.previous.next = flight.next;
    flight.next.previous = flight.previous;
    flight.previous = flight.next = flight.ring = undefined;
    flight.disarm?.();
    flight.disarm = undefined;
    flight.deadline?.cancel();
    this.#size--;
    if (this.#size === 0) this.#onEmpty?.();
  }

  *[Symbol.iterator](): Iterator<Flight> {
    for (let flight = this.#ring.next; flight !== undefined && flight !== this.#ring; ) {
      const { next }: Flight = flight;
      yield flight;
      flight = next;
    }
  }

  /** Resolves when there are none left. */
  async empty(): Promise<void> {
    if (this.#size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
  }
}
