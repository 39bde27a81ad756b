import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { Agent, type Dispatcher, interceptors, request, fetch as undiciFetch } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAuthInterceptor } from '../../src/adapters/undici.js';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { type Answer, scriptedUpstream, type Upstream } from '../support/upstream.js';

describe('through the other ways of undici', () => {
  let upstream: Upstream;
  let latchkey: Latchkey;
  let agent: Agent;
  let answer: (request: { headers: IncomingMessage['headers'] }) => Answer;
  const composed = (origin = upstream.url): Dispatcher => agent.compose(createAuthInterceptor(latchkey, { scope: 's', origins: [origin] }));
  const only = (good: string, unauthorized: Answer): void => {
    answer = ({ headers }) => (headers['authorization'] === `Bearer ${good}` ? { status: 200, body: 'fine' } : unauthorized);
  };

  beforeEach(async () => {
    upstream = await scriptedUpstream((received) => answer(received));
    latchkey = createLatchkey();
    agent = new Agent();
    latchkey.capture('s', bearer('dead'));
    latchkey.capture('other', bearer('good'));
    only('good', { status: 401, body: 'no' });
  });
  afterEach(async () => {
    await agent.destroy();
    await upstream.close();
  });

  it('stream', async () => {
    const chunks: string[] = [];
    const opened: number[] = [];
    await composed().stream({ origin: upstream.url, path: '/', method: 'POST', body: 'work' }, ({ statusCode }) => {
      opened.push(statusCode);
      return new Writable({ write: (chunk, _encoding, done) => done(void chunks.push(String(chunk))) });
    });
    expect([opened, chunks.join(''), upstream.requests.length]).toEqual([[200], 'fine', 2]);
  });

  it('pipeline, whose body is a stream: sent once', async () => {
    const through = composed().pipeline({ origin: upstream.url, path: '/', method: 'POST' }, ({ body }) => body);
    through.end('work');
    expect(await text(through)).toBe('no');
    expect(upstream.requests.map(({ body }) => body)).toEqual(['work']);
    expect(latchkey.stats().rejected).toBe(1);
  });

  it("undici's fetch: without a body twice, with one once", async () => {
    const dispatcher = composed();
    const response = await undiciFetch(upstream.url, { dispatcher });
    expect([response.status, await response.text(), upstream.requests.length]).toEqual([200, 'fine', 2]);
    latchkey.capture('s', bearer('dead-again'));
    const posted = await undiciFetch(upstream.url, { dispatcher, method: 'POST', body: 'work' });
    expect([posted.status, await posted.text(), upstream.requests.length]).toEqual([401, 'no', 3]);
  });

  it("Node's own fetch", async () => {
    const response = await fetch(upstream.url, { dispatcher: composed() } as never);
    expect([response.status, await response.text(), upstream.requests.length]).toEqual([200, 'fine', 2]);
  });

  it('with decompression inside, the verdict reads what the caller reads', async () => {
    const why = gzipSync(JSON.stringify({ error: { status: 'INVALID_ARGUMENT', details: [{ reason: 'API_KEY_INVALID' }] } }));
    only('good', (_request, response) => void response.writeHead(400, { 'content-encoding': 'gzip' }).end(why));
    const auth = createAuthInterceptor(latchkey, { scope: 's', origins: [upstream.url] });
    const dispatcher = agent.compose(interceptors.decompress({ skipErrorResponses: false }), auth);
    expect((await request(upstream.url, { dispatcher })).statusCode).toBe(200);
  });

  it('an upgrade is passed on and proves nothing', async () => {
    const server = createServer();
    server.on('upgrade', (received: IncomingMessage, socket) => {
      socket.end(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n${received.headers.authorization}`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    latchkey.capture('s', bearer('token'));
    const dispatcher = composed(origin);
    const { socket } = await dispatcher.upgrade({ origin, path: '/', protocol: 'echo' } as never);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toBe('Bearer token');
    expect(latchkey.stats()).toMatchObject({ attempts: 1, accepted: 0, rejected: 0 });
    server.close();
  });

  it('CONNECT gets no credential', async () => {
    const server = createServer();
    let seen: unknown = 'nothing';
    server.on('connect', (received: IncomingMessage, socket) => {
      seen = received.headers.authorization;
      socket.end('HTTP/1.1 200 OK\r\n\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    latchkey.capture('s', bearer('token'));
    const { socket } = await composed(origin).connect({ origin, path: 'db.internal:5432' });
    socket.on('error', () => {}).destroy();
    expect([seen, latchkey.stats().attempts]).toEqual([undefined, 0]);
    server.close();
  });
});
