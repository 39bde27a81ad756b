import { startTimer } from '../clock.js';
import type { Credential } from '../credential/credential.js';
import type { Offer } from '../ledger/block.js';
import { IssuedLease } from '../ledger/lease.js';
import type { Unrefreshable } from '../ledger/refusals.js';
import type { WorkScope } from '../ledger/scope-key.js';
import type { Settler } from '../ledger/settle.js';
import type { AfterRefresh, Coordinator } from '../ledger/store.js';
import type { Identity } from '../ledger/verdicts.js';
import { isDead } from '../policy/choose.js';
import { afterTransient, type RefreshFailure } from '../policy/refresh.js';
import { awaitFleet } from './fleet-refresh.js';
import { callRefresh, type RefreshFunction, withoutWords } from './refresh-call.js';
import { readRefreshFailure, type ThrownFailure, tellRefreshFailed } from './refresh-failure.js';
import { RefreshFlight } from './refresh-flight.js';
import { RefreshFlights } from './refresh-flights.js';
import { type InstallOptions, install } from './refresh-install.js';
import { heirOf, isRefreshNeeded, isStillHeld, lenderScope } from './refresh-need.js';
import { RefreshTurns } from './refresh-turns.js';

/** A refresh that brought nothing better is not asked for again before. */
const AGAIN_MS = 10 * 60_000;
/** Longer than the try itself, for the way to the store and back. */
const LOCK_MARGIN_MS = 2_000;

export interface RefreshTriesOptions extends InstallOptions {
  readonly settler: Settler;
  readonly refresh: RefreshFunction;
  /** How long one try may take, in milliseconds. */
  readonly tryMs: number;
  /** What a refresh spends that others may spend, too, by the scope that it is made for. Must not throw. */
  readonly spends: (scope: WorkScope) => string | undefined;
  /** What is to be had for a scope by refreshing is not to be had, for now or for good. */
  readonly onStuck: (scope: WorkScope) => void;
  /** How a scope stands may have changed. */
  readonly onChanged: (identity: Identity) => void;
  readonly coordinator?: Coordinator | undefined;
  /** Latchkey is closing: no new try. */
  readonly isClosing: () => boolean;
}

/** Makes refreshes, try after try, each until it is through or given up: one of each credential at a time, in the whole fleet unless its store stays away. */
export class RefreshTries {
  readonly flights = new RefreshFlights();
  readonly #options: RefreshTriesOptions;
  readonly #turns: RefreshTurns;

  constructor(options: RefreshTriesOptions) {
    this.#options = options;
    const { ledger, clock } = options;
    this.#turns = new RefreshTurns({ flights: this.flights, ledger, now: () => clock.now() });
  }

  /** Undefined if as many go on as may, and none of them pauses. */
  begin(scope: WorkScope, { source, identity }: Offer): RefreshFlight | undefined {
    if (!this.#makeRoom()) return undefined;
    const { ledger, clock, spends } = this.#options;
    const holder = source === 'global' ? lenderScope(ledger, scope) : scope;
    const began = { now: clock.now(), number: ledger.sequence.next(), holder, spends: spends(holder) };
    const flight = new RefreshFlight(identity, scope, source, began);
    this.flights.add(flight);
    this.#options.onChanged(flight.identity);
    this.#try(flight).catch(() => {});
    return flight;
  }

  /** Nothing goes on of it by itself any more. */
  end(flight: RefreshFlight, after: AfterRefresh | 'unknown'): void {
    if (!this.flights.delete(flight)) return;
    const { claim } = flight;
    flight.claim = undefined;
    flight.stop();
    if (after === 'unknown') claim?.leave();
    else claim?.done(after);
    flight.release();
    this.#options.onChanged(flight.identity);
  }

  /** One that pauses anyway makes room, and rests: to begin anew with its next work it would push out another. */
  #makeRoom(): boolean {
    const pausing = this.flights.isFull ? this.flights.pausing() : undefined;
    if (pausing !== undefined) {
      this.#restHere(pausing);
      this.end(pausing, 'again');
      this.#options.onStuck(pausing.scope);
    }
    return !this.flights.isFull;
  }

