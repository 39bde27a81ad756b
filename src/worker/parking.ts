import { startTimer } from '../clock.js';
import type { Block } from '../ledger/block.js';
import type { Choice } from '../ledger/call.js';
import { type Change, Watchlist } from '../ledger/change.js';
import type { Ledger } from '../ledger/ledger.js';
import type { WorkScope } from '../ledger/scope-key.js';

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

/** Who waits until a scope can work. Woken in the order of arrival, and only if the scope can work at that moment. */
export class Parking {
  readonly #ledger: Pick<Ledger, 'choose' | 'block'>;
  readonly #now: () => number;
  readonly #follow: ((scope: WorkScope) => () => void) | undefined;
  readonly #onBlocked: ((scope: WorkScope) => void) | undefined;
  readonly #parked = new Watchlist<Parked>();
  #places = 0;
  /** Those a change concerned who have not had their turn yet. */
  #due: Parked[] = [];
  #timer: { cancel(): void } | undefined;

  /** `follow`: somebody waits for a scope, which a store is to know; returns how to say that this is over. `onBlocked`: it was looked at, and waits on. */
  constructor(
    ledger: Pick<Ledger, 'choose' | 'block'>,
    now: () => number,
    follow?: (scope: WorkScope) => () => void,
    onBlocked?: (scope: WorkScope) => void,
  ) {
    this.#ledger = ledger;
    this.#now = now;
    this.#follow = follow;
    this.#onBlocked = onBlocked;
  }

  /** A place in the queue: take one for each run, and keep it. */
  nextPlace(): number {
    return ++this.#places;
  }

  /** Calls `wake` once the scope can work, with what `accepts` has nothing against. Returns how to give up waiting. */
  park(scope: WorkScope, place: number, wake: () => void, accepts: (choice: Choice) => boolean = () => true): () => void {
    const parked: Parked = { scope, place, wake, accepts, gone: false, hold: undefined, unfollow: this.#follow?.(scope) };
    this.#parked.add(parked);
    this.#awaitHold(parked, this.#ledger.block(scope));
    return () => this.#remove(parked);
  }

  changed(change: Change): void {
    const concerned = this.#parked.concernedBy(change);
    if (concerned.length === 0) return;
    this.#queue(concerned);
    if (this.#timer === undefined) this.#wakeSome();
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
    const choice = this.#ledger.choose(parked.scope);
    if (choice === undefined || !parked.accepts(choice)) {
      parked.hold?.cancel();
      this.#awaitHold(parked, this.#ledger.block(parked.scope));
      if (choice === undefined) this.#onBlocked?.(parked.scope);
      return false;
    }
    this.#remove(parked);
    parked.wake();
    return true;
  }

  /** A hold ends by itself, and nothing in the ledger changes then. */
  #awaitHold(parked: Parked, block: Block | undefined): void {
    if (block === undefined || block.reason === 'missing' || block.until === undefined) return;
    parked.hold = startTimer(Math.max(1, block.until - this.#now()), () => {
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
