import { startTimer } from '../clock.js';
import { LatchkeyError } from '../errors.js';
import { type Choice, isBorrowed } from '../ledger/call.js';
import { PROBE_MS } from '../ledger/ledger.js';
import type { WorkScope } from '../ledger/scope-key.js';
import type { Coordinator } from '../ledger/store.js';
import type { Identity } from '../ledger/verdicts.js';
import { isDoubtful } from '../policy/canary.js';
import { blockedError, originOf, parkTimeout } from './blocked-error.js';
import type { Lead, Turn } from './canary.js';
import { claimForFleet } from './fleet-canary.js';
import { closedError, type Ended, type Job, type Workshop } from './job.js';
import type { RefreshFlight } from './refresh-flight.js';
import { canChoose } from './refresh-need.js';
import { drain } from './response.js';

/** What an attempt is to be made with; with `lead`, others wait for what it learns. */
export interface Acquired {
  readonly choice: Choice;
  readonly lead: Lead | undefined;
}

/** Longer than it takes to wake all who may wait. */
const UNTOLD_MS = 1_000;

/** Gets a run its credential: at once if it can, or by waiting behind a canary or for fresh auth. */
export class Acquirer {
  readonly #shop: Workshop;

  constructor(shop: Workshop) {
    this.#shop = shop;
  }

