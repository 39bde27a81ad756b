import type { CredentialScheme } from '../credential/credential.js';
import type { Source } from './choose.js';
import { shareOf } from './expiry.js';

/** When a rejected identity is tried again, by one call, in milliseconds. */
export interface ProbeRules {
  /** After the rejection; doubled after each probe that failed. */
  readonly afterMs: number;
  /** The longest pause. */
  readonly maxMs: number;
  /** Also bearer tokens of sessions, which their clients present again when they have a new one. */
  readonly sessionTokens: boolean;
}

/** Each pause is stretched by up to this share of itself, always the same for one identity. */
const JITTER = 1 / 10;

/** Whether a candidate is one that nobody presents again: a key, the gateway's own, or what work of no session uses. */
export function isProbed(
  { sessionTokens }: ProbeRules,
  { source, scheme, session }: { readonly source: Source; readonly scheme: CredentialScheme; readonly session: string | undefined },
): boolean {
  return sessionTokens || source === 'pinned' || scheme === 'api-key' || session === undefined;
}

/** When a rejection may be put to the test, after so many probes that failed. Milliseconds since the epoch. */
export function probeDueAt({ afterMs, maxMs }: ProbeRules, since: number, failedProbes: number, fingerprint: string): number {
  const pause = Math.min(afterMs * 2 ** Math.min(failedProbes, 30), maxMs);
  // Another share than the one that spreads refreshes: those that expired together are not to be probed together.
  return since + Math.ceil(pause * (1 + JITTER * shareOf(fingerprint.slice(8))));
}
