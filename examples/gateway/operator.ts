import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import type { Latchkey } from 'latchkey';
import { type AuthFetch, createAuthFetch } from 'latchkey/fetch';
import { credentialAnswer, sendAnswer, tagHeaders } from 'latchkey/signals';
import { sendJson } from './answers.js';
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

/** What the page needs of an answer. Anything else an upstream could say would be said to the operator's browser, in the gateway's name. */
const PASSED_ON = ['content-type', 'retry-after'];
/** Opened as a page it is nobody's. */
const NO_PAGE = { 'content-security-policy': 'sandbox', 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' };
/** What would bring work back. */
const HELP = {
  rejected: 'a fresh credential from its client',
  expired: 'a fresh credential from its client',
  held: 'the end of the hold, or another credential from its client',
  refused: 'a credential of its own',
} as const;

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
      // Neither is marked: no upstream has said anything.
      const unavailable = credentialAnswer(error, { detail: explainInWords(provider) });
      if (unavailable !== undefined) sendAnswer(response, unavailable);
      else sendJson(response, 502, { error: 'UPSTREAM_UNREACHABLE', detail: 'The upstream could not be reached.' });
      return;
    }
    const passedOn = Object.fromEntries([...answer.headers].filter(([name]) => PASSED_ON.includes(name)));
    const headers = tagHeaders(
      answer.status,
      { ...passedOn, ...NO_PAGE },
      {
        target,
        credentialAttached: true,
        log: (failure) => print(`operator call: ${JSON.stringify(failure)}`),
      },
    );
    response.writeHead(answer.status, headers);
    if (answer.body === null) response.end();
    // A page that has seen enough takes the answer no further.
    else await pipeline(Readable.fromWeb(answer.body as ReadableStream), response).catch(() => response.destroy());
  }

  function explainInWords(provider: string): string {
    const [first] = latchkey.explain({ provider }).candidates;
    if (first?.reason === undefined) return 'No client has presented a credential yet.';
    return `Nothing was sent: credential ${first.fingerprint} is ${first.reason}. What would help: ${HELP[first.reason]}.`;
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
        unblock: own?.reason && HELP[own.reason],
        lastSeen,
      };
    });
    const callable = Object.keys(upstreams).filter((provider) => latchkey.canRun({ provider }));
    return { sessions: described, callable, stats: latchkey.stats() };
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
