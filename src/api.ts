import type { Credential } from './credential/credential.js';
import type { LatchkeyEventName, LatchkeyListener } from './events.js';
import type { Capture } from './ledger/capture.js';
import type { Explanation } from './ledger/explain.js';
import type { Lease } from './ledger/lease.js';
import type { Scope } from './ledger/scope-key.js';
import type { Snapshot } from './ledger/snapshot.js';
import type { BlockReason, Status } from './policy/status.js';
import type { Stats } from './stats.js';
import type { Attempt } from './worker/job.js';
import type { RunOptions } from './worker/run-options.js';

/** A lease on the credential that a scope’s work would be done with, or why there is none. */
export type Resolution =
  | { readonly ok: true; readonly lease: Lease }
  | {
      readonly ok: false;
      readonly reason: BlockReason;
      readonly status?: number | undefined;
      /** Milliseconds since the epoch: since when, and when a hold ends by itself or a probe may be made. */
      readonly since?: number | undefined;
      readonly until?: number | undefined;
    };

/** Which session, or which whole tenant, to forget. A bare string is a session. */
export type Evictable = string | { readonly tenant?: string | undefined; readonly session?: string | undefined };

/** What `createLatchkey` gives: what a gateway knows of its credentials, and the work that is done with them. */
export interface Latchkey {
  /**
   * A client's request presented a credential: it fills its session's slot and the tenant's global slot, unless it is known to be dead
   * and what is there is not. Call it when the request arrives; arrival orders captures.
   * @throws {TypeError} for a scope or credential that is none.
   */
  capture(scope: Scope, credential: Credential, options?: { readonly provisional?: boolean | undefined }): Capture;
  /**
   * The gateway's own credential for a tenant's provider (and purpose): asked first, and nothing else then. Returns how to unpin it.
   * @throws {TypeError} for a scope with a session, or a credential that is none.
   */
  pin(scope: Scope, credential: Credential): () => void;
  /** What the scope's work would be done with, or why there is nothing. Changes nothing. @throws {TypeError} for a bad scope. */
  resolve(scope: Scope): Resolution;
  /** `resolve(scope).ok`, cheaper. Changes nothing. @throws {TypeError} for a bad scope. */
  canRun(scope: Scope): boolean;
  /** How the scope's work stands, since when, and when something is tried next. Changes nothing. @throws {TypeError} for a bad scope. */
  status(scope: Scope): Status;
  /** Candidate by candidate: why not, since when, and what would unblock it. Changes nothing. @throws {TypeError} for a bad scope. */
  explain(scope: Scope): Explanation;
  /**
   * Makes an attempt with the scope's credential; after a rejection one more, if another credential is there.
   * Rejects with a `LatchkeyError` when it is blocked, and otherwise with whatever the attempt threw, untouched.
   */
  run<T>(scope: Scope, attempt: Attempt<T>, options: RunOptions & { readonly whenBlocked: 'skip' }): Promise<T | undefined>;
  run<T>(scope: Scope, attempt: Attempt<T>, options?: RunOptions & { readonly whenBlocked?: 'throw' | 'park' | undefined }): Promise<T>;
  run<T>(scope: Scope, attempt: Attempt<T>, options?: RunOptions): Promise<T | undefined>;
  /**
   * Resolves once the scope can work. Rejects with `PARK_TIMEOUT` after `timeoutMs` (default 5 minutes), with `PARK_OVERFLOW` if too many wait, with
   * the signal's reason, or with `CLOSED`.
   */
  whenRunnable(
    scope: Scope,
    options?: { readonly signal?: AbortSignal | undefined; readonly timeoutMs?: number | undefined },
  ): Promise<void>;
  /**
   * Brings in what the store knows of these scopes, for questions that are answered at once (`canRun`, `resolve`); `run` and `whenRunnable` do so
   * themselves. Does nothing without a store, and leaves the scopes as they are while it is down.
   * @throws {TypeError} for a bad scope.
   */
  load(scopes: readonly Scope[]): Promise<void>;
  /** Whether what the store knows of the scope is here; always without a store. Changes nothing. @throws {TypeError} for a bad scope. */
  isLoaded(scope: Scope): boolean;
  /** Resolves once the store has answered for the first time, or turned out to be down; at once without one. Never rejects. */
  ready(): Promise<void>;
  /** An operator's way back from a false rejection: the scope's credentials, or the one with this fingerprint, count as unproven again. */
  forgive(scopeOrFingerprint: Scope): void;
  /** Forgets a session, with all providers and purposes, or a whole tenant. @throws {TypeError} if neither is named. */
  evict(scope: Evictable): void;
  /** Hears an event; returns how to stop. What the listener throws is contained. @throws {TypeError} for a name that is no event. */
  on<Name extends LatchkeyEventName>(event: Name, listener: LatchkeyListener<Name>): () => void;
  /** Counters since the start, and gauges of now. Changes nothing. */
  stats(): Stats;
  /** Slots, verdicts and open incidents, by fingerprint: plain data, which another process may be given as `tombstones`. */
  snapshot(): Snapshot;
  /**
   * Ends: waiters get `CLOSED`, attempts that are out get `timeoutMs` (default 5 s) and are then aborted, reports on their way are awaited within it.
   * Never rejects; a second call is fine.
   */
  close(options?: { readonly timeoutMs?: number | undefined }): Promise<void>;
}
