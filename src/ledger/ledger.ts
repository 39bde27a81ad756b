import type { Clock } from '../clock.js';
import type { Credential } from '../credential/credential.js';
import { isUsable } from '../policy/choose.js';
import type { ProbeRules } from '../policy/probe.js';
import type { StrikeRules } from '../policy/strikes.js';
import { Adoption } from './adoption.js';
import type { Call, Judgement } from './call.js';
import { ANY, type Change, type OnInstalled } from './change.js';
import { endOf, type GivenHint, type HintSettings, Hints } from './hints.js';
import { Identities } from './identities.js';
import type { Journal } from './journal.js';
import { type Effect, judgeCall } from './judging.js';
import { Pins } from './pins.js';
import { type Pending, Provisional } from './provisional.js';
import { type FallbackCandidate, LedgerReader } from './reader.js';
import type { Unrefreshable } from './refusals.js';
import type { WorkScope } from './scope-key.js';
import { Sequence } from './sequence.js';
import type { Session } from './session.js';
import { type EvictionCause, Slots } from './slots.js';
import { type OnSucceeded, type Succeeding, Succession } from './succession.js';
import type { Identity } from './verdicts.js';

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
  /** How expiries are learnt, and what comes before them. Default: only what credentials were made with counts, to the millisecond. */
  readonly expiry?: HintSettings | undefined;
  /** When rejected credentials are put to the test. Default: never. */
  readonly probes?: ProbeRules | undefined;
  /** Which rejections do not count yet. Default: all do. */
  readonly strikes?: StrikeRules | undefined;
}

/** How long a probe that is out keeps others from being made, if nothing comes of it. */
export const PROBE_MS = 60_000;

/** What is known: which slot points at which identity, and the verdict on each. All else is derived from it at the moment of asking. */
export class Ledger extends LedgerReader {
  readonly sequence: Sequence;
  /** How what other processes learnt comes in. */
  readonly adoption: Adoption;
  readonly hints: Hints;
  readonly #options: LedgerOptions;
  readonly #journal: Journal | undefined;
  readonly #provisional: Provisional;
  readonly #startedAt: number;
  readonly #succession: Succession;

  constructor(options: LedgerOptions) {
    const { clock, journal, onChange } = options;
    const identities = new Identities(options.identities, journal && ((identity) => journal.forgotten(identity)));
    const slots = new Slots(options.sessions, identities, journal !== undefined, {
      evicted: (session, cause) => this.#evicted(session, cause),
      unlent: (tenant, provider) => onChange({ cause: 'unlent', tenant: tenant.name, provider, session: ANY }),
    });
    const pins = new Pins(identities);
    super(options, slots, pins, identities);
    this.sequence = options.sequence ?? new Sequence();
    this.#options = options;
    this.#journal = journal;
    this.#startedAt = clock.now();
    this.#provisional = new Provisional(options.sessions);
    this.hints = new Hints(options.expiry, () => clock.now());
    this.#succession = new Succession({ identities, slots, pins, hints: this.hints, journal, onChange });
    this.adoption = new Adoption({
      identities,
      slots,
      pins,
      clock,
      startedAt: this.#startedAt,
      hint: (identity, hint) => this.hint(identity, hint),
      onChange,
      evictSession: (tenant, session) => this.#evictSession(tenant, session, false),
    });
  }

  /** A client presented a credential with the request numbered `at`. `changed`: its slot points there only now. */
  present(scope: WorkScope, credential: Credential, at: number, onInstalled: OnInstalled): { identity: Identity; changed: boolean } {
    const now = this.clock.now();
    const identity = this.known.of(scope.provider, credential.fingerprint);
    const revived = this.#present(identity, credential, at, now);
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
  judge(call: Call, judgement: Judgement, status: number | undefined, now: number): Effect {
    const { identity } = call;
    if (!identity.known) return 'none';
    const journal = this.#journal;
    if (journal === undefined) return this.#judge(call, judgement, status, now);
    const isRoutine =
      judgement.kind === 'accepted' && identity.ruling.state === 'accepted' && identity.rejectionFor(call.scope) === undefined;
    const effect = this.#judge(call, judgement, status, now);
    if (effect === 'applied' && isRoutine) journal.proven(identity);
    else if (effect === 'applied') journal.learnt(identity);
    return effect;
  }

  #judge(call: Call, judgement: Judgement, status: number | undefined, now: number): Effect {
    const { strikes } = this.#options;
    const { effect, change } = judgeCall(call, judgement, { status, now, sequence: this.sequence, strikes });
    if (change !== undefined) this.#changed(change, call.identity);
    return effect;
  }

