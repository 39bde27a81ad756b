import { LRUCache } from 'lru-cache';
import type { Credential } from '../credential/credential.js';
import type { ScopeKeyed, Standing } from '../policy/choose.js';
import { type Acceptance, type Rejection, type Ruling, supersedes, UNPROVEN } from '../policy/verdict.js';
import { type Experience, newExperience } from './experience.js';

/** A credential at a provider: what verdicts belong to. Known by its fingerprint for longer than its value is held. */
export class Identity implements Standing {
  readonly provider: string | undefined;
  readonly fingerprint: string;
  /** Present while a slot points here. */
  credential: Credential | undefined;
  /** How many slots point here. */
  references = 0;
  /** False once forgotten: what a late call learns then changes nothing. */
  known = true;
  /** Nothing known stands in the way of anybody's use of it, at any time: the usual case, for which one look is enough. */
  unobstructed = true;
  /** In one object, since most have none. */
  #hint: { readonly expiresAt: number; readonly at: number } | undefined;
  #experience: Experience | undefined;

  constructor(provider: string | undefined, fingerprint: string) {
    this.provider = provider;
    this.fingerprint = fingerprint;
    this.credential = undefined;
    this.#hint = undefined;
    this.#experience = undefined;
  }

  get ruling(): Ruling {
    return this.#experience === undefined ? UNPROVEN : this.#experience.ruling;
  }

  get expiresAt(): number | undefined {
    const expiresAt = this.#hint?.expiresAt;
    return expiresAt === this.#experience?.voidedHint ? undefined : expiresAt;
  }

  /** Whether it takes a clock to say if this is usable. */
  get depends(): boolean {
    return this.#hint !== undefined || this.#experience?.ruling.state === 'held';
  }

  /** Whether there is anything worth remembering once no slot points here. */
  get judged(): boolean {
    return this.#experience !== undefined && (this.#experience.ruling !== UNPROVEN || this.#experience.scopes.any);
  }

  rulingFor(scope: ScopeKeyed): Ruling | undefined {
    return this.#experience?.scopes.get(scope.key);
  }

