import type { Latchkey } from './api.js';
import { readCloseOptions, readEvictable, requireCredential, requireOptions } from './arguments.js';
import { systemClock } from './clock.js';
import { closeAll } from './closing.js';
import { aliasRule, borrowRule, refreshKeyRule } from './contained.js';
import { type Credential, isFingerprint } from './credential/credential.js';
import { Emitter } from './events.js';
import { INERT_CAPTURE, PresentedCapture } from './ledger/capture.js';
import { explain } from './ledger/explain.js';
import { issueLease } from './ledger/lease.js';
import { Ledger } from './ledger/ledger.js';
import { readScope, type Scope, type WorkScope } from './ledger/scope-key.js';
import { Settler } from './ledger/settle.js';
import { restore, takeSnapshot } from './ledger/snapshot.js';
import { Timekeeper } from './ledger/timekeeper.js';
import { type LatchkeyOptions, readOptions } from './options.js';
import { Announcer } from './report/announcer.js';
import { IncidentLog } from './report/incident-log.js';
import { Delivery } from './report/reporter.js';
import { newCounters } from './stats.js';
import { Sweep } from './sweep.js';
import { takeStats } from './take-stats.js';
import { Canaries } from './worker/canary.js';
import { type Attempt, closedError } from './worker/job.js';
import { waitLoaded } from './worker/loaded.js';
import { Parking } from './worker/parking.js';
import { Refresher } from './worker/refresher.js';
import { Runner } from './worker/run.js';
import { checkRunOptions, type RunOptions } from './worker/run-options.js';
import { Seats } from './worker/seats.js';
import { StatusBoard } from './worker/status-board.js';

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
  const replica = settings.store?.attach({ clock, emitter, idleMs: settings.idleMs });
  const coordinator = replica?.coordinator;

  const ledger: Ledger = new Ledger({
    clock,
    ...settings.limits,
    mayBorrow: borrowRule(settings, emitter),
    journal: replica?.journal,
    sequence: replica?.sequence,
    expiry: settings.expiry,
    probes: settings.probes,
    strikes: settings.strikes,
    onChange: (change) => {
      incidents.changed(change);
      parking.changed(change);
      statuses.changed(change);
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
    coordinator,
    graceMs: settings.report.graceMs,
    expiredAfterMs: settings.expiry?.graceMs,
    isHopeful: (scope) => refresher?.isHopeful(scope) === true,
    scopes: settings.limits.sessions,
  });
  const now = (): number => clock.now();
  const parking = new Parking({
    ledger,
    now,
    follow: replica && ((scope) => replica.wait(scope)),
    onBlocked: (scope) => void refresher?.recover(scope),
    lookAgainAt: (scope) => refresher?.restsUntil(scope),
  });
  const settler = new Settler({
    ledger,
    clock,
    emitter,
    counters,
    rule: settings.classify,
    timekeeper: settings.expiry && new Timekeeper(ledger, clock, settings.expiry.header),
    onVerdict: (identity) => canaries.overtake(identity),
    onAccepted: (scope) => {
      incidents.worked(scope);
      statuses.worked(scope);
    },
    beforeRejected: (scope) => {
      if (refresher !== undefined && ledger.choose(scope) === undefined) refresher.recover(scope);
    },
    onRejected: (scope) => {
      incidents.meet(scope, 'sent');
      statuses.note(scope);
    },
  });
  const isClosed = (): boolean => closing !== undefined;
  const refresher: Refresher | undefined =
    settings.refresh &&
    new Refresher({
      ledger,
      settler,
      clock,
      emitter,
      counters,
      ...settings.refresh,
      spends: refreshKeyRule(settings, emitter),
      coordinator,
      isClosing: isClosed,
      onSucceeded: (scope, { fingerprint }, pinned) =>
        emitter.emit('captured', () => ({ scope: scope.parts, fingerprint, usable: true, pinned, refreshed: true })),
      onStuck: (scope) => void incidents.meet(scope, 'sent'),
      onChanged: (identity) => {
        statuses.refreshChanged(identity);
        parking.refreshChanged(identity);
      },
    });
  const statuses = new StatusBoard({ ledger, emitter, refresher: () => refresher, isClosed, scopes: settings.limits.sessions });
  const runner = new Runner({
    ledger,
    settler,
    incidents,
    emitter,
    counters,
    clock,
    canaries,
    parking,
    seats,
    canary: settings.canary,
    isClosing: isClosed,
    refresher,
    statuses,
    coordinator,
    isFleet: () => replica?.state === 'up',
  });

  const rules = { multiTenant: settings.multiTenant, canonicalProvider: aliasRule(settings, emitter) };
  restore(ledger, settings.tombstones, rules.canonicalProvider);
  const read = (scope: Scope, ownOnly = false): WorkScope => readScope(scope, rules, ownOnly || settings.fallback === 'none');
  const isLoaded = (work: WorkScope): boolean => replica === undefined || replica.isLoaded(work);

  const sweep = new Sweep(ledger, settings.idleMs);

  const captureContext = {
    ledger,
    settler,
    isClosed,
    now,
    onPresented: () => sweep.later(),
    onInstalled: (scope: WorkScope, { fingerprint }: Credential, usable: boolean) => {
      emitter.emit('captured', () => ({ scope: scope.parts, fingerprint, usable, pinned: false }));
    },
  };

  replica?.start(ledger, (identity) => {
    canaries.overtake(identity);
    refresher?.forgiven();
  });

  const load = async (works: readonly WorkScope[]): Promise<void> => {
    if (replica === undefined || isClosed()) return;
    await replica.load(works);
    sweep.later();
  };

  /** What the fleet knows of a scope comes before anything is done for it. */
  const loadFirst = async <T, O extends RunOptions>(work: WorkScope, options: O, go: (options: O) => Promise<T>): Promise<T> => {
    if (replica === undefined) return go(options);
    const timeoutMs = await waitLoaded(work, { replica, clock, ...options });
    sweep.later();
    if (isClosed()) throw closedError(work);
    return go(timeoutMs === undefined ? options : { ...options, timeoutMs });
  };

  const parts = { sweep, parking, canaries, refresher, statuses, runner, settler, incidents, delivery, replica };
  const latchkey: Latchkey = {
    capture(scope, credential, captureOptions = {}) {
      const work = read(scope);
      requireCredential('capture', credential);
      requireOptions('capture', captureOptions, ['provisional']);
      const { provisional = false } = captureOptions;
      if (typeof provisional !== 'boolean') throw new TypeError('capture: `provisional` must be a boolean');
      if (isClosed()) return INERT_CAPTURE;
      counters.captures++;
      return new PresentedCapture(captureContext, work, credential, provisional);
    },

    pin(scope, credential) {
      const work = read(scope);
      requireCredential('pin', credential);
      if (work.session !== undefined) throw new TypeError('pin: a pin has no `session`');
      if (isClosed()) return () => {};
      const { fingerprint } = credential;
      return ledger.pin(work, credential, () => {
        emitter.emit('captured', () => ({ scope: work.parts, fingerprint, usable: latchkey.canRun(scope), pinned: true }));
      });
    },

    resolve(scope) {
      const work = read(scope);
      if (isClosed()) return { ok: false, reason: 'closed' };
      const choice = ledger.choose(work);
      if (choice !== undefined) return { ok: true, lease: issueLease(ledger, choice, work, settler) };
      const block = ledger.block(work);
      if (block === undefined || block.reason === 'missing') return { ok: false, reason: 'missing' };
      const { reason, status, since, until } = block;
      return { ok: false, reason, status, since, until };
    },

    canRun: (scope) => {
      const work = read(scope);
      return !isClosed() && ledger.choose(work) !== undefined;
    },

    status: (scope) => statuses.of(read(scope)),

    explain: (scope) => explain(ledger, read(scope), isClosed(), refresher),

    run: <T>(scope: Scope, attempt: Attempt<T>, runOptions: RunOptions = NO_OPTIONS): Promise<never> => {
      try {
        if (runOptions !== NO_OPTIONS) checkRunOptions(runOptions);
        const scoped = read(scope, runOptions.fallback === 'none');
        const work = runOptions.minTtlMs === undefined ? scoped : scoped.lasting(runOptions.minTtlMs);
        if (typeof attempt !== 'function') throw new TypeError('run: `attempt` must be a function');
        if (isClosed()) throw closedError(work);
        // The overloads say when undefined is among the results.
        if (isLoaded(work)) return runner.run(work, attempt, runOptions) as Promise<never>;
        return loadFirst(work, runOptions, (options) => runner.run(work, attempt, options)) as Promise<never>;
      } catch (error) {
        return Promise.reject(error);
      }
    },

    async whenRunnable(scope, options = {}) {
      const work = read(scope);
      requireOptions('whenRunnable', options, ['signal', 'timeoutMs']);
      checkRunOptions(options);
      if (isClosed()) throw closedError(work);
      if (isLoaded(work)) return runner.whenRunnable(work, options.signal, options.timeoutMs);
      return loadFirst(work, options, (left) => runner.whenRunnable(work, left.signal, left.timeoutMs));
    },

    async load(scopes) {
      if (!Array.isArray(scopes)) throw new TypeError('load: `scopes` must be an array of scopes');
      await load(scopes.map((scope) => read(scope)));
    },

    isLoaded: (scope) => isLoaded(read(scope)),

    ready: async () => replica?.ready(),

    forgive(scopeOrFingerprint) {
      const isKnown = typeof scopeOrFingerprint === 'string' && ledger.forgiveFingerprint(scopeOrFingerprint);
      // Where every scope names its tenant, a bare fingerprint that is not known can be nothing else.
      if (!isKnown && !(settings.multiTenant && isFingerprint(scopeOrFingerprint))) ledger.forgiveScope(read(scopeOrFingerprint));
      refresher?.forgiven();
    },

    evict(scope) {
      const { tenant, session } = readEvictable(scope, read);
      if (session !== undefined) ledger.evict(tenant, session);
      else ledger.evictTenant(tenant);
    },

    on: (event, listener) => emitter.on(event, listener),

    stats: () => takeStats({ ...parts, counters, emitter, ledger, seats }),

    snapshot: () => takeSnapshot(ledger, incidents.snapshot(), clock.now(), (scope) => statuses.of(scope)),

    close(options = {}) {
      let timeoutMs: number;
      try {
        timeoutMs = readCloseOptions(options);
      } catch (error) {
        return Promise.reject(error);
      }
      // What is told while it ends finds it closed already.
      closing ??= Promise.resolve().then(() => closeAll(parts, timeoutMs));
      return closing;
    },
  };
  return latchkey;
}