  /** Pinned again, the same value too, it is taken to be good until a call says otherwise. */
  pin(scope: WorkScope, credential: Credential, onPinned: () => void): () => void {
    const identity = this.known.of(scope.provider, credential.fingerprint);
    const given = this.hints.of(credential, this.sequence.next(), identity.hinted !== undefined);
    if (given !== undefined) this.hint(identity, given);
    if (this.#options.strikes !== undefined) identity.seen(this.clock.now());
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
      const taken = take();
      if (taken === undefined) return;
      this.#journal?.pinned(scope, this.sequence.bounded(taken));
      tell();
    };
  }

  /** What was learnt of a credential's expiry, wherever it comes from. Returns whether it makes usable what had expired. */
  hint(identity: Identity, given: GivenHint): boolean {
    const now = this.clock.now();
    const isOver = (): boolean => identity.expiresAt !== undefined && now >= identity.expiresAt;
    const wasOver = isOver();
    identity.hint(this.hints.make(identity, given, now));
    return wasOver && !isOver();
  }

  /** The same, from an answer: those who wait are told. */
  hintLate(identity: Identity, given: GivenHint): void {
    if (this.hint(identity, given)) this.#changed('captured', identity);
  }

  /** From when on a credential would not be used, if it were presented now, and whether that goes by its issuer's clock. */
  expiryOf(provider: string | undefined, credential: Credential): { readonly endsAt: number; readonly byUpstream: boolean } | undefined {
    const given = this.hints.of(credential, 0, false);
    if (given === undefined) return undefined;
    const hint = this.hints.make({ provider, fingerprint: credential.fingerprint }, given, this.clock.now());
    return { endsAt: endOf(hint) - hint.mandatoryMs, byUpstream: given.byUpstream };
  }

  /** A refresh brought this in place of what it refreshed. Returns what the tenant works with now; undefined if it held the other no more. */
  succeed(from: Identity, succeeding: Omit<Succeeding, 'now'>, onSucceeded: OnSucceeded): Identity | undefined {
    const now = this.clock.now();
    const to = this.#succession.succeed(from, { ...succeeding, now }, onSucceeded);
    if (this.#options.strikes !== undefined) to?.seen(now);
    return to;
  }

  /** A refresh for this tenant came to nothing. */
  unrefreshable(identity: Identity, tenant: string | undefined, why: Unrefreshable): void {
    if (!identity.known) return;
    identity.endRefresh(tenant, why);
    this.#journal?.learnt(identity);
  }

  /** Nothing can be had in place of what is over: the refresh numbered `sent` was refused. */
  condemn(identity: Identity, sent: number, status: number | undefined): void {
    const rejection = { state: 'rejected', reach: 'identity', sent: this.sequence.bounded(sent), passed: this.sequence.next() } as const;
    if (identity.known && identity.ruling.state !== 'rejected' && identity.judge({ ...rejection, since: this.clock.now(), status }))
      this.#journal?.learnt(identity);
  }

  /** One call puts a rejected identity to the test: no other does until it is back, or given up. Returns how to give it back unused. */
  takeProbe(identity: Identity): () => void {
    const until = this.clock.now() + PROBE_MS;
    identity.probing(until);
    return () => {
      if (identity.probedUntil === until) identity.probing(0);
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
  #present(identity: Identity, credential: Credential, at: number, now: number): boolean {
    const isKnown = identity.references > 0 || identity.hinted !== undefined;
    if (!isKnown && this.#options.strikes !== undefined) identity.seen(now);
    const given = this.hints.of(credential, at, isKnown);
    if (given === undefined) return false;
    return this.hint(identity, given);
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
