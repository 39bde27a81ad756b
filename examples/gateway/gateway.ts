import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLatchkey, type IdleLoop, isLatchkeyError, type Latchkey } from 'latchkey';
import { createUnauthorizedMonitor } from 'latchkey/proxy';
import { requiresAuth, requireVerifier, sendAnswer } from 'latchkey/signals';
import { sendJson } from './answers.js';
import { CREDENTIALS_PATH, createCredentialsPage } from './credentials-page.js';
import { createDistiller, type Distiller } from './distiller.js';
import { printEvents } from './event-lines.js';
import { createLogin } from './login.js';
import { createOperator } from './operator.js';
import { isFromThisMachine } from './own-origin.js';
import { createPages } from './pages.js';
import { createProxy } from './proxy.js';
import { seenSessions, sessionOf } from './seen-sessions.js';
import { readUpstreams } from './upstreams.js';
import { createUsers, type User, type Users } from './users.js';
import { createWarmer } from './warmer.js';

export interface GatewayOptions {
  /** Base URL by provider: what comes in under `/NAME/` goes out there. A name is made of a-z, 0-9 and `-`, and is none of the gateway's own paths. */
  readonly upstreams: Readonly<Record<string, string>>;
  /** Operators: password by name. May be left out on a loopback address only, and then there is no login. */
  readonly users?: Readonly<Record<string, string>> | undefined;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any that is free. */
  readonly port?: number;
  /** Whether browsers reach the gateway over https, through a proxy that ends it. Default false. */
  readonly https?: boolean;
  /** How long an operator's session lives before it is refreshed, and how long it can be. Default 15 minutes and 8 hours. */
  readonly sessionMs?: number;
  readonly refreshMs?: number;
  /** How often idle sessions are warmed, and how long after their last request that begins and ends. Default 30 s, 30 s and an hour. */
  readonly warmEveryMs?: number;
  readonly idleMs?: number;
  readonly giveUpMs?: number;
  /** How long distillation waits for fresh auth. Default 5 minutes. */
  readonly parkMs?: number;
  /** Where the package's built modules are. Default: in the installed package. */
  readonly packageFolder?: string | undefined;
  /** Gets a line an event. Default: nobody does. */
  readonly print?: (line: string) => void;
}

export interface Gateway {
  readonly url: string;
  readonly latchkey: Latchkey;
  readonly warmer: IdleLoop;
  readonly distiller: Distiller;
  readonly users: Users;
  close(): Promise<void>;
}

