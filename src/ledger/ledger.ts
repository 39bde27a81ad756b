import type { Clock } from '../clock.js';
import type { Credential } from '../credential/credential.js';
import { choose, isUsable, obstacle, type Source } from '../policy/choose.js';
import { type Verdict, verdictOf } from '../policy/verdict.js';
import { type Block, blockOf, type Candidate } from './block.js';
import type { Call, Choice, Judgement } from './call.js';
import { ANY, type Change, type OnInstalled } from './change.js';
import { Pins } from './pins.js';
import { type Pending, Provisional } from './provisional.js';
import type { WorkScope } from './scope-key.js';
import { Sequence } from './sequence.js';
import { type EvictionCause, type Session, Slots, type Tenant } from './slots.js';
import { Identities, type Identity } from './verdicts.js';

/** What a fallback rule is asked about: the tenant's global credential, usable, and not the session's own. */
export interface FallbackCandidate {
  readonly fingerprint: string;
  readonly scheme: Credential['scheme'];
  readonly provider: string | undefined;
}

export interface LedgerOptions {
  readonly clock: Clock;
  /** How many sessions, and how many identities that no slot points at, are remembered. */
  readonly sessions: number;
  readonly identities: number;
  /** Whether the global credential may be lent to a session. Must not throw. */
  readonly mayBorrow: (candidate: FallbackCandidate, scope: WorkScope) => boolean;
  /** Told after each change that can let work go on, or end an incident. */
  readonly onChange: (change: Change) => void;
  readonly onEvicted: (tenant: string | undefined, session: string | undefined, cause: EvictionCause) => void;
}

/** What is known: which slot points at which identity, and the verdict on each. All else is derived from it at the moment of asking. */
export class Ledger {
  readonly sequence = new Sequence();
  readonly #options: LedgerOptions;
  readonly #identities: Identities;
  readonly #slots: Slots;
  readonly #pins: Pins;
  readonly #provisional: Provisional;
  readonly #startedAt: number;

