import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { isLatchkeyError, type Latchkey } from 'latchkey';
import { type AuthFetch, createAuthFetch } from 'latchkey/fetch';
import { tagHeaders } from 'latchkey/signals';
import type { Pages } from './pages.js';
import type { SeenSessions } from './seen-sessions.js';
import type { User } from './users.js';

export interface OperatorOptions {
  /** Base URL by provider. */
  readonly upstreams: Readonly<Record<string, string>>;
  readonly sessions: SeenSessions;
  readonly pages: Pages;
  readonly print: (line: string) => void;
}

/** What fetch has undone, or what was about the upstream's connection. */
const NOT_PASSED_ON = ['connection', 'content-encoding', 'content-length', 'keep-alive', 'transfer-encoding'];

/** The operator's page and what it asks for. Everything here is behind the login. */
export function createOperator(latchkey: Latchkey, { upstreams, sessions, pages, print }: OperatorOptions) {
  const fetches = new Map<string, AuthFetch>();
  for (const [provider, base] of Object.entries(upstreams)) {
    fetches.set(provider, createAuthFetch(latchkey, { scope: { provider }, origins: [new URL(base).origin], timeoutMs: 15_000 }));
  }

  /** The upstream's answer as the page should get it: a 401 of the upstream's is marked, so that the page does not take it for its own. */
  async function callUpstream(provider: string, authFetch: AuthFetch, response: ServerResponse): Promise<void> {
    const target = `${upstreams[provider]}/v1/models`;
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    let answer: Response;
    try {
      answer = await authFetch(target, { signal: gone.signal });
    } catch (error) {
      // Not marked: no upstream has said anything.
      if (isLatchkeyError(error)) sendJson(response, 503, { error: error.code, detail: explainInWords(provider) });
      else sendJson(response, 502, { error: 'UPSTREAM_UNREACHABLE', detail: 'The upstream could not be reached.' });
      return;
    }
    const headers = tagHeaders(answer.status, answer.headers, {
      target,
      credentialAttached: true,
      log: (failure) => print(`operator call: ${JSON.stringify(failure)}`),
    });
    for (const name of NOT_PASSED_ON) delete headers[name];
    response.writeHead(answer.status, headers);
    if (answer.body === null) response.end();
    // A page that has seen enough takes the answer no further.
    else await pipeline(Readable.fromWeb(answer.body as ReadableStream), response).catch(() => response.destroy());
  }

  function explainInWords(provider: string): string {
    const { reason, candidates } = latchkey.explain({ provider });
    const [first] = candidates;
    if (first === undefined) return 'No client has presented a credential yet.';
    return `Nothing was sent: credential ${first.fingerprint} is ${reason}. What would help: ${first.unblock}.`;
  }

  /** By fingerprint only: what clients call their sessions is theirs. */
  function describeSessions(): object {
    const described = sessions.all().map(({ scope, lastSeen }) => {
      const { ok, reason, candidates } = latchkey.explain({ ...scope, purpose: 'warm' });
      const [own] = candidates;
      return {
        provider: scope.provider,
        fingerprint: own?.fingerprint,
        state: ok ? 'usable' : reason,
        since: own?.since,
        unblock: own?.unblock,
        lastSeen,
      };
    });
    return { sessions: described, stats: latchkey.stats() };
  }

  return {
    async handle(request: IncomingMessage, response: ServerResponse, { pathname }: URL, user: User | undefined): Promise<void> {
      const provider = /^\/api\/upstreams\/([^/]+)\/models$/.exec(pathname)?.[1];
      const authFetch = provider === undefined ? undefined : fetches.get(provider);
      if (request.method !== 'GET') sendJson(response, 405, { error: 'METHOD_NOT_ALLOWED' }, { allow: 'GET' });
      else if (pathname === '/') pages.send(response, 200, 'operator.html', { user: user?.name ?? '' });
      else if (pathname === '/api/upstreams') sendJson(response, 200, { upstreams: Object.keys(upstreams) });
      else if (pathname === '/api/sessions') sendJson(response, 200, describeSessions());
      else if (provider !== undefined && authFetch !== undefined) await callUpstream(provider, authFetch, response);
      else sendJson(response, 404, { error: 'NOT_FOUND' });
    },
  };
}

function sendJson(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response
    .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...headers })
    .end(JSON.stringify(body));
}
