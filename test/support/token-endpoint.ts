import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { IssuedCertificate } from './certificates.js';

/** Stands in every answer that is no token: what nobody may repeat. Short enough for the excerpt that the message of a `SyntaxError` has. */
export const ENDPOINT_WORDS = 'idp-words';

const HOUR_MS = 3_600_000;

// A test may have frozen the time; sockets live in the real one.
const { setTimeout: startRealTimer } = globalThis;

/** What a client got when its user logged in. */
export interface Login {
  readonly accessToken: string;
  readonly refreshToken: string;
}

export interface TokenEndpoint {
  /** Where tokens are got. */
  readonly url: string;
  /** Takes any access token that lives. */
  readonly upstreamUrl: string;
  /** Every token that was ever given out. */
  readonly tokens: readonly string[];
  /** How often a token was asked for, and given; and how often with a refresh token that was spent. */
  readonly calls: number;
  readonly granted: number;
  readonly reused: number;
  /** Answers of the upstream, in order. */
  readonly seen: readonly { readonly status: number; readonly token: string }[];
  /** The tokens of a new family. What refreshes it lasts as long as the endpoint's tokens do. */
  login(options?: { readonly lastsMs?: number }): Login;
  /** This access token is not taken any more; its family lives. */
  revoke(accessToken: string): void;
  /** Whether somebody is logged in still: reuse of a spent refresh token ends that. */
  isAlive(login: Login): boolean;
  /** From now on, until told otherwise. */
  misbehave(how: Misbehaviour | undefined): void;
  close(): Promise<void>;
}

export interface TokenEndpointOptions {
  readonly tls?: IssuedCertificate;
  /** How long a refreshed access token lasts. Default an hour. */
  readonly lastsMs?: number;
  /** How long a refresh takes. Default: as little as can be. */
  readonly latencyMs?: number;
}

interface Family {
  alive: boolean;
  /** The only one that is good; all others of the family are spent. */
  refreshToken: string;
}

interface AccessToken {
  readonly family: Family;
  readonly expiresAt: number;
}

type Answer = (response: ServerResponse) => void;

const html =
  (status: number): Answer =>
  (response) =>
    void response
      .writeHead(status, { 'content-type': 'text/html' })
      .end(`<!doctype html><title>${status}</title><p>${ENDPOINT_WORDS}: invalid_grant</p>`);

const json = (status: number, body: object, headers: Record<string, string> = {}): Answer => {
  return (response) =>
    void response
      .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers })
      .end(JSON.stringify(body));
};

const oauthError = (status: number, error: string, headers: Record<string, string> = {}): Answer =>
  json(status, { error, error_description: ENDPOINT_WORDS }, headers);

/** The ways in which token endpoints, and what stands before them, go wrong. */
const MISBEHAVIOURS = {
  'HTML 401': html(401),
  'HTML 400': html(400),
  'HTML 503': html(503),
  'a 500': oauthError(500, 'server_error'),
  invalid_grant: oauthError(400, 'invalid_grant'),
  invalid_client: oauthError(401, 'invalid_client'),
  'invalid_client and a challenge': oauthError(401, 'invalid_client', { 'www-authenticate': `Basic realm="${ENDPOINT_WORDS}"` }),
  'a 429 with a code': oauthError(429, 'invalid_request', { 'retry-after': '1' }),
  "a firewall's JSON 400": json(400, { error: 'Forbidden', message: ENDPOINT_WORDS }),
  "a firewall's JSON 403": json(403, { error: 'forbidden', message: ENDPOINT_WORDS }),
  'an unparsable 200': (response) =>
    void response.writeHead(200, { 'content-type': 'application/json' }).end(`{"access_token": ${ENDPOINT_WORDS}`),
  'a 200 without a token': json(200, { token_type: 'bearer', refresh_token: ENDPOINT_WORDS }),
  'no answer': () => {},
  'a reset': (response) => void response.socket?.destroy(),
} satisfies Record<string, Answer>;

export type Misbehaviour = keyof typeof MISBEHAVIOURS;

/**
 * A real OAuth token endpoint (RFC 6749, section 6) on a free port of the loopback interface, with rotating refresh tokens whose reuse ends the login (RFC 9700,
 * section 4.14.2), beside an upstream that takes the access tokens of those who are logged in.
 */
export async function startTokenEndpoint(options: TokenEndpointOptions = {}): Promise<TokenEndpoint> {
  const { tls, lastsMs = HOUR_MS, latencyMs = 0 } = options;
  const refreshTokens = new Map<string, Family>();
  const accessTokens = new Map<string, AccessToken>();
  const issued: string[] = [];
  const seen: { status: number; token: string }[] = [];
  const counts = { calls: 0, granted: 0, reused: 0 };
  let misbehaviour: Misbehaviour | undefined;

  const issue = (family: Family, ms: number): Login => {
    const accessToken = jwt(Date.now() + ms);
    family.refreshToken = `refresh-${randomBytes(18).toString('hex')}`;
    accessTokens.set(accessToken, { family, expiresAt: Date.now() + ms });
    refreshTokens.set(family.refreshToken, family);
    issued.push(accessToken, family.refreshToken);
    return { accessToken, refreshToken: family.refreshToken };
  };

  const grant = (form: URLSearchParams): Answer => {
    if (form.get('grant_type') !== 'refresh_token') return oauthError(400, 'unsupported_grant_type');
    const presented = form.get('refresh_token') ?? '';
    const family = refreshTokens.get(presented);
    if (family !== undefined && family.refreshToken !== presented) {
      counts.reused++;
      family.alive = false;
    }
    if (family?.alive !== true) return oauthError(400, 'invalid_grant');
    counts.granted++;
    const { accessToken, refreshToken } = issue(family, lastsMs);
    return json(200, { access_token: accessToken, token_type: 'bearer', expires_in: lastsMs / 1_000, refresh_token: refreshToken });
  };

  const handle: RequestListener = (request, response) => {
    if (request.url !== '/token') {
      request.resume();
      const token = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
      const known = accessTokens.get(token);
      const status = known?.family.alive === true && Date.now() < known.expiresAt ? 200 : 401;
      seen.push({ status, token });
      json(status, status === 200 ? { ok: true } : { error: 'invalid_token' })(response);
      return;
    }
    counts.calls++;
    void textOf(request).then((text) => {
      if (misbehaviour !== undefined) {
        MISBEHAVIOURS[misbehaviour](response);
        return;
      }
      startRealTimer(() => {
        // Whoever has died meanwhile has used up nothing.
        if (response.socket?.destroyed === false) grant(new URLSearchParams(text))(response);
      }, latencyMs);
    });
  };

  const server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `${origin}/token`,
    upstreamUrl: `${origin}/v1/messages`,
    tokens: issued,
    get calls() {
      return counts.calls;
    },
    get granted() {
      return counts.granted;
    },
    get reused() {
      return counts.reused;
    },
    seen,
    login: ({ lastsMs: ms = lastsMs } = {}) => issue({ alive: true, refreshToken: '' }, ms),
    revoke: (accessToken) => void accessTokens.delete(accessToken),
    isAlive: ({ refreshToken }) => refreshTokens.get(refreshToken)?.alive === true,
    misbehave(how) {
      misbehaviour = how;
    },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Says when it expires, as most access tokens do (RFC 9068); signed by nobody, since nobody here verifies. */
function jwt(expiresAt: number): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none', typ: 'at+jwt' })}.${part({ exp: expiresAt / 1_000 })}.${randomBytes(18).toString('base64url')}`;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
