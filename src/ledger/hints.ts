import type { Credential } from '../credential/credential.js';
import { jwtExpiry } from '../credential/jwt.js';
import { type ExpiryMargins, type ExpiryWindows, marginsOf, shareOf } from '../policy/expiry.js';
import { type UpstreamClock, UpstreamClocks } from './upstream-clocks.js';

/** What is known in advance of a credential's end. */
export interface ExpiryHint extends ExpiryMargins {
  /** As it was given, in milliseconds since the epoch. */
  readonly expiresAt: number;
  /** The number of the presentation, or call, that gave it. */
  readonly at: number;
  /** When anything was first heard of the credential's end, in milliseconds since the epoch: what it had left then decides on its windows. */
  readonly heardAt: number;
  /** It is a moment by the upstream's clock: how far that is ahead of ours. Undefined: it is one of our own. */
  readonly clock: UpstreamClock | undefined;
  /** How long it lasted when a refresh brought it, in milliseconds; undefined if none did. */
  readonly freshMs: number | undefined;
}

/** A hint as it was given, before anything is made of it. */
export interface GivenHint {
  readonly expiresAt: number;
  readonly at: number;
  readonly byUpstream: boolean;
  /** A refresh has just brought it. */
  readonly isFresh?: boolean | undefined;
}

/** Whose end it is, and what was heard of it before. */
interface Hinted {
  readonly provider: string | undefined;
  readonly fingerprint: string;
  readonly hinted?: ExpiryHint | undefined;
}

export interface HintSettings extends ExpiryWindows {
  /** Tokens that are JWTs are looked into. */
  readonly jwt: boolean;
}

const NO_MARGINS: ExpiryMargins = { advisoryMs: 0, mandatoryMs: 0 };

/** Makes expiry hints of what credentials and answers say. */
export class Hints {
  readonly clocks: UpstreamClocks;
  readonly #settings: HintSettings | undefined;

  /** Without settings only what a credential was made with counts, to the millisecond. */
  constructor(settings: HintSettings | undefined, now: () => number) {
    this.clocks = new UpstreamClocks(now);
    this.#settings = settings;
  }

  make({ provider, fingerprint, hinted }: Hinted, { expiresAt, at, byUpstream, isFresh }: GivenHint, now: number): ExpiryHint {
    const clock = byUpstream && this.#settings !== undefined ? this.clocks.of(provider) : undefined;
    const end = expiresAt - (clock?.aheadMs ?? 0);
    // Each answer may say it again: windows that shrank with what is left would never be entered.
    const heardAt = hinted?.heardAt ?? now;
    const margins = this.#settings === undefined ? NO_MARGINS : marginsOf(this.#settings, end - heardAt, shareOf(fingerprint));
    return { expiresAt, at, heardAt, clock, freshMs: isFresh === true ? Math.max(0, end - now) : hinted?.freshMs, ...margins };
  }

  /** What a credential says of itself; a token is looked into only if nothing was given with it, and it is not known already. */
  of(credential: Credential, at: number, isKnown: boolean): GivenHint | undefined {
    if (credential.expiresAt !== undefined) return { expiresAt: credential.expiresAt, at, byUpstream: false };
    if (isKnown || this.#settings?.jwt !== true || credential.scheme !== 'bearer') return undefined;
    const expiresAt = jwtExpiry(credential.reveal());
    return expiresAt === undefined ? undefined : { expiresAt, at, byUpstream: true };
  }
}

/** When the credential ends, by our own clock. */
export function endOf({ expiresAt, clock }: ExpiryHint): number {
  return expiresAt - (clock?.aheadMs ?? 0);
}
