import type { Clock } from '../clock.js';
import type { Credential } from '../credential/credential.js';
import { isUsable } from '../policy/choose.js';
import { Adoption } from './adoption.js';
import type { Call, Judgement } from './call.js';
import { ANY, type Change, type OnInstalled } from './change.js';
import type { Journal } from './journal.js';
import { Pins } from './pins.js';
import { type Pending, Provisional } from './provisional.js';
import { type FallbackCandidate, LedgerReader } from './reader.js';
import type { WorkScope } from './scope-key.js';
import { Sequence } from './sequence.js';
import type { Session } from './session.js';
import { type EvictionCause, Slots } from './slots.js';
import { Identities, type Identity } from './verdicts.js';

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
  /** Told what other processes are to know. Default: there are none. */
  readonly journal?: Journal | undefined;
  /** Where numbers are taken. Default: counted from 1. */
  readonly sequence?: Sequence | undefined;
}

/** What is known: which slot points at which identity, and the verdict on each. All else is derived from it at the moment of asking. */
export class Ledger extends LedgerReader {
  readonly sequence: Sequence;
  /** How what other processes learnt comes in. */
  readonly adoption: Adoption;
  readonly #options: LedgerOptions;
  readonly #journal: Journal | undefined;
  readonly #provisional: Provisional;
  readonly #startedAt: number;

  constructor(options: LedgerOptions) {
    const { clock, journal, onChange } = options;
    const identities = new Identities(options.identities, journal && ((identity) => journal.forgotten(identity)));
    const slots = new Slots(options.sessions, identities, journal !== undefined, {
      evicted: (session, cause) => this.#evicted(session, cause),
      unlent: (tenant, provider) => onChange({ cause: 'unlent', tenant: tenant.name, provider, session: ANY }),
    });
    const pins = new Pins(identities);
    super(clock, slots, pins, identities, options.mayBorrow);
    this.sequence = options.sequence ?? new Sequence();
    this.#options = options;
    this.#journal = journal;
    this.#startedAt = clock.now();
    this.#provisional = new Provisional(options.sessions);
    this.adoption = new Adoption({
      identities,
      slots,
      pins,
      clock,
      startedAt: this.#startedAt,
      onChange,
      evictSession: (tenant, session) => this.#evictSession(tenant, session, false),
    });
  }

