import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { PROVIDERS } from './fake-answers.js';

export interface FakeUpstream {
  readonly url: string;
  /** What arrived, and how much of it was answered with 401. */
  readonly seen: { calls: number; unauthorized: number };
  /** A token that works for `tokenMs`. */
  issue(): string;
  /** A token, or every token that there is, works no more. */
  revoke(token?: string): void;
  close(): Promise<void>;
}

const WORDS = ['Quiet, ', 'honest, ', 'recoverable.'];

/** Two providers on the loopback interface, whose tokens expire after `tokenMs`; a streamed reply pauses for `pauseMs` between its words. */
export async function startUpstream(options: { tokenMs: number; pauseMs?: number; port?: number }): Promise<FakeUpstream> {
  const { tokenMs, pauseMs = 0, port = 0 } = options;
  const expiry = new Map<string, number>();
  const seen = { calls: 0, unauthorized: 0 };
  const issue = (): string => {
    for (const [token, at] of expiry) if (at <= Date.now()) expiry.delete(token);
    const token = `example-${randomBytes(16).toString('hex')}`;
    expiry.set(token, Date.now() + tokenMs);
    return token;
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await read(request);
    const { pathname } = new URL(request.url ?? '/', 'http://upstream');
    if (request.method === 'POST' && pathname === '/token') {
      // RFC 6749, section 5.1.
      send(response, 200, { access_token: issue(), token_type: 'Bearer', expires_in: Math.ceil(tokenMs / 1_000) });
      return;
    }
    seen.calls++;
    const [, name = '', ...rest] = pathname.split('/');
    const provider = Object.hasOwn(PROVIDERS, name) ? PROVIDERS[name] : undefined;
    const path = `/${rest.join('/')}`;
    if (provider === undefined) {
      send(response, 404, { error: { message: 'not found' } });
    } else if ((expiry.get(tokenOf(request)) ?? 0) <= Date.now()) {
      seen.unauthorized++;
      send(response, 401, provider.refusal.body, provider.refusal.headers);
    } else if (request.method === 'GET' && path === '/v1/models') {
      send(response, 200, provider.models);
    } else if (request.method === 'POST' && path === provider.talkPath) {
      if (!wantsStream(body)) {
        send(response, 200, provider.reply(WORDS.join('')));
        return;
      }
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
      for (const event of provider.stream(WORDS)) {
        response.write(event);
        if (pauseMs > 0) await sleep(pauseMs);
      }
      response.end();
    } else {
      send(response, 404, { error: { message: 'not found' } });
    }
  };

  const server = createServer((request, response) => {
    // A client that goes away ends its own request and nothing else.
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    issue,
    revoke: (token) => (token === undefined ? expiry.clear() : void expiry.delete(token)),
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function tokenOf({ headers }: IncomingMessage): string {
  const key = headers['x-api-key'];
  return typeof key === 'string' ? key : (headers.authorization ?? '').replace(/^bearer +/i, '');
}

function wantsStream(body: string): boolean {
  try {
    return (JSON.parse(body) as { stream?: unknown } | null)?.stream === true;
  } catch {
    return false;
  }
}

function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers }).end(text);
}