  constructor(options: LedgerOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
    this.#identities = new Identities(options.identities);
    this.#slots = new Slots(options.sessions, this.#identities, {
      evicted: (session, cause) => this.#evicted(session.tenant.name, session.name, cause),
      unlent: (tenant, provider) => options.onChange({ cause: 'unlent', tenant: tenant.name, provider, session: ANY }),
    });
    this.#pins = new Pins(this.#identities);
    this.#provisional = new Provisional(options.sessions);
  }

  /** What a scope's work would be done with now, or undefined: blocked. The one decision that asking and calling share. */
  choose(scope: WorkScope): Choice | undefined {
    const pin = this.#pins.find(scope);
    const tenant = this.#slots.tenant(scope.tenant);
    const session = scope.session === undefined ? undefined : tenant?.sessions.get(scope.session);
    const own = session?.slot(scope.provider)?.identity;
    // The policy's answer for the usual case, without asking it.
    if (pin === undefined && own !== undefined && own.unobstructed && own.credential !== undefined)
      return { source: 'session', identity: own, credential: own.credential, session };
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
    let now = this.#nowFor(pin, own);
    let source = choose(pin, own, undefined, scope, now);
    let identity = source === 'pinned' ? pin : own;
    if (source === undefined && pin === undefined) {
      const global = this.#globalFor(tenant, scope);
      now = this.#nowFor(global, undefined);
      source = choose(undefined, undefined, global, scope, now);
      if (source === undefined || global === undefined || !this.#mayUse(global, scope)) return undefined;
      identity = global;
    }
    if (source === undefined || identity?.credential === undefined) return undefined;
    return { source, identity, credential: identity.credential, session };
  }

  /** Everything that `choose` looks at, in its order, and what stands in the way of each. */
  candidates(scope: WorkScope): Candidate[] {
    const now = this.#options.clock.now();
    const candidate = (source: Source, identity: Identity): Candidate => {
      const found = obstacle(identity, scope, now);
      return { source, identity, obstacle: found, refused: source === 'global' && found === undefined && !this.#mayUse(identity, scope) };
    };
    const pin = this.#pins.find(scope);
    if (pin !== undefined) return [candidate('pinned', pin)];
    const tenant = this.#slots.tenant(scope.tenant);
    const own = scope.session === undefined ? undefined : tenant?.sessions.get(scope.session)?.slot(scope.provider)?.identity;
    const global = this.#globalFor(tenant, scope);
    const found = own === undefined ? [] : [candidate('session', own)];
    if (global !== undefined && global !== own) found.push(candidate('global', global));
    return found;
  }

  /** Why `choose` finds nothing; undefined if it does. */
  block(scope: WorkScope): Block | undefined {
    return blockOf(this.candidates(scope));
  }

  /** Providers that the scope's session presented a credential for, other than the scope's. */
  otherProviders(scope: WorkScope): (string | undefined)[] {
    const session = scope.session === undefined ? undefined : this.#slots.tenant(scope.tenant)?.sessions.get(scope.session);
    return [...(session?.allSlots() ?? [])].map((slot) => slot.provider).filter((provider) => provider !== scope.provider);
  }

  isUsable(identity: Identity, scope: WorkScope): boolean {
    return isUsable(identity, scope, this.#nowFor(identity, undefined));
  }

  /** The identity of a credential, as far as it is known. */
  identity(scope: WorkScope, credential: Credential): Identity | undefined {
    return this.#identities.find(scope.provider, credential.fingerprint);
  }

  /** A client presented a credential with the request numbered `at`. `changed`: its slot points there only now. */
  present(scope: WorkScope, credential: Credential, at: number, onInstalled: OnInstalled): { identity: Identity; changed: boolean } {
    const now = this.#options.clock.now();
    const identity = this.#identities.of(scope.provider, credential.fingerprint);
    const revived = this.#hint(identity, credential, at, now);
    const placed = this.#slots.present(scope, { identity, credential, at, now, sinceStart: now - this.#startedAt });
    const { tenant, provider, session } = scope;
    const changed = session === undefined ? placed.global : placed.own;
    // First, so that what resumes is told after what it resumes by.
    if (changed) onInstalled(scope, credential, isUsable(identity, scope, now));
    if (revived) this.#changed('captured', identity);
    else if (placed.own || placed.global)
      this.#options.onChange({ cause: 'captured', tenant, provider, session: placed.global ? ANY : session });
    return { identity, changed };
  }

  /** A mark that an eviction of the session will drop. */
  pending(scope: WorkScope): Pending {
    return this.#provisional.open(scope.tenant, scope.session);
  }

  /** Remembers an identity that no slot points at, for the verdict it is about to get. */
  remember(provider: string | undefined, fingerprint: string): Identity {
    const identity = this.#identities.of(provider, fingerprint);
    this.#identities.shelve(identity);
    return identity;
  }

  /**
   * Records what a call learnt. Returns whether it changed anything: a call that was sent later may have had its outcome already, and an
   * identity that was forgotten stays so.
   */
  judge(call: Call, judgement: Judgement, status: number | undefined, now: number): boolean {
    const { identity, scope, sent } = call;
    if (!identity.known) return false;
    if (judgement.kind === 'accepted') {
      const obstructed = !isUsable(identity, scope, now) || identity.ruling.state === 'held';
      const applied = identity.accept({ state: 'accepted', sent, passed: 0, since: now }, scope, call.borrowed);
      if (applied && obstructed) this.#changed('proven', identity);
      return applied;
    }
    const passed = this.sequence.next();
    if (judgement.kind === 'held') {
      const { ms, reason } = judgement;
      const applied = identity.judge({ state: 'held', sent, passed, since: now, until: now + ms, status, reason });
      if (applied) this.#changed('held', identity);
      return applied;
    }
    const rejection = { state: 'rejected', reach: judgement.reach, sent, passed, since: now, status } as const;
    return judgement.reach === 'identity' ? identity.judge(rejection) : identity.judgeFor(scope, rejection);
  }

  /** The verdict on an identity as a scope sees it. */
  verdict(identity: Identity, scope: WorkScope): Verdict {
    const { ruling } = identity;
    const own = ruling.state === 'rejected' ? undefined : identity.rejectionFor(scope);
    if (ruling.state === 'held' && this.#options.clock.now() >= ruling.until && own === undefined) return { state: 'unproven' };
    return verdictOf(own ?? ruling);
  }

  /** Pinned again, the same value too, it is taken to be good until a call says otherwise. */
  pin(scope: WorkScope, credential: Credential, onPinned: () => void): () => void {
    const identity = this.#identities.of(scope.provider, credential.fingerprint);
    identity.hint(credential.expiresAt, this.sequence.next());
    const { judged } = identity;
    identity.forgive(this.sequence.next());
    const take = this.#pins.set(scope, identity, credential);
    const { tenant, provider } = scope;
    const tell = (): void => this.#options.onChange({ cause: 'pinned', tenant, provider, session: ANY });
    onPinned();
    if (judged) this.#changed('forgiven', identity);
    tell();
    return () => {
      if (take()) tell();
    };
  }

  /** Frees what a scope's work would be done with, for everybody who holds it. */
  forgiveScope(scope: WorkScope): void {
    this.#forgive(this.candidates(scope).map((candidate) => candidate.identity));
  }

  /** Returns whether the fingerprint was known. */
  forgiveFingerprint(fingerprint: string): boolean {
    return this.#forgive([...this.#identities.withFingerprint(fingerprint)]);
  }

  evict(tenant: string | undefined, session: string): void {
    this.#provisional.drop(tenant, session);
    // Told even of a session that presented nothing: its work may have met a block on what it borrowed.
    if (this.#slots.evict(tenant, session, 'asked')) return;
    this.#changedSession(tenant, session);
  }

  evictTenant(tenant: string | undefined): void {
    this.#provisional.dropTenant(tenant);
    this.#slots.evictTenant(tenant);
    this.#options.onChange({ cause: 'evicted', tenant, provider: ANY, session: ANY });
  }

  /** Drops the sessions that have presented nothing for so long. */
  evictIdle(idleMs: number): void {
    this.#slots.evictIdle(this.#options.clock.now() - this.#startedAt - idleMs);
  }

  /** A session's work was done: it is not the next to be dropped when there is one too many. */
  touch(session: Session | undefined): void {
    if (session !== undefined) this.#slots.touch(session);
  }

  tenants(): Iterable<Tenant> {
    return this.#slots.tenants();
  }

  identities(): Iterable<Identity> {
    return this.#identities.all();
  }

  pins(): ReturnType<Pins['all']> {
    return this.#pins.all();
  }

  get sizes(): { sessions: number; identities: number; tombstones: number } {
    return { sessions: this.#slots.sessions, identities: this.#identities.size, tombstones: this.#identities.unreferenced };
  }

  #globalFor(tenant: Tenant | undefined, scope: WorkScope): Identity | undefined {
    return scope.ownOnly && scope.session !== undefined ? undefined : tenant?.globals.get(scope.provider)?.identity;
  }

  /** The global credential serves work of no session as a matter of course; to a session it is lent. */
  #mayUse(global: Identity, scope: WorkScope): boolean {
    if (scope.session === undefined || global.credential === undefined) return true;
    const { fingerprint, provider, credential } = global;
    return this.#options.mayBorrow({ fingerprint, provider, scheme: credential.scheme }, scope);
  }

  /** Most candidates neither expire nor are held, and then nobody needs to know the time. */
  #nowFor(a: Identity | undefined, b: Identity | undefined): number {
    return a?.depends || b?.depends ? this.#options.clock.now() : 0;
  }

  /** A newer presentation's expiry hint. Returns whether it makes usable what had expired. */
  #hint(identity: Identity, { expiresAt }: Credential, at: number, now: number): boolean {
    const expired = identity.expiresAt !== undefined && now >= identity.expiresAt;
    identity.hint(expiresAt, at);
    return expired && !(identity.expiresAt !== undefined && now >= identity.expiresAt);
  }

  #forgive(identities: Identity[]): boolean {
    for (const identity of identities) {
      identity.forgive(this.sequence.next());
      this.#changed('forgiven', identity);
    }
    return identities.length > 0;
  }

  #evicted(tenant: string | undefined, session: string | undefined, cause: EvictionCause): void {
    if (session !== undefined) this.#provisional.drop(tenant, session);
    this.#options.onEvicted(tenant, session, cause);
    this.#changedSession(tenant, session);
  }

  #changedSession(tenant: string | undefined, session: string | undefined): void {
    this.#options.onChange({ cause: 'evicted', tenant, provider: ANY, session });
  }

  #changed(cause: 'captured' | 'proven' | 'forgiven' | 'held', identity: Identity): void {
    this.#options.onChange({ cause, tenant: ANY, provider: identity.provider, session: ANY });
  }
}
