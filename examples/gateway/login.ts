import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createSessionGate, loginState, safeNext, sessionCookies } from 'latchkey/signals';
import { isSameOrigin } from './own-origin.js';
import type { Pages } from './pages.js';
import type { User, Users } from './users.js';

const MOST_FORM_BYTES = 4_096;

export interface LoginOptions {
  readonly users: Users;
  readonly pages: Pages;
  /** Whether browsers reach the gateway over https. */
  readonly https: boolean;
}

/** The login page, and the gate that everything of the operator's goes through. */
export function createLogin({ users, pages, https }: LoginOptions) {
  const cookies = sessionCookies({ https });
  // Made anew at each start: a login that was under way then ends on the front page.
  const state = loginState({ keys: [randomBytes(32)], https });
  const gate = createSessionGate<User>({
    cookies,
    verify: (session) => users.verify(session),
    refresh: (refresh) => users.refresh(refresh),
  });

  async function logIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = await readForm(request);
    const tokens = await users.login(form.get('name') ?? '', form.get('password') ?? '');
    if (tokens === undefined) {
      pages.send(response, 403, 'login.html', { error: 'That name and password do not go together.', name: form.get('name') ?? '' });
      return;
    }
    // Where to go on comes from what the server set itself, never from the form.
    const next = state.read(request.headers.cookie) || '/';
    redirect(response, next, [...cookies.set(tokens.session, tokens.refresh), state.clear()]);
  }

  return {
    authenticate: (request: IncomingMessage) => gate.authenticate(request),
    /** Whether the request was for the login or the logout, which has then been answered. */
    async handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<boolean> {
      const { method } = request;
      if (url.pathname === '/login' && method === 'GET') {
        const next = safeNext(url.searchParams.get('next'));
        response.setHeader('set-cookie', next === '' ? state.clear() : state.issue(next));
        pages.send(response, 200, 'login.html');
      } else if ((url.pathname === '/login' || url.pathname === '/logout') && method === 'POST') {
        // SameSite=Lax cookies do not travel with another site's POST; this keeps other sites from logging somebody in as somebody else.
        if (!isSameOrigin(request)) {
          response.writeHead(403, { 'content-type': 'text/plain' }).end('This form belongs to another site.\n');
        } else if (url.pathname === '/login') {
          await logIn(request, response);
        } else {
          users.logout(cookies.read(request.headers.cookie));
          redirect(response, '/login', cookies.clear());
        }
      } else {
        return false;
      }
      return true;
    },
  };
}

function redirect(response: ServerResponse, location: string, setCookies: readonly string[]): void {
  response.writeHead(303, { location, 'set-cookie': [...setCookies], 'cache-control': 'no-store' }).end();
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    // The rest is read and forgotten, so that the answer reaches the browser.
    if (bytes <= MOST_FORM_BYTES) chunks.push(chunk as Buffer);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString());
}
