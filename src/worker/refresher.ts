import type { Candidate, Offer } from '../ledger/block.js';
import type { Choice } from '../ledger/call.js';
import type { RefreshOutlook } from '../ledger/explain.js';
import type { WorkScope } from '../ledger/scope-key.js';
import type { Identity } from '../ledger/verdicts.js';
import { isDead } from '../policy/choose.js';
import type { RefreshFlight } from './refresh-flight.js';
import { isOver, mayRefresh } from './refresh-need.js';
import { refreshOutlook } from './refresh-outlook.js';
import { RefreshTries, type RefreshTriesOptions } from './refresh-tries.js';

/** Sees to it that what work needs is refreshed, and says how that stands. */
export class Refresher {
  readonly #options: RefreshTriesOptions;
  readonly #tries: RefreshTries;

  constructor(options: RefreshTriesOptions) {
    this.#options = options;
    this.#tries = new RefreshTries(options);
  }

  get size(): number {
    return this.#tries.flights.size;
  }

  /** Sees to it that a blocked scope's credential is refreshed, if that can help. Returns what to wait for, if that is worth it. */
  recover(scope: WorkScope): RefreshFlight | undefined {
    if (!this.#canHelp(scope)) return undefined;
    // Its own first, whatever becomes of what it could be lent.
    for (const candidate of this.#over(scope)) {
      const under = this.#tries.flights.of(candidate.identity, scope);
      const isWanted = isOver(candidate) && this.#mayRefresh(candidate.identity, scope);
      const flight = under ?? (isWanted ? this.#tries.begin(scope, candidate) : undefined);
      if (flight?.isPromising === true) return flight;
    }
    return undefined;
  }

  /** Work goes on with this: what is about to expire is refreshed meanwhile, and what it is lent in place of. Never holds anybody up. */
  advise(scope: WorkScope, { source, identity }: Choice): void {
    if (source === 'global' && scope.session !== undefined) {
      const [own] = this.#options.ledger.candidates(scope);
      if (own?.source === 'session' && isOver(own)) this.#beginFirst(scope, own);
    }
    const { refreshAt } = identity;
    if (refreshAt !== undefined && this.#options.clock.now() >= refreshAt) this.#beginFirst(scope, { source, identity });
  }

  /** Whether a blocked scope may have a credential soon: a refresh is on its way that has not failed for long, or would be if it were asked for. */
  isHopeful(scope: WorkScope): boolean {
    if (!this.#canHelp(scope)) return false;
    const over = this.#over(scope);
    const flight = this.#tries.flights.among(over, scope);
    if (flight !== undefined) return flight.progress.phase === 'refreshing';
    return over.some((candidate) => isOver(candidate) && this.#mayRefresh(candidate.identity, scope));
  }

  /** The refresh that a blocked scope depends on, and when it is tried next. */
  progress(scope: WorkScope): Pick<RefreshFlight, 'progress' | 'next' | 'failure' | 'isPromising'> | undefined {
    return this.size === 0 ? undefined : this.#tries.flights.among(this.#over(scope), scope);
  }

  /** What a refresh would do for each of a scope's candidates. */
  outlook(scope: WorkScope): RefreshOutlook {
    return (candidate) => refreshOutlook(candidate, scope, this.#tries.flights.of(candidate.identity, scope), this.#options.clock.now());
  }

  /** When a refresh may be asked for again that would help a blocked scope, where none may be now. Milliseconds since the epoch. */
  restsUntil(scope: WorkScope): number | undefined {
    const outlook = this.outlook(scope);
    const ends = this.#over(scope).flatMap((candidate) => {
      const { state, next } = outlook(candidate) ?? {};
      return state === 'resting' && next !== undefined ? [next] : [];
    });
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  /** Somebody has forgiven, here or elsewhere: what pauses since before is asked for anew, whatever else of the same login pauses. */
  forgiven(): void {
    if (this.size === 0) return;
    const { flights } = this.#tries;
    for (const flight of flights.all()) {
      if (flight.next === undefined || flight.identity.forgivenAt <= flight.startedAt) continue;
      for (const one of [flight, ...flights.pausingFor(flight.spends)]) this.#tries.end(one, 'again');
      this.recover(flight.scope);
    }
  }

  /** Resolves once no try is out: what a refresh token was used up for is not to be lost. No new one begins. */
  async settled(): Promise<void> {
    const { flights } = this.#tries;
    for (const flight of flights.all()) if (flight.controller === undefined) this.#tries.end(flight, 'again');
    await Promise.all(flights.all().map((flight) => new Promise<void>((resolve) => flight.wait(resolve))));
  }

  close(): void {
    // What a try that is out comes to is not known: nobody else may begin before the time that it had is over.
    for (const flight of this.#tries.flights.all()) this.#tries.end(flight, flight.controller === undefined ? 'again' : 'unknown');
  }

  /** Asked at every tick of a loop over what is dead: where all is refused or rests, there is nothing to look at. */
  #canHelp(scope: WorkScope): boolean {
    if (this.#options.isClosing()) return false;
    if (this.size > 0) return true;
    return this.#options.ledger.offers(scope).some(({ identity }) => this.#mayRefresh(identity, scope));
  }

  /** Of what a scope's work could be done with, what is over; also what this scope may not use besides, since another takes its place all the same. */
  #over(scope: WorkScope): Candidate[] {
    const { ledger, clock } = this.#options;
    const now = clock.now();
    return ledger
      .candidates(scope)
      .filter((candidate) => (isOver(candidate) || isDead(candidate.identity, now)) && ledger.mayServe(candidate, scope));
  }

  #mayRefresh(identity: Identity, scope: WorkScope): boolean {
    const { clock, isClosing } = this.#options;
    return !isClosing() && mayRefresh(identity, scope, clock.now());
  }

  #beginFirst(scope: WorkScope, candidate: Offer): void {
    const { identity } = candidate;
    if (this.#tries.flights.of(identity, scope) === undefined && this.#mayRefresh(identity, scope)) this.#tries.begin(scope, candidate);
  }
}