/** @throws {TypeError} if the gateway could be reached from elsewhere and has no users, or for an upstream's name or base that is none. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { host = '127.0.0.1', port = 0, https = false, print = () => {} } = options;
  const upstreams = readUpstreams(options.upstreams);
  const passwords = options.users ?? {};
  const users = createUsers(passwords, { sessionMs: options.sessionMs ?? 15 * 60_000, refreshMs: options.refreshMs ?? 8 * 60 * 60_000 });
  const mustLogIn = requiresAuth(host) || Object.keys(passwords).length > 0;
  requireVerifier(host, Object.keys(passwords).length > 0 ? users.verify : undefined);

  // Clients are strangers to each other: no session's work is done with another one's credential. Where it is a JWT, it says itself when it expires.
  const latchkey = createLatchkey({ fallback: 'none', expiry: {} });
  const stopPrinting = printEvents(latchkey, print);
  const sessions = seenSessions(latchkey);
  const onError = (error: unknown): void => print(`background work failed: ${isLatchkeyError(error) ? error.code : nameOf(error)}`);
  const warmer = createWarmer(latchkey, {
    upstreams,
    sessions,
    everyMs: options.warmEveryMs ?? 30_000,
    idleMs: options.idleMs ?? 30_000,
    giveUpMs: options.giveUpMs ?? 60 * 60_000,
    onError,
  });
  const distiller = createDistiller(latchkey, { upstreams, parkMs: options.parkMs ?? 5 * 60_000, onError });

  const monitor = createUnauthorizedMonitor(latchkey, {
    scope: (request: IncomingMessage) => scopeOf(request),
    // Anybody may name a session: what they bring for it counts once the upstream has taken it.
    provisional: true,
    onWorkload: ({ scope, state, message }) => print(`workload  ${scope.provider} ${state}: ${message}`),
  });
  const proxy = createProxy({
    monitor,
    onAnswer(request, status) {
      const scope = scopeOf(request);
      if (scope === undefined || status < 200 || status >= 300) return;
      sessions.saw(scope);
      // A real gateway would distil the conversation itself.
      if (request.method === 'POST') distiller.add(scope, 'The client has had an answer.');
    },
  });

  const pages = createPages(options.packageFolder);
  const login = createLogin({ users, pages, https });
  const operator = createOperator(latchkey, { upstreams, sessions, pages, print });
  const credentials = createCredentialsPage(latchkey, { https, print });

  /** Where a path under an upstream's name leads. */
  function targetOf({ pathname, search }: URL): URL | undefined {
    const provider = pathname.split('/')[1] ?? '';
    if (!Object.hasOwn(upstreams, provider)) return undefined;
    return new URL(`${upstreams[provider]}${pathname.slice(provider.length + 1)}${search}`);
  }

  function scopeOf({ url, headers }: Pick<IncomingMessage, 'url' | 'headers'>) {
    const session = sessionOf(headers);
    return session === undefined ? undefined : { session, provider: urlOf(url).pathname.split('/')[1] as string };
  }

  /** What is for operators only; none are told apart where there is no login. */
  function operate(request: IncomingMessage, response: ServerResponse, url: URL, user: User | undefined): Promise<void> {
    const isCredentials = url.pathname === CREDENTIALS_PATH || url.pathname.startsWith(`${CREDENTIALS_PATH}/`);
    return isCredentials ? credentials.handle(request, response, user) : operator.handle(request, response, url, user);
  }

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = urlOf(request.url);
    const target = targetOf(url);
    if (target !== undefined) return proxy.forward(request, response, target);
    if (request.method === 'GET' && pages.servePublic(url.pathname, response)) return;
    if (!mustLogIn) {
      if (isFromThisMachine(request)) return operate(request, response, url, undefined);
      return sendJson(response, 403, { error: 'FORBIDDEN', detail: 'Without a login this is for this machine only.' });
    }
    if (await login.handle(request, response, url)) return;
    const entry = await login.authenticate(request);
    if (!entry.ok) return sendAnswer(response, entry.answer);
    if (entry.setCookies.length > 0) response.setHeader('set-cookie', [...entry.setCookies]);
    await operate(request, response, url, entry.session);
  }

  const server = createServer((request, response) => {
    route(request, response).catch((error: unknown) => {
      print(`a request failed: ${nameOf(error)}`);
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end();
    });
  });
  // As many as fit: with a limit Node drops the rest without a word, and with them, perhaps, the body's length.
  server.maxHeadersCount = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve);
  });
  warmer.start();

  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`,
    latchkey,
    warmer,
    distiller,
    users,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      credentials.close();
      await Promise.all([warmer.stop({ timeoutMs: 1_000 }), distiller.close()]);
      await monitor.close();
      await latchkey.close({ timeoutMs: 1_000 });
      // Last, so that the process lives while the rest ends.
      server.closeAllConnections();
      await closed;
      proxy.close();
      sessions.close();
      stopPrinting();
    },
  };
}

/** A request's target; whatever host it names (RFC 9112, section 3.2), where it goes is the gateway's to say. */
function urlOf(target = '/'): URL {
  const url = target.startsWith('/') ? `http://gateway${target}` : target;
  return URL.canParse(url) ? new URL(url) : new URL('http://gateway/');
}

/** An error's message may quote what a client sent; its name does not. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
