import type { Credential } from '../credential/credential.js';
import type { ScopeKeyed, Standing } from '../policy/choose.js';
import { isStrike, type StrikeRules, type Trial } from '../policy/strikes.js';
import { type Acceptance, type Rejection, type Ruling, supersedes, UNPROVEN } from '../policy/verdict.js';
import { type Experience, newExperience, newRareExperience, type RareExperience } from './experience.js';
import { type ExpiryHint, endOf } from './hints.js';
import { Refusals, type Unrefreshable } from './refusals.js';
import { Successors } from './successors.js';

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
  #hint: ExpiryHint | undefined;
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

  /** From when on it is not used, by our own clock; undefined if nothing says so, or what did was shown to be wrong. */
  get expiresAt(): number | undefined {
    const hint = this.#hint;
    if (hint === undefined || hint.expiresAt === this.#experience?.voidedHint) return undefined;
    return endOf(hint) - hint.mandatoryMs;
  }

  /** From when on it is to be refreshed while it is used still. */
  get refreshAt(): number | undefined {
    const hint = this.#hint;
    if (hint === undefined || hint.expiresAt === this.#experience?.voidedHint) return undefined;
    return endOf(hint) - hint.advisoryMs;
  }

  /** Whether it takes a clock to say if this is usable. */
  get depends(): boolean {
    return this.#hint !== undefined || this.#experience?.ruling.state === 'held';
  }

  /** Whether there is anything worth remembering once no slot points here. */
  get judged(): boolean {
    return this.#experience !== undefined && (this.#experience.ruling !== UNPROVEN || this.#experience.scopes.any);
  }

  /** Whether it is to be known once no slot points here: for its verdict, because it is not to be refreshed again, or for what came of it. */
  get isMemorable(): boolean {
    return this.judged || (this.refusals?.size ?? 0) > 0 || this.successors !== undefined;
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

  /** What a presentation or an answer said: the newest counts, however late it is committed; one without a hint says nothing. */
  hint(hint: ExpiryHint): void {
    if (this.#hint !== undefined && hint.at < this.#hint.at) return;
    this.#hint = hint;
    this.unobstructed = false;
  }

  /** An acceptance. Returns whether it changed anything. */
  accept(ruling: Acceptance, call: { readonly scope: ScopeKeyed; readonly borrowed: boolean; readonly sentAt: number }): boolean {
    const { scope, borrowed, sentAt } = call;
    const experience = this.#learn();
    if (ruling.sent < experience.forgivenAt) return false;
    const marked = experience.scopes.rejections > 0 && experience.scopes.get(scope.key)?.state === 'rejected';
    const changed = this.#rule(experience, ruling);
    const cleared = this.#ruleFor(experience, scope.key, ruling) && marked;
    if (changed) {
      experience.provenAt = ruling.since;
      if (borrowed) experience.borrowProvenAt = ruling.since;
      // What was sent before its end, and answered after it, says nothing of it.
      if (this.#hint !== undefined && sentAt >= endOf(this.#hint)) this.void(this.#hint.expiresAt, ruling.sent);
      // What works may be refreshed when its time comes.
      const { rare } = experience;
      rare?.refusals?.endRests();
      if (rare?.trials !== undefined) rare.trials = tried(rare.trials, ruling.since, false);
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
    // That a hint was wrong, or that there is a successor, is no verdict to be taken back.
    const { voidedHint, voidedBy, rare } = this.#learn();
    this.#experience = { ...newExperience(), voidedHint, voidedBy, forgivenAt: at };
    if (rare !== undefined) this.#experience.rare = { ...newRareExperience(), successors: rare.successors, seenAt: rare.seenAt };
    this.#look(this.#experience);
  }

  /** Calls numbered below this no longer count. */
  get forgivenAt(): number {
    return this.#experience?.forgivenAt ?? 0;
  }

  /** The hint as it was given, whatever was shown since, and the number of the presentation that gave it. */
  get hinted(): ExpiryHint | undefined {
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

  /** Whether a rejection that would count is only a strike, which is noted. */
  strike(ruling: Rejection, rules: StrikeRules): boolean {
    const experience = this.#learn();
    if (ruling.sent < experience.forgivenAt || !supersedes(ruling, experience.ruling)) return false;
    const rare = this.#learnRare();
    const { trials = [], seenAt } = rare;
    const struck = isStrike(trials, { provenAt: experience.provenAt, seenAt, now: ruling.since }, rules);
    rare.trials = tried(trials, ruling.since, true);
    return struck;
  }

  /** It was presented for the first time. */
  seen(now: number): void {
    const rare = this.#learnRare();
    if (rare.seenAt === Number.NEGATIVE_INFINITY) rare.seenAt = now;
  }

  /** A probe is out until then, milliseconds since the epoch; 0: none is. */
  probing(until: number): void {
    this.#learnRare().probedUntil = until;
  }

  get probedUntil(): number {
    return this.#experience?.rare?.probedUntil ?? 0;
  }

  /** What the last refresh for this tenant put in its place. */
  successor(tenant: string | undefined): Identity | undefined {
    return this.#experience?.rare?.successors?.get(tenant)?.identity;
  }

  /** By tenant, with the numbers of the refreshes. */
  get successors(): Successors | undefined {
    return this.#experience?.rare?.successors;
  }

  /** The refresh numbered `at` has put another in its place. */
  succeeded(tenant: string | undefined, identity: Identity, at: number): void {
    const rare = this.#learnRare();
    rare.successors ??= new Successors();
    rare.successors.set(tenant, identity, at);
  }

  /** Forgotten itself, it holds on to nothing that came of it. */
  forgetSuccessors(): void {
    const rare = this.#experience?.rare;
    if (rare != null) rare.successors = undefined;
  }

  /** Why it is not refreshed for this tenant. */
  unrefreshable(tenant: string | undefined): Unrefreshable | undefined {
    return this.#experience?.rare?.refusals?.get(tenant);
  }

  /** The same by tenant. */
  get refusals(): Refusals | undefined {
    return this.#experience?.rare?.refusals;
  }

  /** A refresh for this tenant came to nothing; one that was forgiven does not count. Returns whether it changed anything. */
  endRefresh(tenant: string | undefined, why: Unrefreshable): boolean {
    if (why.at < this.forgivenAt) return false;
    const rare = this.#learnRare();
    rare.refusals ??= new Refusals();
    return rare.refusals.add(tenant, why);
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
    const { rare } = experience;
    rare?.successors?.restamp(greatest);
    rare?.refusals?.restamp(greatest);
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

  #learnRare(): RareExperience {
    const experience = this.#learn();
    experience.rare ??= newRareExperience();
    return experience.rare;
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

/** As many outcomes as any rule can ask for. */
const MOST_TRIALS = 100;

function tried(trials: readonly Trial[], at: number, rejected: boolean): Trial[] {
  return [...trials.slice(1 - MOST_TRIALS), { at, rejected }];
}
