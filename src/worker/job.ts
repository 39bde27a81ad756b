import { type Clock, startTimer } from '../clock.js';
import type { Credential } from '../credential/credential.js';
import { LatchkeyError } from '../errors.js';
import type { Emitter } from '../events.js';
import type { Choice, LeasedCall } from '../ledger/call.js';
import type { Lease } from '../ledger/lease.js';
import type { Ledger } from '../ledger/ledger.js';
import type { WorkScope } from '../ledger/scope-key.js';
import type { Settler } from '../ledger/settle.js';
import type { Coordinator } from '../ledger/store.js';
import type { Identity } from '../ledger/verdicts.js';
import type { CanaryMode } from '../policy/canary.js';
import type { IncidentLog } from '../report/incident-log.js';
import type { Counters } from '../stats.js';
import type { Canaries } from './canary.js';
import type { RunContext } from './context.js';
import { Flight } from './flight.js';
import type { Parking } from './parking.js';
import type { Refresher } from './refresher.js';
import { DEFAULT_PARK_MS, type RunOptions } from './run-options.js';
import type { Seats } from './seats.js';
import type { StatusBoard } from './status-board.js';

/** Makes one call with the lease’s credential. What it returns or throws is looked at for what it says about the credential. */
export type Attempt<T> = (lease: Lease, context: RunContext) => T | Promise<T>;

/** The parts that work is done with. */
export interface Workshop {
  readonly ledger: Ledger;
  readonly settler: Settler;
  readonly incidents: IncidentLog;
  readonly emitter: Emitter;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly canaries: Canaries;
  readonly parking: Parking;
  readonly seats: Seats;
  /** No new attempts: Latchkey is closing. */
  readonly isClosing: () => boolean;
  readonly canary: { readonly mode: CanaryMode; readonly canaryMs: number; readonly proofMs: number };
  /** Gets new credentials in place of old ones, where the gateway can. */
  readonly refresher?: Refresher | undefined;
  readonly statuses: StatusBoard;
  /** What the processes of a fleet agree on; none in a single process. */
  readonly coordinator?: Coordinator | undefined;
  /** There is a fleet now: a coordinator, and its store answers. */
  readonly isFleet?: (() => boolean) | undefined;
}

/** What an attempt gave: a value it returned or an error it threw, and the response behind either. */
export type Given<T> = ({ readonly value: T } | { readonly error: unknown }) & { readonly response: unknown };

/** How a run ends: with a value, or with an error that is not ours. */
export type Ended<T> = { readonly kind: 'done'; readonly value: T | undefined } | { readonly kind: 'failed'; readonly error: unknown };

export interface Transient<T> {
  readonly kind: 'transient';
  readonly given: Given<T>;
  readonly retryAfterMs: number | undefined;
}

/** What came of one attempt. */
export type Sent<T> = Ended<T> | Transient<T> | Rejected<T>;

export interface Rejected<T> {
  readonly kind: 'rejected';
  readonly call: LeasedCall;
  readonly given: Given<T>;
  readonly status: number | undefined;
  readonly since: number;
  /** It does not count yet: the same credential may be tried again, once. */
  readonly isStrike: boolean;
}

/** One run, from its start to its end. */
export class Job<T> {
  readonly scope: WorkScope;
  readonly attempt: Attempt<T>;
  readonly options: RunOptions;
  /** Milliseconds since the epoch; 0 for a run without a time limit, which nobody asks. */
  readonly startedAt: number;
  readonly flight: Flight;
  attempts = 0;
  /** The credentials of attempts that failed: the error of the last may speak of those before. */
  readonly failed: Credential[] = [];
  /** The one auth retry has been sent. */
  retried = false;
  /** The last rejection that this run met. */
  rejection: Rejected<T> | undefined = undefined;
  /** The rejection whose answer was drained before the run parked: it can be returned no more. */
  drained: Rejected<T> | undefined = undefined;
  /** A canary has come back well from this identity: no other is waited for. */
  pass: Identity | undefined = undefined;
  /** By fingerprint: one that was evicted and presented again is another identity, of the same bytes. */
  #rejected: Map<string, number> | undefined = undefined;
  #place: number | undefined = undefined;
  #parkDeadline: Deadline | undefined = undefined;

  constructor(scope: WorkScope, attempt: Attempt<T>, options: RunOptions, startedAt: number) {
    this.scope = scope;
    this.attempt = attempt;
    this.options = options;
    this.startedAt = startedAt;
    this.flight = new Flight(scope);
  }

  /** From now on only what was sent after `number` can prove the identity to this run. */
  noteRejected(rejected: Rejected<T>, number: number): void {
    this.rejection = rejected;
    if (rejected.isStrike) return;
    this.#rejected ??= new Map();
    this.#rejected.set(rejected.call.identity.fingerprint, number);
  }

  /** Whether this run may send with an identity: it has not seen it rejected, or it was proven by a call sent since. */
  maySend({ identity }: Choice): boolean {
    const rejectedAt = this.#rejected?.get(identity.fingerprint);
    if (rejectedAt === undefined) return true;
    const rulings = [identity.ruling, identity.rulingFor(this.scope)];
    return rulings.some((ruling) => ruling?.state === 'accepted' && ruling.sent > rejectedAt);
  }

  /** The place in the queue of those who park, kept from one parking to the next. */
  place(parking: Parking): number {
    this.#place ??= parking.nextPlace();
    return this.#place;
  }

  /** When parking ends, from its first beginning. */
  get parkDeadline(): Deadline {
    this.#parkDeadline ??= new Deadline(this.options.parkMs ?? DEFAULT_PARK_MS);
    this.flight.deadline = this.#parkDeadline;
    return this.#parkDeadline;
  }
}

/** A moment that may pass while nobody waits for it. */
export class Deadline {
  #passed = false;
  #onPass: (() => void) | undefined = undefined;
  readonly #timer: { cancel(): void };

  constructor(ms: number) {
    this.#timer = startTimer(ms, () => {
      this.#passed = true;
      this.#onPass?.();
    });
  }

  /** Calls back when it passes, or at once if it has. Returns how to stop that. */
  watch(onPass: () => void): () => void {
    if (this.#passed) onPass();
    else this.#onPass = onPass;
    return () => {
      this.#onPass = undefined;
    };
  }

  cancel(): void {
    this.#timer.cancel();
  }
}

export function closedError(scope: WorkScope): LatchkeyError {
  return new LatchkeyError('CLOSED', 'latchkey is closed', { scope: scope.parts });
}