  rejectionFor(scope: ScopeKeyed): Rejection | undefined {
    if (this.#experience === undefined || this.#experience.scopes.rejections === 0) return undefined;
    const ruling = this.#experience.scopes.get(scope.key);
    return ruling?.state === 'rejected' ? ruling : undefined;
  }

  scopeRulings(): Iterable<[string, Ruling]> {
    return this.#experience?.scopes.entries() ?? [];
  }

  /** When the identity was last proven, by anybody or by a borrower, since it was last rejected or held; -Infinity for never. */
  provenAt(borrowed: boolean): number {
    if (this.#experience === undefined) return Number.NEGATIVE_INFINITY;
    return borrowed ? this.#experience.borrowProvenAt : this.#experience.provenAt;
  }

  /** The hint of the presentation numbered `at`: the newest counts, however late it is committed; one without a hint says nothing. */
  hint(expiresAt: number | undefined, at: number): void {
    if (expiresAt === undefined || (this.#hint !== undefined && at < this.#hint.at)) return;
    this.#hint = { expiresAt, at };
    this.unobstructed = false;
  }

  /** An acceptance by a call of `scope`. Returns whether it changed anything. */
  accept(ruling: Acceptance, scope: ScopeKeyed, borrowed: boolean): boolean {
    const experience = this.#learn();
    if (ruling.sent < experience.forgivenAt) return false;
    const marked = experience.scopes.rejections > 0 && experience.scopes.get(scope.key)?.state === 'rejected';
    const changed = this.#rule(experience, ruling);
    const cleared = this.#ruleFor(experience, scope.key, ruling) && marked;
    if (changed) {
      experience.provenAt = ruling.since;
      if (borrowed) experience.borrowProvenAt = ruling.since;
      if (this.#hint !== undefined && ruling.since >= this.#hint.expiresAt) this.void(this.#hint.expiresAt, ruling.sent);
    }
    return changed || cleared;
  }

  /** A rejection everywhere, or a hold. Returns whether it changed anything. */
  judge(ruling: Ruling): boolean {
    const experience = this.#learn();
    if (ruling.sent < experience.forgivenAt || !this.#rule(experience, ruling)) return false;
    experience.provenAt = experience.borrowProvenAt = Number.NEGATIVE_INFINITY;
    return true;
  }

  /** A rejection for one scope. Returns whether it changed anything. */
  judgeFor(scope: ScopeKeyed, ruling: Ruling): boolean {
    const experience = this.#learn();
    return ruling.sent >= experience.forgivenAt && this.#ruleFor(experience, scope.key, ruling);
  }

  /** Back to unproven: calls numbered below `at` no longer count. */
  forgive(at: number): void {
    // That a hint was wrong is no verdict to be taken back.
    const { voidedHint, voidedBy } = this.#learn();
    this.#experience = { ...newExperience(), voidedHint, voidedBy, forgivenAt: at };
    this.#look(this.#experience);
  }

  /** Calls numbered below this no longer count. */
  get forgivenAt(): number {
    return this.#experience?.forgivenAt ?? 0;
  }

  /** The hint as it was given, whatever was shown since, and the number of the presentation that gave it. */
  get hinted(): { readonly expiresAt: number; readonly at: number } | undefined {
    return this.#hint;
  }

  /** The hint that was shown to be wrong, and the number of the call that showed it. */
  get voided(): { readonly expiresAt: number; readonly sent: number } | undefined {
    const experience = this.#experience;
    return experience?.voidedHint === undefined ? undefined : { expiresAt: experience.voidedHint, sent: experience.voidedBy };
  }

  /** An expiry hint was shown to be wrong by the call numbered `sent`. */
  void(expiresAt: number, sent: number): void {
    const experience = this.#learn();
    experience.voidedHint = expiresAt;
    experience.voidedBy = sent;
  }

  /** What the processes of a fleet agree on, in place of what was known here. */
  take(ruling: Ruling, borrowed: boolean): void {
    const experience = this.#learn();
    const proven = ruling.state === 'accepted';
    if (experience.ruling.state !== 'accepted' || !proven) experience.provenAt = experience.borrowProvenAt = Number.NEGATIVE_INFINITY;
    if (proven) experience.provenAt = Math.max(experience.provenAt, ruling.since);
    if (proven && borrowed) experience.borrowProvenAt = experience.provenAt;
    experience.ruling = ruling;
    this.#look(experience);
  }

  /** Nothing is numbered above `greatest`. */
  restamp(greatest: number): void {
    if (this.#hint !== undefined) this.#hint = { ...this.#hint, at: Math.min(this.#hint.at, greatest) };
    const experience = this.#experience;
    if (experience === undefined) return;
    const lower = (ruling: Ruling): Ruling => (ruling.sent > greatest ? { ...ruling, sent: greatest } : ruling);
    experience.ruling = lower(experience.ruling);
    experience.forgivenAt = Math.min(experience.forgivenAt, greatest);
    experience.voidedBy = Math.min(experience.voidedBy, greatest);
    for (const [key, ruling] of [...experience.scopes.entries()]) experience.scopes.set(key, lower(ruling));
  }

  takeFor(scope: ScopeKeyed, ruling: Ruling): void {
    const experience = this.#learn();
    experience.scopes.set(scope.key, ruling);
    this.#look(experience);
  }

  #learn(): Experience {
    this.#experience ??= newExperience();
    return this.#experience;
  }

  #rule(experience: Experience, ruling: Ruling): boolean {
    if (!supersedes(ruling, experience.ruling)) return false;
    experience.ruling = ruling;
    this.#look(experience);
    return true;
  }

  #ruleFor(experience: Experience, key: string, ruling: Ruling): boolean {
    if (!supersedes(ruling, experience.scopes.get(key) ?? UNPROVEN)) return false;
    experience.scopes.set(key, ruling);
    this.#look(experience);
    return true;
  }

  #look({ ruling, scopes }: Experience): void {
    this.unobstructed = this.#hint === undefined && ruling.state !== 'rejected' && ruling.state !== 'held' && scopes.rejections === 0;
  }
}

/** Every identity that is known: those that slots point at for as long as they do, the rest (tombstones) up to a limit. */
export class Identities {
  readonly #providers = new Map<string | undefined, Map<string, Identity>>();
  readonly #unreferenced: LRUCache<Identity, true>;
  readonly #onForgotten: ((identity: Identity) => void) | undefined;

  constructor(limit: number, onForgotten?: (identity: Identity) => void) {
    this.#onForgotten = onForgotten;
    this.#unreferenced = new LRUCache({
      max: limit,
      dispose: (_, identity, reason) => {
        if (reason === 'evict') this.#forget(identity);
      },
    });
  }

  get unreferenced(): number {
    return this.#unreferenced.size;
  }

  get size(): number {
    let size = 0;
    for (const identities of this.#providers.values()) size += identities.size;
    return size;
  }

  find(provider: string | undefined, fingerprint: string): Identity | undefined {
    return this.#providers.get(provider)?.get(fingerprint);
  }

  /** The identity of these bytes at this provider, from now on known; `retain` or `shelve` it. */
  of(provider: string | undefined, fingerprint: string): Identity {
    let identities = this.#providers.get(provider);
    if (identities === undefined) {
      identities = new Map();
      this.#providers.set(provider, identities);
    }
    let identity = identities.get(fingerprint);
    if (identity === undefined) {
      identity = new Identity(provider, fingerprint);
      identities.set(fingerprint, identity);
    }
    return identity;
  }

  *withFingerprint(fingerprint: string): Iterable<Identity> {
    for (const identities of this.#providers.values()) {
      const identity = identities.get(fingerprint);
      if (identity !== undefined) yield identity;
    }
  }

  *all(): Iterable<Identity> {
    for (const identities of this.#providers.values()) yield* identities.values();
  }

  /** No slot points at it, but it is to be remembered as long as there is room. */
  shelve(identity: Identity): void {
    if (identity.references === 0 && identity.known) this.#unreferenced.set(identity, true);
  }

  /** A slot points at it from now on. */
  retain(identity: Identity, credential: Credential): void {
    identity.credential = credential;
    if (identity.references++ === 0) this.#unreferenced.delete(identity);
  }

  /**
   * A slot points elsewhere from now on. What was displaced stays known for a while, since calls may still be out with it; what was
   * evicted stays only for the verdict it has.
   */
  release(identity: Identity, evicted: boolean): void {
    if (--identity.references > 0) return;
    identity.credential = undefined;
    if (evicted && !identity.judged) this.#forget(identity);
    else this.#unreferenced.set(identity, true);
  }

  #forget(identity: Identity): void {
    identity.known = false;
    const identities = this.#providers.get(identity.provider);
    identities?.delete(identity.fingerprint);
    if (identities?.size === 0) this.#providers.delete(identity.provider);
    this.#onForgotten?.(identity);
  }
}