  /** A client presented a credential with the request numbered `at`. `changed`: its slot points there only now. */
  present(scope: WorkScope, credential: Credential, at: number, onInstalled: OnInstalled): { identity: Identity; changed: boolean } {
    const now = this.clock.now();
    const identity = this.known.of(scope.provider, credential.fingerprint);
    const revived = this.#hint(identity, credential, at, now);
    const placed = this.slots.present(scope, { identity, credential, at, now, sinceStart: now - this.#startedAt });
    const { tenant, provider, session } = scope;
    const changed = session === undefined ? placed.global : placed.own;
    this.#journal?.presented(scope, identity, at, placed.own || placed.global);
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
    const identity = this.known.of(provider, fingerprint);
    this.known.shelve(identity);
    return identity;
  }

  /**
   * Records what a call learnt. Returns whether it changed anything: a call that was sent later may have had its outcome already, and an
   * identity that was forgotten stays so.
   */
  judge(call: Call, judgement: Judgement, status: number | undefined, now: number): boolean {
    const { identity } = call;
    if (!identity.known) return false;
    const journal = this.#journal;
    if (journal === undefined) return this.#judge(call, judgement, status, now);
    const isRoutine =
      judgement.kind === 'accepted' && identity.ruling.state === 'accepted' && identity.rejectionFor(call.scope) === undefined;
    const applied = this.#judge(call, judgement, status, now);
    if (applied && isRoutine) journal.proven(identity);
    else if (applied) journal.learnt(identity);
    return applied;
  }

  #judge(call: Call, judgement: Judgement, status: number | undefined, now: number): boolean {
    const { identity, scope, borrowed } = call;
    const sent = this.sequence.bounded(call.sent);
    if (judgement.kind === 'accepted') {
      const obstructed = !isUsable(identity, scope, now) || identity.ruling.state === 'held';
      const applied = identity.accept({ state: 'accepted', sent, passed: 0, since: now }, scope, borrowed);
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

  /** Pinned again, the same value too, it is taken to be good until a call says otherwise. */
  pin(scope: WorkScope, credential: Credential, onPinned: () => void): () => void {
    const identity = this.known.of(scope.provider, credential.fingerprint);
    identity.hint(credential.expiresAt, this.sequence.next());
    const { judged } = identity;
    const at = this.sequence.next();
    identity.forgive(at);
    const take = this.pinned.set(scope, identity, credential, at);
    const { tenant, provider } = scope;
    const tell = (): void => this.#options.onChange({ cause: 'pinned', tenant, provider, session: ANY });
    this.#journal?.learnt(identity);
    this.#journal?.pinned(scope, at);
    onPinned();
    if (judged) this.#changed('forgiven', identity);
    tell();
    return () => {
      if (!take()) return;
      this.#journal?.pinned(scope, this.sequence.bounded(at));
      tell();
    };
  }

  /** Frees what a scope's work would be done with, for everybody who holds it. */
  forgiveScope(scope: WorkScope): void {
    this.#forgive(this.candidates(scope).map((candidate) => candidate.identity));
  }

  /** Returns whether the fingerprint was known. */
  forgiveFingerprint(fingerprint: string): boolean {
    return this.#forgive([...this.known.withFingerprint(fingerprint)]);
  }

  evict(tenant: string | undefined, session: string): void {
    this.#journal?.evicted(tenant, session, this.sequence.next());
    this.#evictSession(tenant, session, true);
  }

  evictTenant(tenant: string | undefined): void {
    this.#journal?.evicted(tenant, ANY, this.sequence.next());
    this.#evictTenant(tenant);
  }

  /** Drops the sessions that have presented nothing for so long. */
  evictIdle(idleMs: number): void {
    this.slots.evictIdle(this.clock.now() - this.#startedAt - idleMs);
  }

  /** A session's work was done: it is not the next to be dropped when there is one too many. */
  touch(session: Session | undefined): void {
    if (session !== undefined) this.slots.touch(session);
  }

  #evictSession(tenant: string | undefined, session: string, lentToo: boolean): void {
    this.#provisional.drop(tenant, session);
    // Told even of a session that presented nothing: its work may have met a block on what it borrowed.
    if (this.slots.evict(tenant, session, 'asked', lentToo)) return;
    this.#changedSession(tenant, session);
  }

  #evictTenant(tenant: string | undefined): void {
    this.#provisional.dropTenant(tenant);
    this.slots.evictTenant(tenant);
    this.#options.onChange({ cause: 'evicted', tenant, provider: ANY, session: ANY });
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
      this.#journal?.learnt(identity);
      this.#changed('forgiven', identity);
    }
    return identities.length > 0;
  }

  #evicted({ tenant, name, slots }: Session, cause: EvictionCause): void {
    if (name !== undefined) this.#provisional.drop(tenant.name, name);
    this.#journal?.dropped(tenant.name, name);
    // One that was only looked up in a store, and had nothing there, is nobody's loss.
    if (slots !== undefined || this.#journal === undefined) this.#options.onEvicted(tenant.name, name, cause);
    this.#changedSession(tenant.name, name);
  }

  #changedSession(tenant: string | undefined, session: string | undefined): void {
    this.#options.onChange({ cause: 'evicted', tenant, provider: ANY, session });
  }

  #changed(cause: 'captured' | 'proven' | 'forgiven' | 'held', identity: Identity): void {
    this.#options.onChange({ cause, tenant: ANY, provider: identity.provider, session: ANY });
  }
}