  async #try(flight: RefreshFlight): Promise<void> {
    try {
      flight.next = flight.timer = undefined;
      if (!(await this.#mayTry(flight))) return;
      const { isClosing } = this.#options;
      // In the moment in between.
      if (isClosing() || !this.flights.has(flight)) return this.end(flight, 'again');
      const { identity, source } = flight;
      const { ledger, settler, refresh, tryMs, counters } = this.#options;
      const { credential } = identity;
      if (credential === undefined) {
        this.end(flight, 'again');
        return;
      }
      const sent = ledger.sequence.next();
      // What has come of it already: somebody has presented the old one since, or another one of the same login.
      const heir = heirOf(ledger, identity, flight.scope) ?? this.#turns.last(flight);
      if (heir !== undefined && this.#install(flight, heir, sent)) return;
      const choice = { source, identity, credential, session: undefined, probe: false };
      const lease = new IssuedLease(choice, flight.holder, { sent, sentAt: ledger.sendingAt(identity) }, settler);
      counters.refreshes++;
      const controller = new AbortController();
      flight.controller = controller;
      try {
        const answer = await callRefresh(refresh, lease, tryMs, controller, (late) => {
          flight.refind(ledger, credential);
          if (!this.#options.isClosing()) this.#install(flight, late, sent);
        });
        flight.through(controller);
        flight.refind(ledger, credential);
        if (this.flights.has(flight)) this.#answered(flight, answer, sent);
      } catch (error) {
        const thrown = await readRefreshFailure(error);
        flight.through(controller);
        flight.refind(ledger, credential);
        if (this.flights.has(flight)) this.#failed(flight, error, thrown, sent);
      }
    } catch (error) {
      // A clock of the user's that throws, say.
      this.#options.emitter.contain('refresh', error);
      this.end(flight, 'again');
    }
  }

  /** Whether there is still something to refresh, once it is this process's turn. */
  async #mayTry(flight: RefreshFlight): Promise<boolean> {
    const { coordinator, tryMs, ledger } = this.#options;
    const isWanted = (): boolean => this.flights.has(flight) && this.#isNeeded(flight);
    const ms = tryMs + LOCK_MARGIN_MS;
    let turn: 'done' | 'busy' | 'nothing' = await this.#turns.await(flight, ms, isWanted);
    if (turn === 'done' && coordinator !== undefined) turn = await awaitFleet(flight, coordinator, ms, isWanted);
    if (!this.flights.has(flight)) return false;
    if (turn === 'busy') {
      this.#pause(flight);
      return false;
    }
    if (turn === 'nothing') this.#restHere(flight);
    if (this.#isNeeded(flight)) return true;
    // Another has taken its place for now: where both are presented by turns, neither is to be tried anew each time.
    if (flight.hasFailed && !isStillHeld(ledger, flight)) this.#restHere(flight);
    this.end(flight, 'look');
    return false;
  }

  #isNeeded(flight: RefreshFlight): boolean {
    const { ledger, clock, isClosing } = this.#options;
    return !isClosing() && isRefreshNeeded(ledger, flight, clock.now());
  }

  #answered(flight: RefreshFlight, answer: Credential | undefined, sent: number): void {
    if (answer !== undefined && this.#install(flight, answer, sent)) return;
    const { identity, scope } = flight;
    const rest = this.#rest(identity, sent);
    // A process that knows who lent it may have a refresh token for it.
    if (flight.isStranger) identity.endRefresh(scope.tenant, { ...rest, isOwn: true });
    else this.#options.ledger.unrefreshable(identity, scope.tenant, rest);
    tellRefreshFailed(this.#options, flight, { kind: 'unchanged', status: undefined, code: undefined }, rest.until);
    this.end(flight, flight.isStranger ? 'again' : 'nothing');
    this.#options.onStuck(scope);
  }

  /** Returns whether there is anything better now. */
  #install(flight: RefreshFlight, credential: Credential, sent: number): boolean {
    if (!install(this.#options, flight, credential, sent)) return false;
    this.#turns.brought(flight, credential);
    this.end(flight, 'look');
    // Those that paused behind it need not wait any more.
    for (const other of this.flights.pausingFor(flight.spends)) {
      other.timer?.cancel();
      this.#try(other).catch(() => {});
    }
    return true;
  }

  #failed(flight: RefreshFlight, error: unknown, { failure, isOdd, isRead }: ThrownFailure, sent: number): void {
    const { identity } = flight;
    const { tenant } = flight.scope;
    const { ledger, clock, emitter, refresh } = this.#options;
    if (isOdd || isRead) emitter.contain('refresh', withoutWords(error, isRead), refresh);
    switch (failure.kind) {
      case 'transient':
        this.#pause(flight, failure);
        return;
      case 'aborted': {
        const rest = this.#rest(identity, sent);
        ledger.unrefreshable(identity, tenant, rest);
        tellRefreshFailed(this.#options, flight, failure, rest.until);
        this.end(flight, 'again');
        return;
      }
      case 'permanent': {
        const { status, code } = failure;
        ledger.unrefreshable(identity, tenant, { at: sent, until: undefined, status, code });
        // What works still is worked with until it is over: then there is nothing to wait for.
        if (isDead(identity, clock.now())) ledger.condemn(identity, sent, status);
        tellRefreshFailed(this.#options, flight, failure, undefined);
        this.end(flight, 'look');
        this.#options.onStuck(flight.scope);
      }
    }
  }

  /** Until the next try, or for good. Whoever waits is told that it takes longer. */
  #pause(flight: RefreshFlight, failure?: RefreshFailure): void {
    const { clock, ledger, onStuck, onChanged, tryMs } = this.#options;
    const { identity, scope } = flight;
    const now = clock.now();
    const before = flight.progress.phase;
    const after = afterTransient(flight.progress, now);
    if (failure !== undefined) tellRefreshFailed(this.#options, flight, failure, after?.at);
    if (after === undefined) {
      const [status, code] = [failure?.status, failure?.code];
      ledger.unrefreshable(identity, scope.tenant, { at: ledger.sequence.next(), until: undefined, status, code });
      this.end(flight, 'look');
      onStuck(scope);
      return;
    }
    flight.progress = after.progress;
    flight.failure = failure ?? flight.failure;
    flight.next = after.at;
    flight.controller = undefined;
    flight.timer = startTimer(after.at - now, () => this.#try(flight).catch(() => {}));
    // As long as it goes on here, no other process has to begin.
    void flight.claim?.keep(after.at - now + tryMs + LOCK_MARGIN_MS);
    flight.release();
    onChanged(identity);
    if (before !== after.progress.phase) onStuck(scope);
  }

  /** It brought nothing, and is not asked again for a while; for what works still, no longer than that lasts. */
  #rest(identity: Identity, sent: number): Unrefreshable {
    const now = this.#options.clock.now();
    const lasts = isDead(identity, now) ? undefined : identity.expiresAt;
    return { at: sent, until: Math.min(now + AGAIN_MS, lasts ?? Number.POSITIVE_INFINITY), status: undefined, code: undefined };
  }

  /** The same, of which no other process need hear. */
  #restHere({ identity, scope }: RefreshFlight): void {
    identity.endRefresh(scope.tenant, this.#rest(identity, this.#options.ledger.sequence.next()));
  }
}
