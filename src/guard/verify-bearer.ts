import { hash, timingSafeEqual } from 'node:crypto';
import { Credential } from '../credential/credential.js';
import { presentedValues } from './presented.js';
import type { RefusalReason } from './refusal.js';
import type { GuardedRequest } from './request.js';

/** Whether a request presents the token, and if not, why. */
export type BearerVerification = { readonly ok: true } | { readonly ok: false; readonly reason: RefusalReason };

/** The scheme in any case, blanks, one token (RFC 6750, section 2.1; RFC 9110, section 11.1). */
const BEARER = /^bearer +([\x21-\x7e]+)$/i;

/**
 * Whether a request presents a token as `Authorization: Bearer …`, compared in constant time. `missing`: no Authorization. `malformed`: another
 * scheme, no token, more than one, characters that no token has, or the header sent twice. `mismatch`: another token.
 * @throws {TypeError} only for a `token` that is none; nothing whatever the request.
 */
export function verifyBearer(request: GuardedRequest, token: Credential): BearerVerification {
  requireBearer('verifyBearer', token);
  const [value, ...more] = presentedValues(request, 'authorization');
  if (value === undefined) return { ok: false, reason: 'missing' };
  const presented = more.length === 0 ? BEARER.exec(value)?.[1] : undefined;
  if (presented === undefined) return { ok: false, reason: 'malformed' };
  return isSame(presented, token) ? { ok: true } : { ok: false, reason: 'mismatch' };
}

/** In constant time. */
export function isSame(presented: string, token: Credential): boolean {
  // Digests are of one length, whatever they are of: `timingSafeEqual` throws for two lengths, and an early end would tell the token's.
  return timingSafeEqual(digest(presented), digest(token.reveal()));
}

/** @throws {TypeError} */
export function requireBearer(where: string, token: unknown): asserts token is Credential {
  if (!(token instanceof Credential) || token.scheme !== 'bearer') throw new TypeError(`${where}: \`token\` must come from bearer()`);
}

function digest(value: string): Buffer {
  return hash('sha256', value, 'buffer');
}
