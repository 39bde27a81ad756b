import type { ScopeParts } from '../errors.js';
import type { Outcome } from './outcome.js';
import { providerRule } from './provider-rules.js';
import { DEFAULT_HOLD_MS, retryAfter } from './retry-after.js';
import type { Reach } from './verdict.js';

/** What an outcome says about the credential that it was got with. */
export type Classification =
  /** The credential works. */
  | { readonly kind: 'accepted' }
  /** It does not: for everybody, or for this scope. */
  | { readonly kind: 'rejected'; readonly reach: Reach }
  /** It will again, in so many milliseconds. */
  | { readonly kind: 'held'; readonly ms: number; readonly reason?: string | undefined }
  /** The credential is fine, this request is not allowed with it. */
  | { readonly kind: 'denied' }
  /** Nothing about the credential; the call may be worth repeating. */
  | { readonly kind: 'transient'; readonly retryAfterMs?: number }
  /** Nothing about the credential. */
  | { readonly kind: 'none' };

/** A rule of the user's: a classification, or undefined to leave it to the built-in rules. */
export type ClassifyRule = (outcome: Outcome, scope: ScopeParts) => Classification | undefined;

const ACCEPTED: Classification = { kind: 'accepted' };
const REJECTED: Classification = { kind: 'rejected', reach: 'identity' };
const REJECTED_FOR_SCOPE: Classification = { kind: 'rejected', reach: 'scope' };
const DENIED: Classification = { kind: 'denied' };
const TRANSIENT: Classification = { kind: 'transient' };
const NONE: Classification = { kind: 'none' };

/** Node's and undici's codes for a connection that failed, and those that HTTP clients give such failures. */
const NETWORK_CODES = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ERR_HTTP2_STREAM_ERROR',
  'ERR_NETWORK',
  'ETIMEDOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_SOCKET',
]);

/** The built-in rules: what providers' bodies say first, then what HTTP says. Pure; `now` only serves a Retry-After that is a date. */
export function classify(outcome: Outcome, scope: ScopeParts, now: number): Classification {
  if (outcome.aborted) return NONE;
  return providerRule(outcome, scope, now) ?? classifyStatus(outcome, now);
}

function classifyStatus(outcome: Outcome, now: number): Classification {
  const { status } = outcome;
  if (status === undefined) {
    return outcome.timedOut || (outcome.code !== undefined && NETWORK_CODES.has(outcome.code)) ? TRANSIENT : NONE;
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
  const parameters = /(?:^|[\s,])([A-Za-z0-9_-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]+)/g;
  for (const [, name, value] of header.matchAll(parameters)) {
    if (name?.toLowerCase() === 'error') return value?.replace(/^"|"$/g, '');
  }
  return undefined;
}
