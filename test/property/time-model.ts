import { type ProbeRules, probeDueAt } from '../../src/policy/probe.js';
import { isStrike, type StrikeRules, type Trial } from '../../src/policy/strikes.js';

export interface TimeRules {
  readonly probes: ProbeRules | undefined;
  readonly strikes: StrikeRules | undefined;
  readonly now: () => number;
  /** The number of the last call. */
  readonly last: () => number;
}

/** What the rules say of one credential, kept as plainly as can be; the number of each call is the model's own. */
export class TimedCredential {
  readonly #rules: TimeRules;
  readonly #fingerprint: string;
  readonly #isKey: boolean;
  readonly #seenAt: number;
  #state: 'unproven' | 'accepted' | 'rejected' = 'unproven';
  #sent = -1;
  #since = 0;
  #failedProbes = 0;
  #rejectedAfter = 0;
  #provenAt = Number.NEGATIVE_INFINITY;
  #trials: Trial[] | undefined;
  #hint: number | undefined;
  #voided: number | undefined;
  #forgivenAt = 0;
  #probedUntil = 0;

  constructor(rules: TimeRules, fingerprint: string, isKey: boolean) {
    this.#rules = rules;
    this.#fingerprint = fingerprint;
    this.#isKey = isKey;
    this.#seenAt = rules.now();
  }

  /** How a call would be sent now, if at all. */
  choose(minTtlMs = 0): 'usable' | 'probe' | undefined {
    const now = this.#rules.now();
    if (this.#hint !== undefined && this.#hint !== this.#voided && now + minTtlMs >= this.#hint) return undefined;
    if (this.#state !== 'rejected') return 'usable';
    const { probes } = this.#rules;
    if (probes === undefined || !(this.#isKey || probes.sessionTokens)) return undefined;
    return now >= Math.max(probeDueAt(probes, this.#since, this.#failedProbes, this.#fingerprint), this.#probedUntil) ? 'probe' : undefined;
  }

  presented(expiresAt: number | undefined): void {
    if (expiresAt !== undefined) this.#hint = expiresAt;
  }

  /** One call has the probe for a minute. Returns how it gives it back. */
  probe(): () => void {
    const until = this.#rules.now() + 60_000;
    this.#probedUntil = until;
    return () => {
      if (this.#probedUntil === until) this.#probedUntil = 0;
    };
  }

  forgive(at: number): void {
    this.#state = 'unproven';
    this.#sent = -1;
    this.#failedProbes = this.#probedUntil = 0;
    this.#provenAt = Number.NEGATIVE_INFINITY;
    this.#trials = undefined;
    this.#forgivenAt = at;
  }

  /** The time of a call that is made now, where anybody will want to know. */
  get sendingAt(): number {
    return this.#hint === undefined ? 0 : this.#rules.now();
  }

  answered(status: 200 | 401, { sent, sentAt }: { readonly sent: number; readonly sentAt: number }, isProbe: boolean): void {
    if (sent < this.#forgivenAt || sent < this.#sent || (sent === this.#sent && status === 200)) return;
    if (sent === this.#sent && this.#state === 'rejected') return;
    const now = this.#rules.now();
    if (status === 200) {
      this.#state = 'accepted';
      this.#sent = sent;
      this.#provenAt = now;
      if (this.#hint !== undefined && sentAt >= this.#hint) this.#voided = this.#hint;
      if (this.#trials !== undefined) this.#trials = [...this.#trials, { at: now, rejected: false }];
      return;
    }
    const { strikes } = this.#rules;
    if (strikes !== undefined) {
      const known = { provenAt: this.#provenAt, seenAt: this.#seenAt, now };
      const isOne = isStrike(this.#trials ?? [], known, strikes);
      this.#trials = [...(this.#trials ?? []), { at: now, rejected: true }];
      if (isOne) return;
    }
    // Of probes that were out together the pause is lengthened once.
    const lengthens = isProbe && sent > this.#rejectedAfter;
    this.#failedProbes = this.#state === 'rejected' ? this.#failedProbes + (lengthens ? 1 : 0) : 0;
    this.#rejectedAfter = this.#rules.last();
    this.#state = 'rejected';
    this.#sent = sent;
    this.#since = now;
    this.#provenAt = Number.NEGATIVE_INFINITY;
    if (isProbe) this.#probedUntil = 0;
  }
}
