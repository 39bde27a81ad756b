import { startTimer } from '../clock.js';
import type { Choice } from '../ledger/call.js';
import { type Change, Watchlist } from '../ledger/change.js';
import type { Ledger } from '../ledger/ledger.js';
import type { WorkScope } from '../ledger/scope-key.js';
import type { Identity } from '../ledger/verdicts.js';

/** Those who wait are woken in batches, so that fresh auth does not set off a stampede. */
const BATCH = 25;
const BATCH_EVERY_MS = 10;

interface Parked {
  readonly scope: WorkScope;
  /** Its place in the queue, kept when it has to park again. */
  readonly place: number;
  readonly wake: () => void;
  /** Whether it may go on with that. */
  readonly accepts: (choice: Choice) => boolean;
  gone: boolean;
  hold: { cancel(): void } | undefined;
  /** Says that nobody waits for the scope any more. */
  readonly unfollow: (() => void) | undefined;
}

export interface ParkingOptions {
  readonly ledger: Pick<Ledger, 'choose' | 'block' | 'isCandidate'>;
  readonly now: () => number;
  /** Somebody waits for a scope, which a store is to know; returns how to say that this is over. */
  readonly follow?: ((scope: WorkScope) => () => void) | undefined;
  /** It was looked at, and waits on. */
  readonly onBlocked?: ((scope: WorkScope) => void) | undefined;
  /** When it is to be looked at again though nothing has changed, beside the end of a hold and a probe. Milliseconds since the epoch. */
  readonly lookAgainAt?: ((scope: WorkScope) => number | undefined) | undefined;
}

/** Who waits until a scope can work. Woken in the order of arrival, and only if the scope can work at that moment. */
export class Parking {
  readonly #options: ParkingOptions;
  readonly #parked = new Watchlist<Parked>();
  #places = 0;
  /** Those a change concerned who have not had their turn yet. */
  #due: Parked[] = [];
  #timer: { cancel(): void } | undefined;

  constructor(options: ParkingOptions) {
    this.#options = options;
  }

  /** A place in the queue: take one for each run, and keep it. */
  nextPlace(): number {
    return ++this.#places;
  }

  /** Calls `wake` once the scope can work, with what `accepts` has nothing against. Returns how to give up waiting. */
  park(scope: WorkScope, place: number, wake: () => void, accepts: (choice: Choice) => boolean = () => true): () => void {
    const parked: Parked = { scope, place, wake, accepts, gone: false, hold: undefined, unfollow: this.#options.follow?.(scope) };
    this.#parked.add(parked);
    this.#awaitTime(parked);
    return () => this.#remove(parked);
  }

  changed(change: Change): void {
    const concerned = this.#parked.concernedBy(change);
    if (concerned.length === 0) return;
    this.#queue(concerned);
    if (this.#timer === undefined) this.#wakeSome();
  }

  /** When an identity may be refreshed is another moment now. */
  refreshChanged(identity: Identity): void {
    for (const parked of [...this.#parked]) {
      const { scope } = parked;
      if (scope.provider !== identity.provider || !this.#options.ledger.isCandidate(scope, identity)) continue;
      parked.hold?.cancel();
      this.#awaitTime(parked);
    }
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#due = [];
    for (const parked of [...this.#parked]) this.#remove(parked);
  }

  #queue(parked: Parked[]): void {
    this.#due = [...new Set([...this.#due, ...parked])].sort((a, b) => a.place - b.place);
  }

  #wakeSome(): void {
    this.#timer = undefined;
    for (let woken = 0; woken < BATCH && this.#due.length > 0; ) {
      const parked = this.#due.shift();
      if (parked !== undefined && this.#wake(parked)) woken++;
    }
    if (this.#due.length > 0) this.#timer = startTimer(BATCH_EVERY_MS, () => this.#wakeSome());
  }

  #wake(parked: Parked): boolean {
    if (parked.gone) return false;
    const { ledger, onBlocked } = this.#options;
    const choice = ledger.choose(parked.scope);
    if (choice === undefined || !parked.accepts(choice)) {
      if (choice === undefined) onBlocked?.(parked.scope);
      // Whoever heard of it may have seen to it.
      if (parked.gone) return false;
      parked.hold?.cancel();
      this.#awaitTime(parked);
      return false;
    }
    this.#remove(parked);
    parked.wake();
    return true;
  }

  /** A hold ends by itself, a probe or a refresh may be made from some moment on, and nothing in the ledger changes then. */
  #awaitTime(parked: Parked): void {
    const { ledger, now, lookAgainAt } = this.#options;
    const block = ledger.block(parked.scope);
    if (block === undefined || block.reason === 'missing') return;
    const at = Math.min(block.until ?? Number.POSITIVE_INFINITY, lookAgainAt?.(parked.scope) ?? Number.POSITIVE_INFINITY);
    if (at === Number.POSITIVE_INFINITY) return;
    parked.hold = startTimer(Math.max(1, at - now()), () => {
      this.#queue([parked]);
      // Holds end together: those whose timers fire now are woken together.
      this.#timer ??= startTimer(0, () => this.#wakeSome());
    });
  }

  #remove(parked: Parked): void {
    parked.gone = true;
    parked.hold?.cancel();
    parked.unfollow?.();
    this.#parked.delete(parked);
  }
}
