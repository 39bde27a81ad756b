import type { Credential } from '../credential/credential.js';
import { requiresAuth } from '../signals/bind-host.js';
import { requireBoolean, requireOptions } from '../signals/checked.js';
import { GuardError } from './guard-error.js';
import { credentialOf } from './held-credential.js';
import type { ServerToken } from './token.js';

/** Options of `assertNoCleartextCredential`. */
export interface CleartextOptions {
  /** What the server listens on; undefined is every interface. */
  readonly bindHost: string | undefined;
  readonly tls: boolean;
  /** What callers have to present, if anything. */
  readonly token: ServerToken | Credential | undefined;
}

const WHERE = 'assertNoCleartextCredential';

/**
 * Call it before `listen`: a token that callers must send in cleartext is read by everybody on their way. Nothing is wrong on `localhost`, `127.0.0.1` and
 * `::1`, nor without a token: whether a server may go without one is what `requireVerifier` asks.
 * @throws {GuardError} `CLEARTEXT_CREDENTIAL`
 * @throws {TypeError} naming the option that is wrong.
 */
export function assertNoCleartextCredential(options: CleartextOptions): void {
  requireOptions(WHERE, options, ['bindHost', 'tls', 'token']);
  const { bindHost, tls, token } = options;
  if (bindHost !== undefined && typeof bindHost !== 'string') throw new TypeError(`${WHERE}: \`bindHost\` must be a string, or undefined`);
  requireBoolean(WHERE, 'tls', tls);
  if (token === undefined || credentialOf(WHERE, token) === undefined || tls || !requiresAuth(bindHost)) return;
  const place = bindHost === undefined || bindHost === '' ? 'every interface' : JSON.stringify(bindHost.slice(0, 255));
  throw new GuardError(
    'CLEARTEXT_CREDENTIAL',
    `callers of a server on ${place} would send its token in cleartext: serve TLS, or bind to 127.0.0.1, if need be behind a proxy on this machine that ends TLS`,
  );
}
