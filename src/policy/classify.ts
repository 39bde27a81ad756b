import type { ScopeParts } from '../errors.js';
import type { Classification } from './classification.js';
import { isNetworkCode, type Outcome } from './outcome.js';
import { providerRule } from './provider-rules.js';
import { DEFAULT_HOLD_MS, retryAfter } from './retry-after.js';

const ACCEPTED: Classification = { kind: 'accepted' };
const REJECTED: Classification = { kind: 'rejected', reach: 'identity' };
const REJECTED_FOR_SCOPE: Classification = { kind: 'rejected', reach: 'scope' };
const DENIED: Classification = { kind: 'denied' };
const TRANSIENT: Classification = { kind: 'transient' };
const NONE: Classification = { kind: 'none' };

/** The built-in rules: what providers' bodies say first, then what HTTP says. Pure; `now` only serves a Retry-After that is a date. */
export function classify(outcome: Outcome, scope: ScopeParts, now: number): Classification {
  if (outcome.aborted && !outcome.timedOut) return NONE;
  return providerRule(outcome, scope, now) ?? classifyStatus(outcome, now);
}

function classifyStatus(outcome: Outcome, now: number): Classification {
  const { status } = outcome;
  if (status === undefined || status < 400) {
    // The connection may break after a good status, in the middle of the body.
    if (outcome.timedOut || isNetworkCode(outcome.code)) return TRANSIENT;
    if (status === undefined) return NONE;
  }
  if ((status >= 200 && status < 300) || status === 304) return ACCEPTED;
  if (status === 401 || status === 403) {
    // RFC 6750, section 3.1: the token is valid and lacks a privilege that this request needs.
    if (challengeError(outcome.headers?.['www-authenticate']) === 'insufficient_scope') return DENIED;
    return status === 401 ? REJECTED : REJECTED_FOR_SCOPE;
  }
  if (status === 402) return { kind: 'held', ms: retryAfter(outcome, now) ?? DEFAULT_HOLD_MS, reason: 'payment required' };
  if (status === 408 || status === 425 || status === 429 || (status >= 500 && status < 600)) {
    const retryAfterMs = retryAfter(outcome, now);
    return retryAfterMs === undefined ? TRANSIENT : { kind: 'transient', retryAfterMs };
  }
  return NONE;
}

/** The `error` parameter of a challenge (RFC 6750, section 3), read as a parameter: the word may stand in a description too. */
export function challengeError(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  // A quoted string that is never closed goes on to the end: nothing inside it is a parameter.
  const parameters = /(?:^|[\s,])([A-Za-z0-9_-]+)\s*=\s*("(?:[^"\\]|\\.)*"?|[^\s,"]+)/g;
  for (const [, name, value] of header.matchAll(parameters)) {
    if (name?.toLowerCase() === 'error') return value?.startsWith('"') ? unquoted(value) : value;
  }
  return undefined;
}

/** A quoted string's text (RFC 9110, section 5.6.4). */
function unquoted(quoted: string): string {
  return quoted.slice(1, quoted.endsWith('"') ? -1 : undefined).replaceAll(/\\(.)/g, '$1');
}
