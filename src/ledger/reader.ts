import type { Clock } from '../clock.js';
import type { Credential } from '../credential/credential.js';
import { choose, isUsable, type Obstacle, obstacle, type Source } from '../policy/choose.js';
import { isProbed, type ProbeRules, probeDueAt } from '../policy/probe.js';
import { type Verdict, verdictOf } from '../policy/verdict.js';
import { type Block, blockOf, type Candidate, type Offer } from './block.js';
import type { Choice } from './call.js';
import type { Identities } from './identities.js';
import type { Pins } from './pins.js';
import type { WorkScope } from './scope-key.js';
import type { Session, Tenant } from './session.js';
import type { Slots } from './slots.js';
import type { Identity } from './verdicts.js';

/** What a fallback rule is asked about: the tenant's global credential, usable, and not the session's own. */
export interface FallbackCandidate {
  readonly fingerprint: string;
  readonly scheme: Credential['scheme'];
  readonly provider: string | undefined;
}

export interface ReaderOptions {
  readonly clock: Clock;
  /** Whether the global credential may be lent to a session. Must not throw. */
  readonly mayBorrow: (candidate: FallbackCandidate, scope: WorkScope) => boolean;
  /** When rejected credentials are put to the test. Default: never. */
  readonly probes?: ProbeRules | undefined;
}

/** What is known, to be asked: nothing here changes anything. */
export class LedgerReader {
  protected readonly clock: Clock;
  protected readonly slots: Slots;
  protected readonly pinned: Pins;
  protected readonly known: Identities;
  readonly #mayBorrow: ReaderOptions['mayBorrow'];
  readonly #probes: ProbeRules | undefined;

  constructor({ clock, mayBorrow, probes }: ReaderOptions, slots: Slots, pinned: Pins, known: Identities) {
    this.clock = clock;
    this.slots = slots;
    this.pinned = pinned;
    this.known = known;
    this.#mayBorrow = mayBorrow;
    this.#probes = probes;
  }

  /** What a scope's work would be done with now, or undefined: blocked. The one decision that asking and calling share. */
  choose(scope: WorkScope): Choice | undefined {
    const pin = this.pinned.find(scope);
    const tenant = this.slots.tenant(scope.tenant);
    const session = scope.session === undefined ? undefined : tenant?.sessions.get(scope.session);
    const own = session?.slot(scope.provider)?.identity;
    // The policy's answer for the usual case, without asking it.
    if (pin === undefined && own !== undefined && own.unobstructed && own.credential !== undefined)
      return { source: 'session', identity: own, credential: own.credential, session, probe: false };
    return this.#chooseAmong(pin, own, tenant, session, scope);
  }

