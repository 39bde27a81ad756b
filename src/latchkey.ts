import { startTimer, systemClock } from './clock.js';
import { borrowRule, providerRule } from './contained.js';
import { Credential } from './credential/credential.js';
import { type BlockReason, Emitter, type LatchkeyEventName, type LatchkeyListener } from './events.js';
import { type Capture, PresentedCapture } from './ledger/capture.js';
import { type Explanation, explain } from './ledger/explain.js';
import { IssuedLease, type Lease, LeasedCall } from './ledger/lease.js';
import { Ledger } from './ledger/ledger.js';
import { readScope, type Scope, type WorkScope } from './ledger/scope-key.js';
import { Settler } from './ledger/settle.js';
import { restore, type Snapshot, takeSnapshot } from './ledger/snapshot.js';
import { type LatchkeyOptions, readOptions } from './options.js';
import { Announcer } from './report/announcer.js';
import { IncidentLog } from './report/incident-log.js';
import { Delivery } from './report/reporter.js';
import { newCounters, type Stats } from './stats.js';
import { Canaries } from './worker/canary.js';
import { type Attempt, closedError } from './worker/job.js';
import { Parking } from './worker/parking.js';
import { Runner } from './worker/run.js';
import { checkRunOptions, type RunOptions } from './worker/run-options.js';
import { Seats } from './worker/seats.js';

export type Resolution =
  | { readonly ok: true; readonly lease: Lease }
  | {
      readonly ok: false;
      readonly reason: BlockReason;
      readonly status?: number | undefined;
      /** Milliseconds since the epoch: since when, and when a hold ends by itself. */
      readonly since?: number | undefined;
      readonly until?: number | undefined;
    };

/** Which session, or which whole tenant, to forget. A bare string is a session. */
export type Evictable = string | { readonly tenant?: string | undefined; readonly session?: string | undefined };

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
  /** An operator's way back from a false rejection: the scope's credentials, or the one with this fingerprint, count as unproven again. */
  forgive(scopeOrFingerprint: Scope): void;
  /** Forgets a session, with all providers and purposes, or a whole tenant. @throws {TypeError} if neither is named. */
  evict(scope: Evictable): void;
  /** Hears an event; returns how to stop. What the listener throws is contained. @throws {TypeError} for a name that is no event. */
  on<Name extends LatchkeyEventName>(event: Name, listener: LatchkeyListener<Name>): () => void;
  stats(): Stats;
  /** Slots, verdicts and open incidents, by fingerprint: plain data, which another process may be given as `tombstones`. */
  snapshot(): Snapshot;
  /**
   * Ends: waiters get `CLOSED`, attempts that are out get `timeoutMs` (default 5 s) and are then aborted, reports on their way are awaited within it.
   * Never rejects; a second call is fine.
   */
  close(options?: { readonly timeoutMs?: number | undefined }): Promise<void>;
}

/** How often sessions that have gone idle are looked for, at the most and at the least. */
const SWEEP_MS = { most: 60_000, least: 1_000 };
const DEFAULT_CLOSE_MS = 5_000;
const NO_OPTIONS: RunOptions = {};

/**
 * A gateway's latchkey. Two of them in one process share nothing.
 * @throws {TypeError} for an option that is unknown or malformed.
 */
