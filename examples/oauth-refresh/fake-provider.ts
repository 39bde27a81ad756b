import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface FakeProvider {
  /** `/token` is its token endpoint, and `/work` what access tokens are for. */
  readonly url: string;
  readonly seen: { calls: number; unauthorized: number; refreshes: number };
  /** What a client gets at the end of a login. */
  logIn(): TokenAnswer;
  /** The token endpoint answers 503, or does not any more. */
  outage(isDown: boolean): void;
  /** The access tokens that there are work no more; refresh tokens do. */
  revokeAccess(): void;
  /** The logins that there are have ended. */
  endLogins(): void;
  close(): Promise<void>;
}

/** RFC 6749, section 5.1. */
interface TokenAnswer {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  readonly expires_in: number;
  readonly refresh_token: string;
}

/** A login, and its tokens of now. */
interface Login {
  access: string;
  expiresAt: number;
  refresh: string;
  /** The refresh token before, and whether anything has been done with what it was exchanged for. */
  spent: string | undefined;
  used: boolean;
}

export interface FakeProviderOptions {
  readonly tokenMs: number;
  /** A refresh token may be spent again as long as nothing was done with what it was exchanged for. Default false: the login ends. */
  readonly grace?: boolean;
}

/** An authorization server with rotating refresh tokens (RFC 9700, section 4.14.2), and an upstream, on the loopback interface. */
export async function startProvider({ tokenMs, grace = false }: FakeProviderOptions): Promise<FakeProvider> {
  const logins = new Set<Login>();
  /** Every refresh token ever handed out. */
  const byRefresh = new Map<string, Login>();
  const seen = { calls: 0, unauthorized: 0, refreshes: 0 };
  let isDown = false;

  function issue(login: Login): TokenAnswer {
    login.access = `example-at-${randomBytes(16).toString('hex')}`;
    login.expiresAt = Date.now() + tokenMs;
    login.refresh = `example-rt-${randomBytes(16).toString('hex')}`;
    login.used = false;
    byRefresh.set(login.refresh, login);
    return { access_token: login.access, token_type: 'Bearer', expires_in: Math.ceil(tokenMs / 1_000), refresh_token: login.refresh };
  }

  async function answerToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = new URLSearchParams(await text(request));
    seen.refreshes++;
    if (isDown) {
      response.writeHead(503, { 'content-type': 'text/html' }).end('<h1>Service Unavailable</h1>');
      return;
    }
    const token = form.get('refresh_token') ?? '';
    const login = byRefresh.get(token);
    const isAgain = grace && login !== undefined && login.spent === token && !login.used;
    if (form.get('grant_type') !== 'refresh_token' || login === undefined || !logins.has(login) || (login.refresh !== token && !isAgain)) {
      // Somebody has a copy: neither is to go on with it.
      if (login !== undefined) logins.delete(login);
      send(response, 400, { error: 'invalid_grant' });
      return;
    }
    login.spent = token;
    send(response, 200, issue(login), { 'cache-control': 'no-store' });
  }

  function answerWork({ headers }: IncomingMessage, response: ServerResponse): void {
    seen.calls++;
    const token = (headers.authorization ?? '').replace(/^Bearer /, '');
    const login = [...logins].find(({ access, expiresAt }) => access === token && Date.now() < expiresAt);
    if (login !== undefined) {
      login.used = true;
      send(response, 200, { done: true });
      return;
    }
    seen.unauthorized++;
    send(response, 401, { error: 'invalid_token' }, { 'www-authenticate': 'Bearer error="invalid_token"' });
  }

  const server = createServer((request, response) => {
    if (request.method === 'POST' && request.url === '/token') answerToken(request, response).catch(() => response.destroy());
    else if (request.url === '/work') answerWork(request, response);
    else send(response, 404, { error: 'not_found' });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    logIn() {
      const login: Login = { access: '', expiresAt: 0, refresh: '', spent: undefined, used: false };
      logins.add(login);
      return issue(login);
    },
    outage: (down) => {
      isDown = down;
    },
    revokeAccess() {
      for (const login of logins) login.expiresAt = 0;
    },
    endLogins: () => logins.clear(),
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function send(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}
