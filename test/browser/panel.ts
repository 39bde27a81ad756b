import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { deferred } from '../support/deferred.js';

export interface Panel {
  readonly url: string;
  /** `method path`, in the order of arrival; pages and scripts are left out. */
  readonly calls: string[];
  /** How often the login page was asked for. */
  logins(): number;
  /** Keeps the login page back until what it returns is called. */
  holdLogin(): () => void;
  close(): Promise<void>;
}

let bundle: Promise<string> | undefined;

async function browserBundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('../../src/browser/index.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    minify: true,
    platform: 'browser',
    write: false,
    logLevel: 'silent',
  });
  return outputFiles[0]?.text ?? '';
}

/** Loads two copies of the library and keeps what is heard. */
const page = (
  base: string | null,
): string => `<!doctype html>${base === null ? '' : `<base href="${base}">`}<title>panel</title><script type="module">
  window.heard = [];
  window.addEventListener('latchkey:authentication-required', ({ detail }) => heard.push(detail));
  window.addEventListener('pageshow', ({ persisted }) => persisted && fetch('/api/shown-from-memory'));
  window.latchkey = await import(location.origin + '/latchkey.js');
  window.copy = await import(location.origin + '/latchkey.js?copy');
  window.ready = true;
</script>`;

/**
 * A gateway as a page sees it. `/answer?status=401&X-Some-Header=1` under any path answers just so, `/api/mine` with the gateway's own 401;
 * answers to another origin allow it with credentials, those to `?anyone` everybody without. Everything that is no call is a page, at `?base=` with a `<base>`.
 */
export async function startPanel(): Promise<Panel> {
  bundle ??= browserBundle();
  const script = await bundle;
  const calls: string[] = [];
  let logins = 0;
  let held: Promise<void> | undefined;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://panel.invalid');
    const { origin } = request.headers;
    if (searchParams.has('anyone')) {
      response.setHeader('Access-Control-Allow-Origin', '*');
    } else if (origin !== undefined) {
      response.setHeader('Access-Control-Allow-Origin', origin);
      response.setHeader('Access-Control-Allow-Credentials', 'true');
      response.setHeader('Access-Control-Allow-Methods', 'GET, POST, PUT, DELETE');
    }
    if (request.method === 'OPTIONS') {
      response.writeHead(204).end();
    } else if (pathname === '/latchkey.js') {
      response.writeHead(200, { 'content-type': 'text/javascript' }).end(script);
    } else if (pathname === '/favicon.ico') {
      response.writeHead(404).end();
    } else if (pathname.startsWith('/api/')) {
      calls.push(`${request.method} ${pathname} cookie=${request.headers.cookie ?? 'none'}`);
      for (const [name, value] of searchParams) if (name.startsWith('X-') || name.startsWith('Access-')) response.appendHeader(name, value);
      const body = pathname === '/api/mine' ? envelope(searchParams.get('login_url') ?? '/login') : (searchParams.get('body') ?? '');
      response.writeHead(Number(searchParams.get('status') ?? 401), { 'content-type': 'application/json' }).end(body);
    } else {
      if (pathname === '/login') {
        logins += 1;
        await held;
      }
      response.writeHead(200, { 'content-type': 'text/html', 'set-cookie': 'session=1; Path=/' }).end(page(searchParams.get('base')));
    }
  }

  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    logins: () => logins,
    holdLogin() {
      const { promise, resolve } = deferred<void>();
      held = promise;
      return () => {
        held = undefined;
        resolve();
      };
    },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function envelope(login_url: string): string {
  return JSON.stringify({ error: 'session_expired', detail: 'Unauthorized', reason: 'invalid_or_expired_session', login_url });
}