  /** Without waiting; undefined if that cannot be. */
  tryNow<T>(job: Job<T>, choice: Choice): Acquired | undefined {
    const { canary, canaries, clock, refresher } = this.#shop;
    const { identity } = choice;
    if (choice.probe) {
      // However it would go otherwise, one call puts it to the test.
      const lead = this.#coordinator === undefined ? canaries.lead(identity) : undefined;
      return lead && { choice, lead };
    }
    refresher?.advise(job.scope, choice);
    // Good for one attempt: by the next one the proof may be old.
    const passed = job.pass === identity;
    job.pass = undefined;
    if (passed || job.options.urgent === true) return { choice, lead: undefined };
    const borrowed = isBorrowed(choice, job.scope);
    const { mode, proofMs } = canary;
    const doubt = { mode, borrowed, provenAt: identity.provenAt(borrowed), proofMs, now: clock.now() };
    if (!isDoubtful(doubt)) return { choice, lead: undefined };
    // Another process may be trying it: that takes asking.
    if (this.#coordinator !== undefined) return undefined;
    const lead = canaries.lead(identity);
    return lead && { choice, lead };
  }

  /**
   * Waits as long as the run's options say.
   * @returns what to send with, or how the run ends without sending.
   * @throws {LatchkeyError} if the scope is blocked and stays so.
   */
  async acquire<T>(job: Job<T>): Promise<Acquired | Ended<T>> {
    for (;;) {
      job.flight.check();
      const choice = this.#shop.ledger.choose(job.scope);
      if (choice === undefined) {
        const refresh = job.retried ? undefined : this.#shop.refresher?.recover(job.scope);
        if (refresh !== undefined) {
          if (this.#shop.seats.full && (givesBack(job) || job.options.whenBlocked === 'skip')) return this.blocked(job);
          await this.#awaitRefresh(job, refresh);
          continue;
        }
        if (job.options.whenBlocked !== 'park' || job.retried) return this.blocked(job);
        if (this.#shop.seats.full && givesBack(job)) return this.blocked(job);
        await this.#park(job);
        continue;
      }
      if (!job.maySend(choice)) {
        // Another call may put to the test what this one has seen rejected.
        if (!choice.probe || job.options.whenBlocked !== 'park' || job.retried) return this.blocked(job);
        if (this.#shop.seats.full && givesBack(job)) return this.blocked(job);
        await this.#park(job);
        continue;
      }
      const acquired = this.tryNow(job, choice) ?? (await this.#waitForTurn(job, choice));
      if (acquired !== undefined) return acquired;
    }
  }

  /** How a run ends that has nothing to send with. */
  blocked<T>(job: Job<T>): Ended<T> {
    const { incidents, statuses } = this.#shop;
    const { scope, options, rejection } = job;
    statuses.note(scope);
    const incident = incidents.meet(scope, rejection === undefined ? 'unsent' : 'sent');
    if (rejection !== undefined && givesBack(job) && 'value' in rejection.given) return { kind: 'done', value: rejection.given.value };
    // What can be made once only and was made has not been skipped, whatever there is by now.
    const wasMade = options.once === true && rejection !== undefined;
    if (options.whenBlocked === 'skip' && !wasMade) {
      void drain(rejection?.given.response);
      this.skipped(scope);
      return { kind: 'done', value: undefined };
    }
    throw blockedError(job, this.#shop, incident);
  }

  /** Counts a run that was skipped. */
  skipped(scope: WorkScope): void {
    const { counters, emitter, ledger } = this.#shop;
    counters.skipped++;
    if (emitter.heard('skipped'))
      emitter.emit('skipped', () => ({ scope: scope.parts, reason: ledger.block(scope)?.reason ?? 'rejected' }));
  }

  /** Behind the canary that is out with this identity, here or elsewhere in the fleet, or as that. Undefined: choose again. */
  async #waitForTurn<T>(job: Job<T>, { identity }: Choice): Promise<Acquired | Ended<T> | undefined> {
    const { canaries, canary, ledger, seats } = this.#shop;
    let lead = this.#coordinator === undefined ? undefined : canaries.lead(identity);
    for (;;) {
      if (lead !== undefined) {
        const coordinator = this.#coordinator;
        const choice = coordinator && ledger.choose(job.scope);
        if (coordinator === undefined || choice?.identity !== identity) return this.#goFirst(job, identity, lead);
        const claim = await claimForFleet(job.flight, lead, identity, coordinator, choice.probe ? PROBE_MS : canary.canaryMs, choice.probe);
        if (claim.state !== 'held') return this.#goFirst(job, identity, lead);
        // Another process puts it to the test: nobody else may, and what that says nobody need wait for.
        const giveBack = choice.probe ? ledger.takeProbe(identity) : undefined;
        // The lead is the other process's now; if that dies, the time that a canary has hands it over.
        const theirs = lead;
        claim.onDone((after) => {
          giveBack?.();
          theirs.done(after);
        });
        if (giveBack !== undefined) return undefined;
      }
      if (seats.full && givesBack(job)) return this.blocked(job);
      const turn = await this.#seated(job, () => job.flight.wait<Turn>((resolve) => canaries.wait(identity, resolve)));
      if (turn.do === 'choose') return undefined;
      if (turn.do === 'go') {
        job.pass = identity;
        return undefined;
      }
      lead = turn.lead;
    }
  }

  /** With the lead, unless the scope has got another credential while it was waited for. */
  #goFirst<T>(job: Job<T>, identity: Identity, lead: Lead): Acquired | undefined {
    const choice = job.flight.interruption === undefined ? this.#shop.ledger.choose(job.scope) : undefined;
    if (choice?.identity === identity) return { choice, lead };
    lead.done('next');
    return undefined;
  }

  /** Until there is a credential, from the refresh or from elsewhere, or the refresh has not helped. */
  async #awaitRefresh<T>(job: Job<T>, refresh: RefreshFlight): Promise<void> {
    const { parking, ledger, statuses } = this.#shop;
    const { scope, options } = job;
    statuses.note(scope);
    // A listener may have brought what it would wait for, or ended it.
    if (!refresh.isPromising || ledger.choose(scope) !== undefined) return;
    // However long a run that parks has to wait, and for what, it does so no longer than it said.
    const deadline = options.whenBlocked === 'park' ? job.parkDeadline : undefined;
    await this.#seated(job, () =>
      job.flight.wait<void>((resolve, reject) => {
        const unwatch = deadline?.watch(() => reject(parkTimeout(scope, this.#shop, { origin: originOf(job) })));
        let late: { cancel(): void } | undefined;
        const unwait = refresh.wait(() => {
          // Those who have a credential now are woken in their order, and not all at once, unless only a clock has made it usable.
          if (canChoose(ledger, scope)) late = startTimer(UNTOLD_MS, resolve);
          else resolve();
        });
        const leave = parking.park(scope, job.place(parking), resolve);
        return () => {
          late?.cancel();
          unwatch?.();
          unwait();
          leave();
        };
      }),
    );
  }

  /** If there is a fleet now. */
  get #coordinator(): Coordinator | undefined {
    const { coordinator, isFleet } = this.#shop;
    return coordinator !== undefined && isFleet?.() === true ? coordinator : undefined;
  }

  async #park<T>(job: Job<T>): Promise<void> {
    const { parking, incidents, counters, emitter, ledger, statuses } = this.#shop;
    const { scope, rejection, parkDeadline } = job;
    statuses.note(scope);
    const incident = incidents.meet(scope, rejection === undefined ? 'unsent' : 'sent');
    const block = ledger.block(scope);
    // Nobody will get it any more, and its socket is needed.
    void drain(rejection?.given.response);
    job.drained = rejection;
    counters.parked++;
    emitter.emit('parked', () => ({ scope: scope.parts, reason: block?.reason ?? 'missing' }));
    // A listener may have brought what it would wait for.
    const accepts = (choice: Choice): boolean => !choice.probe || job.maySend(choice);
    const choice = ledger.choose(scope);
    if (choice !== undefined && accepts(choice)) return;
    // Whoever has just heard of it may have closed Latchkey.
    if (this.#shop.isClosing()) job.flight.interrupt({ by: 'close', reason: closedError(scope) });
    await this.#seated(job, () =>
      job.flight.wait<void>((resolve, reject) => {
        const leave = parking.park(scope, job.place(parking), resolve, accepts);
        const unwatch = parkDeadline.watch(() => reject(parkTimeout(scope, this.#shop, { incident, origin: originOf(job) })));
        return () => {
          unwatch();
          leave();
        };
      }),
    );
  }

  /** One of the places for those who wait. */
  async #seated<T, R>(job: Job<T>, wait: () => Promise<R>): Promise<R> {
    const { seats } = this.#shop;
    if (!seats.take()) throw new LatchkeyError('PARK_OVERFLOW', 'too many runs wait already', { scope: job.scope.parts }, originOf(job));
    try {
      return await wait();
    } finally {
      seats.leave();
    }
  }
}

/** Whether a run has an answer in hand that it may end with. */
function givesBack<T>({ options, rejection, drained }: Job<T>): boolean {
  return options.rejected === 'return' && rejection !== undefined && rejection !== drained && 'value' in rejection.given;
}
