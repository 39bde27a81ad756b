import { startTimer } from '../clock.js';
import type { Credential } from '../credential/credential.js';
import type { Candidate } from '../ledger/block.js';
import type { Choice } from '../ledger/call.js';
import type { RefreshOutlook } from '../ledger/explain.js';
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
import { isOver, isRefreshNeeded, lenderScope, mayRefresh } from './refresh-need.js';
import { refreshOutlook } from './refresh-outlook.js';
import { RefreshTurns } from './refresh-turns.js';

/** A refresh that brought nothing better is not asked for again before. */
const AGAIN_MS = 10 * 60_000;
/** Longer than the try itself, for the way to the store and back. */
const LOCK_MARGIN_MS = 2_000;

export interface RefresherOptions extends InstallOptions {
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
}

/** Gets new credentials in place of old ones: one refresh of each at a time, whoever asks for it, in the whole fleet unless its store stays away. */
export class Refresher {
  readonly #options: RefresherOptions;
  readonly #flights = new RefreshFlights();
  readonly #turns: RefreshTurns;
  #closed = false;

  constructor(options: RefresherOptions) {
    this.#options = options;
    const { ledger, clock } = options;
    this.#turns = new RefreshTurns({ flights: this.#flights, ledger, now: () => clock.now() });
  }

  get size(): number {
    return this.#flights.size;
  }