export function createLatchkey(options: LatchkeyOptions = {}): Latchkey {
  const settings = readOptions(options);
  const clock = settings.clock ?? systemClock;
  const emitter = new Emitter();
  const counters = newCounters();
  const delivery = new Delivery(settings.reporter, emitter);
  const seats = new Seats(settings.limits.parked);
  const canaries = new Canaries(settings.canary.canaryMs);
  let closing: Promise<void> | undefined;

  const ledger: Ledger = new Ledger({
    clock,
    sessions: settings.limits.sessions,
    identities: settings.limits.identities,
    mayBorrow: borrowRule(settings, emitter),
    onChange: (change) => {
      incidents.changed(change);
      parking.changed(change);
    },
    onEvicted: (tenant, session, why) => {
      counters.evicted++;
      emitter.emit('evicted', () => ({ tenant, session, why }));
    },
  });
  const announcer = new Announcer({ limits: settings.report, delivery, emitter, counters, clock });
  const incidents = new IncidentLog({
    ledger,
    clock,
    emitter,
    counters,
    announcer,
    graceMs: settings.report.graceMs,
    scopes: settings.limits.sessions,
  });
  const parking = new Parking(ledger, () => clock.now());
  const settler = new Settler({
    ledger,
    clock,
    emitter,
    counters,
    rule: settings.classify,
    onRejected: (scope) => void incidents.meet(scope, 'sent'),
  });
  const runner = new Runner({ ledger, settler, incidents, emitter, counters, clock, canaries, parking, seats, canary: settings.canary });

  restore(ledger, settings.tombstones, settings.limits.sessions);
  const rules = { multiTenant: settings.multiTenant, canonicalProvider: providerRule(settings, emitter) };
  const read = (scope: Scope, ownOnly = false): WorkScope => readScope(scope, rules, ownOnly);
  const isClosed = (): boolean => closing !== undefined;

  let sweep: { cancel(): void } | undefined;
  const sweepLater = (): void => {
    sweep ??= startTimer(Math.min(Math.max(settings.idleMs / 10, SWEEP_MS.least), SWEEP_MS.most), () => {
      sweep = undefined;
      ledger.evictIdle(settings.idleMs);
      if (ledger.sizes.sessions > 0) sweepLater();
    });
  };

  const captureContext = {
    ledger,
    settler,
    isClosed,
    onInstalled: (scope: WorkScope, { fingerprint }: Credential, usable: boolean) => {
      emitter.emit('captured', () => ({ scope: scope.parts, fingerprint, usable, pinned: false }));
    },
  };

  const end = async (timeoutMs: number): Promise<void> => {
    sweep?.cancel();
    parking.close();
    canaries.close();
    let timer: { cancel(): void } | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = startTimer(timeoutMs, resolve);
    });
    runner.interruptWaiting();
    await Promise.race([runner.flights.empty(), limit]);
    settler.close();
    runner.interruptAll();
    await Promise.race([delivery.settled(), limit]);
    timer?.cancel();
    incidents.close();
  };

  const latchkey: Latchkey = {
    capture(scope, credential, captureOptions = {}) {
      const work = read(scope);
      requireCredential('capture', credential);
      requireOptions('capture', captureOptions, ['provisional']);
      if (isClosed()) return INERT_CAPTURE;
      counters.captures++;
      sweepLater();
      return new PresentedCapture(captureContext, work, credential, captureOptions.provisional === true);
    },

    pin(scope, credential) {
      const work = read(scope);
      requireCredential('pin', credential);
      if (work.session !== undefined) throw new TypeError('pin: a pin has no `session`');
      if (isClosed()) return () => {};
      const { unpin } = ledger.pin(work, credential);
      const { fingerprint } = credential;
      emitter.emit('captured', () => ({ scope: work.parts, fingerprint, usable: latchkey.canRun(scope), pinned: true }));
      return unpin;
    },

    resolve(scope) {
      const work = read(scope);
      if (isClosed()) return { ok: false, reason: 'closed' };
      const choice = ledger.choose(work);
      if (choice !== undefined)
        return { ok: true, lease: new IssuedLease(new LeasedCall(choice, work, ledger.sequence.next()), ledger, settler) };
      const block = ledger.block(work);
      if (block === undefined || block.reason === 'missing') return { ok: false, reason: 'missing' };
      const { reason, status, since, until } = block;
      return { ok: false, reason, status, since, until };
    },

    canRun: (scope) => {
      const work = read(scope);
      return !isClosed() && ledger.choose(work) !== undefined;
    },

    explain: (scope) => explain(ledger, read(scope), isClosed()),

    run: <T>(scope: Scope, attempt: Attempt<T>, runOptions: RunOptions = NO_OPTIONS): Promise<never> => {
      let work: WorkScope;
      try {
        if (runOptions !== NO_OPTIONS) checkRunOptions(runOptions);
        work = read(scope, runOptions.fallback === 'none');
        if (typeof attempt !== 'function') throw new TypeError('run: `attempt` must be a function');
      } catch (error) {
        return Promise.reject(error);
      }
      if (isClosed()) return Promise.reject(closedError(work));
      // The overloads say when undefined is among the results.
      return runner.run(work, attempt, runOptions) as Promise<never>;
    },

    whenRunnable(scope, { signal, timeoutMs } = {}) {
      let work: WorkScope;
      try {
        work = read(scope);
        checkRunOptions({ signal, timeoutMs });
      } catch (error) {
        return Promise.reject(error);
      }
      return isClosed() ? Promise.reject(closedError(work)) : runner.whenRunnable(work, signal, timeoutMs);
    },

    forgive(scopeOrFingerprint) {
      const known = typeof scopeOrFingerprint === 'string' && ledger.forgiveFingerprint(scopeOrFingerprint);
      if (!known) ledger.forgiveScope(read(scopeOrFingerprint));
    },

    evict(scope) {
      const { tenant, session } = readEvictable(scope, read);
      if (session !== undefined) ledger.evict(tenant, session);
      else ledger.evictTenant(tenant);
    },

    on: (event, listener) => emitter.on(event, listener),

    stats: () => ({
      ...counters,
      errors: emitter.failures,
      ...ledger.sizes,
      running: runner.flights.size,
      waiting: seats.taken,
      openIncidents: incidents.size,
    }),

    snapshot: () => takeSnapshot(ledger, incidents.snapshot(), clock.now()),

    close({ timeoutMs = DEFAULT_CLOSE_MS } = {}) {
      if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0))
        return Promise.reject(new TypeError('close: `timeoutMs` must be a number of milliseconds'));
      closing ??= end(timeoutMs);
      return closing;
    },
  };
  return latchkey;
}

/** What a capture is once Latchkey is closed. */
const INERT_CAPTURE: Capture = Object.freeze({
  changed: false,
  usable: false,
  settle: () => ({ state: 'unproven' as const }),
  commit: () => {},
  discard: () => {},
});

function requireCredential(caller: string, credential: unknown): void {
  if (!(credential instanceof Credential))
    throw new TypeError(`${caller}: \`credential\` must come from bearer(), apiKey() or credentialFromHeaders()`);
}

function requireOptions(caller: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw new TypeError(`${caller}: \`options\` must be an object`);
  for (const name of Object.keys(options)) if (!known.includes(name)) throw new TypeError(`${caller}: unknown option \`${name}\``);
}

function readEvictable(scope: Evictable, read: (scope: Scope) => WorkScope): WorkScope {
  if (typeof scope === 'object' && scope !== null) {
    requireOptions('evict', scope, ['tenant', 'session']);
    if (scope.tenant === undefined && scope.session === undefined) throw new TypeError('evict: name a `session` or a `tenant`');
  }
  return read(scope);
}