  #chooseAmong(
    pin: Identity | undefined,
    own: Identity | undefined,
    tenant: Tenant | undefined,
    session: Session | undefined,
    scope: WorkScope,
  ): Choice | undefined {
    // The global slot is looked up only when the session's own credential will not do.
    const first = choose(pin, own, undefined, scope, this.#nowFor(pin, own));
    if (first !== undefined) return choiceOf(first, first === 'pinned' ? pin : own, session, false);
    const global = pin === undefined ? this.#globalFor(tenant, scope) : undefined;
    const second = choose(undefined, undefined, global, scope, this.#nowFor(global, undefined));
    if (second !== undefined && global !== undefined && this.#mayUse(global, scope)) return choiceOf(second, global, session, false);
    if (this.#probes === undefined) return undefined;
    return pin === undefined
      ? (this.#probe('session', own, session, scope) ?? this.#probe('global', global, session, scope))
      : this.#probe('pinned', pin, session, scope);
  }

  #probe(source: Source, identity: Identity | undefined, session: Session | undefined, scope: WorkScope): Choice | undefined {
    if (identity === undefined || !this.#isProbed(source, identity, scope)) return undefined;
    const now = this.clock.now();
    const isDue = this.#probeOf(source, identity, obstacle(identity, scope, now), scope, now) === 'due';
    return isDue && (source !== 'global' || this.#mayUse(identity, scope)) ? choiceOf(source, identity, session, true) : undefined;
  }

  #isProbed(source: Source, { credential }: Identity, { session }: WorkScope): boolean {
    return this.#probes !== undefined && credential !== undefined && isProbed(this.#probes, { source, scheme: credential.scheme, session });
  }

  #probeOf(source: Source, identity: Identity, found: Obstacle | undefined, scope: WorkScope, now: number): Candidate['probe'] {
    if (this.#probes === undefined || found?.reason !== 'rejected' || !this.#isProbed(source, identity, scope)) return undefined;
    // What has expired besides is not tried.
    if (identity.expiresAt !== undefined && now + scope.minTtlMs >= identity.expiresAt) return undefined;
    const { ruling, probedUntil } = identity;
    // Rejected for this scope alone, it may be held for all.
    const heldUntil = ruling.state === 'held' ? ruling.until : 0;
    const until = Math.max(probeDueAt(this.#probes, found.since, found.probes, identity.fingerprint), probedUntil, heldUntil);
    return now >= until ? 'due' : { until };
  }

  /** What a scope's work could be done with, usable or not, in the order in which `choose` looks at it. */
  offers(scope: WorkScope): Offer[] {
    const pin = this.pinned.find(scope);
    if (pin !== undefined) return [{ source: 'pinned', identity: pin }];
    const tenant = this.slots.tenant(scope.tenant);
    const own = scope.session === undefined ? undefined : tenant?.sessions.get(scope.session)?.slot(scope.provider)?.identity;
    const global = this.#globalFor(tenant, scope);
    const found: Offer[] = own === undefined ? [] : [{ source: 'session', identity: own }];
    if (global !== undefined && global !== own) found.push({ source: 'global', identity: global });
    return found;
  }

  /** The same, with what stands in the way of each. */
  candidates(scope: WorkScope): Candidate[] {
    const now = this.clock.now();
    return this.offers(scope).map(({ source, identity }) => {
      const found = obstacle(identity, scope, now);
      const probe = this.#probeOf(source, identity, found, scope, now);
      const refused = source === 'global' && (found === undefined || probe === 'due') && !this.#mayUse(identity, scope);
      return { source, identity, obstacle: found, refused, probe };
    });
  }

  /** Whether a candidate is the scope's own, or would be lent to it. */
  mayServe({ source, identity }: Offer, scope: WorkScope): boolean {
    return source !== 'global' || this.#mayUse(identity, scope);
  }

  /** Why `choose` finds nothing; undefined if it does. */
  block(scope: WorkScope): Block | undefined {
    return blockOf(this.candidates(scope));
  }

  isCandidate(scope: WorkScope, identity: Identity): boolean {
    return this.offers(scope).some((offer) => offer.identity === identity);
  }

  /** Who presented last what a tenant's global slot holds; undefined for a session that is not known here, or none. */
  lenderOf({ tenant, provider }: WorkScope): string | undefined {
    return this.slots.tenant(tenant)?.globals.get(provider)?.by.name;
  }

  /** Providers that the scope's session presented a credential for, other than the scope's. */
  otherProviders(scope: WorkScope): (string | undefined)[] {
    const session = scope.session === undefined ? undefined : this.slots.tenant(scope.tenant)?.sessions.get(scope.session);
    return [...(session?.allSlots() ?? [])].map((slot) => slot.provider).filter((provider) => provider !== scope.provider);
  }

  isUsable(identity: Identity, scope: WorkScope): boolean {
    return isUsable(identity, scope, this.#nowFor(identity, undefined));
  }

  /** The identity of a credential, as far as it is known. */
  identity(scope: WorkScope, credential: Credential): Identity | undefined {
    return this.known.find(scope.provider, credential.fingerprint);
  }

  /** The verdict on an identity as a scope sees it. */
  verdict(identity: Identity, scope: WorkScope): Verdict {
    const { ruling } = identity;
    const own = ruling.state === 'rejected' ? undefined : identity.rejectionFor(scope);
    if (ruling.state === 'held' && this.clock.now() >= ruling.until && own === undefined) return { state: 'unproven' };
    return verdictOf(own ?? ruling);
  }

  /** The time of a call that is made with an identity, where anybody will want to know. Milliseconds since the epoch; 0 otherwise. */
  sendingAt(identity: Identity): number {
    return identity.hinted === undefined ? 0 : this.clock.now();
  }

  tenants(): Iterable<Tenant> {
    return this.slots.tenants();
  }

  identities(): Iterable<Identity> {
    return this.known.all();
  }

  pins(): ReturnType<Pins['all']> {
    return this.pinned.all();
  }

  get sizes(): { sessions: number; identities: number; tombstones: number } {
    return { sessions: this.slots.sessions, identities: this.known.size, tombstones: this.known.unreferenced };
  }

  #globalFor(tenant: Tenant | undefined, scope: WorkScope): Identity | undefined {
    return scope.ownOnly && scope.session !== undefined ? undefined : tenant?.globals.get(scope.provider)?.identity;
  }

  /** The global credential serves work of no session as a matter of course; to a session it is lent. */
  #mayUse(global: Identity, scope: WorkScope): boolean {
    if (scope.session === undefined || global.credential === undefined) return true;
    const { fingerprint, provider, credential } = global;
    return this.#mayBorrow({ fingerprint, provider, scheme: credential.scheme }, scope);
  }

  /** Most candidates neither expire nor are held, and then nobody needs to know the time. */
  #nowFor(a: Identity | undefined, b: Identity | undefined): number {
    return a?.depends || b?.depends ? this.clock.now() : 0;
  }
}

function choiceOf(source: Source, identity: Identity | undefined, session: Session | undefined, probe: boolean): Choice | undefined {
  return identity?.credential === undefined ? undefined : { source, identity, credential: identity.credential, session, probe };
}