  /** Sees to it that a blocked scope's credential is refreshed, if that can help. Returns what to wait for, if that is worth it. */
  recover(scope: WorkScope): RefreshFlight | undefined {
    if (this.#closed) return undefined;
    // Its own first, whatever becomes of what it could be lent.
    for (const candidate of this.#options.ledger.candidates(scope)) {
      const isWanted = isOver(candidate) && this.#mayRefresh(candidate.identity, scope);
      const flight = this.#flights.of(candidate.identity, scope) ?? (isWanted ? this.#begin(scope, candidate) : undefined);
      if (flight?.isPromising === true) return flight;
    }
    return undefined;
  }

  /** Work goes on with this: what is about to expire is refreshed meanwhile, and what it is lent in place of. Never holds anybody up. */
  advise(scope: WorkScope, { source, identity }: Choice): void {
    if (source === 'global' && scope.session !== undefined) {
      const [own] = this.#options.ledger.candidates(scope);
      if (own?.source !== 'session' || this.#flights.of(own.identity, scope) !== undefined || !isOver(own)) return;
      if (this.#mayRefresh(own.identity, scope)) this.#begin(scope, own);
      return;
    }
    const { refreshAt } = identity;
    if (refreshAt === undefined || this.#options.clock.now() < refreshAt || this.#flights.of(identity, scope) !== undefined) return;
    if (this.#mayRefresh(identity, scope)) this.#begin(scope, { source, identity });
  }

  /** Whether a blocked scope may have a credential soon: a refresh is on its way that has not failed for long, or would be if it were asked for. */
  isHopeful(scope: WorkScope): boolean {
    const flight = this.#flights.for(scope, this.#options.ledger);
    return flight === undefined ? this.#refreshable(scope) !== undefined : flight.progress.phase === 'refreshing';
  }

  /** The refresh that a blocked scope depends on, and when it is tried next. */
  progress(scope: WorkScope): Pick<RefreshFlight, 'progress' | 'next' | 'isPromising'> | undefined {
    return this.#flights.for(scope, this.#options.ledger);
  }

  /** What a refresh would do for each of a scope's candidates. */
  outlook(scope: WorkScope): RefreshOutlook {
    return (candidate) => refreshOutlook(candidate, scope, this.#flights.of(candidate.identity, scope), this.#options.clock.now());
  }

  /** An operator has forgiven: what pauses since before is asked for anew when work wants it. */
  forgiven(): void {
    for (const flight of this.#flights.all())
      if (flight.next !== undefined && flight.identity.forgivenAt > flight.startedAt) this.#end(flight, 'again');
  }

  /** Resolves once no try is out: what a refresh token was used up for is not to be lost. No new one begins. */
  async settled(): Promise<void> {
    this.#closed = true;
    for (const flight of this.#flights.all()) if (flight.controller === undefined) this.#end(flight, 'again');
    await Promise.all(this.#flights.all().map((flight) => new Promise<void>((resolve) => flight.wait(resolve))));
  }

  close(): void {
    this.#closed = true;
    // What a try that is out comes to is not known: nobody else may begin before the time that it had is over.
    for (const flight of this.#flights.all()) this.#end(flight, flight.controller === undefined ? 'again' : 'unknown');
  }

  #refreshable(scope: WorkScope): Candidate | undefined {
    if (this.#closed) return undefined;
    return this.#options.ledger.candidates(scope).find((candidate) => isOver(candidate) && this.#mayRefresh(candidate.identity, scope));
  }

  #mayRefresh(identity: Identity, scope: WorkScope): boolean {
    return !this.#closed && mayRefresh(identity, scope, this.#options.clock.now());
  }

  #begin(scope: WorkScope, found: Pick<Candidate, 'source' | 'identity'> | undefined): RefreshFlight | undefined {
    if (found === undefined || !this.#makeRoom()) return undefined;
    const { ledger, clock, spends } = this.#options;
    const holder = found.source === 'global' ? lenderScope(ledger, scope) : scope;
    const began = { now: clock.now(), number: ledger.sequence.next(), holder, spends: spends(holder) };
    const flight = new RefreshFlight(found.identity, scope, found.source, began);
    this.#flights.add(flight);
    this.#options.onChanged(flight.identity);
    this.#try(flight).catch(() => {});
    return flight;
  }

  /** One that pauses anyway is asked for anew when its work wants it. */
  #makeRoom(): boolean {
    const pausing = this.#flights.isFull ? this.#flights.pausing() : undefined;
    if (pausing !== undefined) this.#end(pausing, 'again');
    return !this.#flights.isFull;
  }

  async #try(flight: RefreshFlight): Promise<void> {
    try {
      flight.next = flight.timer = undefined;
      if (!(await this.#mayTry(flight))) return;
      const { identity, source } = flight;
      const { ledger, settler, refresh, tryMs, counters } = this.#options;
      const { credential } = identity;
      if (credential === undefined) {
        this.#end(flight, 'again');
        return;
      }
      const sent = ledger.sequence.next();
      const brought = this.#turns.last(flight);
      if (brought !== undefined && this.#install(flight, brought, sent)) return;
      const choice = { source, identity, credential, session: undefined, probe: false };
      const lease = new IssuedLease(choice, flight.holder, sent, settler);
      counters.refreshes++;
      flight.controller = new AbortController();
      try {
        const answer = await callRefresh(refresh, lease, tryMs, flight.controller, (late) => {
          flight.refind(ledger, credential);
          if (!this.#closed) this.#install(flight, late, sent);
        });
        flight.refind(ledger, credential);
        if (this.#flights.has(flight)) this.#answered(flight, answer, sent);
      } catch (error) {
        const thrown = await readRefreshFailure(error);
        flight.refind(ledger, credential);
        if (this.#flights.has(flight)) this.#failed(flight, error, thrown, sent);
      }
    } catch (error) {
      // A clock of the user's that throws, say.
      this.#options.emitter.contain('refresh', error);
      this.#end(flight, 'again');
    }
  }

  /** Whether there is still something to refresh, once it is this process's turn. */
  async #mayTry(flight: RefreshFlight): Promise<boolean> {
    const { coordinator, tryMs, ledger } = this.#options;
    const isWanted = (): boolean => this.#flights.has(flight) && this.#isNeeded(flight);
    const ms = tryMs + LOCK_MARGIN_MS;
    let turn: 'done' | 'busy' | 'nothing' = await this.#turns.await(flight, ms, isWanted);
    if (turn === 'done' && coordinator !== undefined) turn = await awaitFleet(flight, coordinator, ms, isWanted);
    if (!this.#flights.has(flight)) return false;
    if (turn === 'busy') {
      this.#pause(flight);
      return false;
    }
    if (turn === 'nothing') flight.identity.endRefresh(flight.scope.tenant, this.#rest(ledger.sequence.next()));
    if (this.#isNeeded(flight)) return true;
    this.#end(flight, 'look');
    return false;
  }

  #isNeeded({ identity, scope }: RefreshFlight): boolean {
    return !this.#closed && isRefreshNeeded(this.#options.ledger, identity, scope, this.#options.clock.now());
  }

  #answered(flight: RefreshFlight, answer: Credential | undefined, sent: number): void {
    if (answer !== undefined && this.#install(flight, answer, sent)) return;
    const { identity, scope } = flight;
    const rest = this.#rest(sent);
    // A process that knows who lent it may have a refresh token for it.
    if (flight.isStranger) identity.endRefresh(scope.tenant, { ...rest, isOwn: true });
    else this.#options.ledger.unrefreshable(identity, scope.tenant, rest);
    tellRefreshFailed(this.#options, flight, { kind: 'unchanged', status: undefined, code: undefined }, rest.until);
    this.#end(flight, flight.isStranger ? 'again' : 'nothing');
    this.#options.onStuck(scope);
  }

  /** Returns whether there is anything better now. */
  #install(flight: RefreshFlight, credential: Credential, sent: number): boolean {
    if (!install(this.#options, flight, credential, sent)) return false;
    this.#turns.brought(flight, credential);
    this.#end(flight, 'look');
    return true;
  }

  #failed(flight: RefreshFlight, error: unknown, { failure, isOdd }: ThrownFailure, sent: number): void {
    const { identity } = flight;
    const { tenant } = flight.scope;
    const { ledger, clock, emitter, refresh } = this.#options;
    if (isOdd) emitter.contain('refresh', withoutWords(error), refresh);
    switch (failure.kind) {
      case 'transient':
        this.#pause(flight, failure);
        return;
      case 'aborted': {
        const rest = this.#rest(sent);
        ledger.unrefreshable(identity, tenant, rest);
        tellRefreshFailed(this.#options, flight, failure, rest.until);
        this.#end(flight, 'again');
        return;
      }
      case 'permanent': {
        const { status, code } = failure;
        ledger.unrefreshable(identity, tenant, { at: sent, until: undefined, status, code });
        // What works still is worked with until it is over: then there is nothing to wait for.
        if (isDead(identity, clock.now())) ledger.condemn(identity, sent, status);
        tellRefreshFailed(this.#options, flight, failure, undefined);
        this.#end(flight, 'look');
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
      this.#end(flight, 'look');
      onStuck(scope);
      return;
    }
    flight.progress = after.progress;
    flight.next = after.at;
    flight.controller = undefined;
    flight.timer = startTimer(after.at - now, () => this.#try(flight).catch(() => {}));
    // As long as it goes on here, no other process has to begin.
    void flight.claim?.keep(after.at - now + tryMs + LOCK_MARGIN_MS);
    flight.release();
    onChanged(identity);
    if (before !== after.progress.phase) onStuck(scope);
  }

  /** It brought nothing, and is not asked again for a while. */
  #rest(sent: number): Unrefreshable {
    return { at: sent, until: this.#options.clock.now() + AGAIN_MS, status: undefined, code: undefined };
  }

  #end(flight: RefreshFlight, after: AfterRefresh | 'unknown'): void {
    if (!this.#flights.delete(flight)) return;
    const { claim } = flight;
    flight.claim = undefined;
    flight.stop();
    if (after === 'unknown') claim?.leave();
    else claim?.done(after);
    flight.release();
    this.#options.onChanged(flight.identity);
  }
}
