import { Credential } from '../credential/credential.js';
import { type Answer, type AnswerTarget, sendAnswer } from '../signals/answer.js';
import { requireBoolean, requireFunction, requireOptions } from '../signals/checked.js';
import { readPrefix } from '../signals/prefix.js';
import { clientCertificateOf } from './client-certificate.js';
import { jsonAnswer } from './json-answer.js';
import { presentedValues } from './presented.js';
import { rawPathOf } from './raw-path.js';
import type { Refusal } from './refusal.js';
import type { GuardedRequest } from './request.js';
import { type SignIn, signInWith } from './sign-in.js';
import { refusalOf, tell } from './tell-refusal.js';
import type { ServerToken } from './token.js';
import { verifyBearer } from './verify-bearer.js';

/** Options of `createGuard`. */
export interface GuardOptions {
  /** What callers have to present. A server's token that is `disabled` lets everybody in. */
  readonly token: ServerToken | Credential;
  /** Named in the 401; printable ASCII without quotes and backslashes. Default `latchkey`. */
  readonly realm?: string | undefined;
  /** The one path that anybody may GET and HEAD, exactly as it is written here and without an `Upgrade`; false for none. Default `/health`. */
  readonly healthPath?: string | false | undefined;
  /**
   * Whether a client certificate stands in for the token. The TLS server needs `requestCert: true` and as `ca` the cluster's own: without `ca`,
   * Node takes a certificate of any public authority. Set `rejectUnauthorized: false` where callers with a token have no certificate. It counts on
   * TLS 1.3 alone, and until it ends: on TLS 1.2 a client may change its certificate on the way, so callers there need the token. Default false.
   */
  readonly clientCertificates?: boolean | undefined;
  /** Hears of every request that was not let in. What it throws is contained. */
  readonly onRefused?: ((refusal: Refusal) => unknown) | undefined;
}

/** `subject`: the common name of the certificate, if it has one that can be printed. */
export type RequestAuthentication =
  | { readonly ok: true; readonly by: 'certificate' | 'bearer' | 'health' | 'disabled'; readonly subject?: string | undefined }
  | { readonly ok: false; readonly refusal: Refusal; readonly answer: Answer };

/** What `createGuard` gives: who is let in. */
export interface Guard {
  readonly realm: string;
  /** Whether callers are asked for a token: false if the server's is `disabled`. */
  readonly asksForBearer: boolean;
  /** Whether a client certificate stands in for the token. */
  readonly takesCertificates: boolean;
  /** For sessions of those who have shown the token once; undefined if it is `disabled`. */
  readonly signIn: SignIn | undefined;
  /**
   * Whether a request is let in: to the health path, with a client certificate, or with the token. Throws nothing whatever the request. Below a
   * router's mount the health path is the whole one.
   */
  authenticateRequest(request: GuardedRequest): RequestAuthentication;
  /** Writes the 401; nothing if another answer is on its way. */
  sendUnauthorized(response: AnswerTarget): void;
}

const WHERE = 'createGuard';
const KNOWN = ['token', 'realm', 'healthPath', 'clientCertificates', 'onRefused'];
/** What a quoted string holds without escapes (RFC 9110, section 5.6.4). */
const REALM = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/;

/** @throws {TypeError} naming the option that is wrong. */
export function createGuard(options: GuardOptions): Guard {
  requireOptions(WHERE, options, KNOWN);
  const token = readToken(options.token);
  const { realm = 'latchkey', healthPath = '/health', clientCertificates = false, onRefused } = options;
  if (typeof realm !== 'string' || !REALM.test(realm)) {
    throw new TypeError(`${WHERE}: \`realm\` must be printable ASCII without quotes and backslashes`);
  }
  if (healthPath !== false && (readPrefix(healthPath) !== healthPath || healthPath === '')) {
    throw new TypeError(`${WHERE}: \`healthPath\` must be a path such as '/health', or false`);
  }
  requireBoolean(WHERE, 'clientCertificates', clientCertificates);
  if (onRefused !== undefined) requireFunction(WHERE, 'onRefused', onRefused);

  const unauthorized = (): Answer => jsonAnswer(401, { 'WWW-Authenticate': `Bearer realm="${realm}"` }, { error: 'unauthorized', realm });
  return {
    realm,
    asksForBearer: token !== undefined,
    takesCertificates: clientCertificates,
    signIn: token && signInWith(token),
    authenticateRequest(request) {
      if (healthPath !== false && isAsking(request, healthPath)) return { ok: true, by: 'health' };
      const certificate = clientCertificates ? clientCertificateOf(request) : undefined;
      if (certificate !== undefined) return { ok: true, by: 'certificate', subject: certificate.subject };
      if (token === undefined) return { ok: true, by: 'disabled' };
      const verification = verifyBearer(request, token);
      if (verification.ok) return { ok: true, by: 'bearer' };
      const refusal = refusalOf(request, verification.reason, token);
      tell(refusal, onRefused);
      return { ok: false, refusal, answer: unauthorized() };
    },
    sendUnauthorized: (response) => sendAnswer(response, unauthorized()),
  };
}

/** Undefined: nothing is asked for. */
function readToken(token: unknown): Credential | undefined {
  const { source, credential } = (token ?? {}) as Partial<ServerToken>;
  // Only if it says so twice: a token that got lost must not open the door.
  if (source === 'disabled' && credential === undefined) return undefined;
  const asked = token instanceof Credential ? token : credential;
  if (!(asked instanceof Credential) || asked.scheme !== 'bearer' || source === 'disabled') {
    throw new TypeError(`${WHERE}: \`token\` must come from resolveServerToken() or bearer()`);
  }
  return asked;
}

/** Both what was sent and what the route sees have to be the path: a router that was mounted has taken the beginning off, and nothing else. */
function isAsking(request: GuardedRequest, healthPath: string): boolean {
  try {
    const { method, originalUrl } = request;
    if (method !== 'GET' && method !== 'HEAD') return false;
    // What follows is another protocol, and no answer about health.
    if (presentedValues(request, 'upgrade').length > 0) return false;
    const seen = rawPathOf(request);
    const sent = originalUrl === undefined ? seen : rawPathOf(request, 'originalUrl');
    return sent === healthPath && seen !== undefined && healthPath.endsWith(seen);
  } catch {
    return false;
  }
}
