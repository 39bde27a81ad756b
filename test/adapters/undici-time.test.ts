import { Agent, type Dispatcher, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AuthInterceptorOptions, createAuthInterceptor } from '../../src/adapters/undici.js';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { deferred } from '../support/deferred.js';
import { type Answer, scriptedUpstream, type Upstream } from '../support/upstream.js';
import { until } from './undici-until.js';

describe('time and failures that pass', () => {
  let upstream: Upstream;
  let latchkey: Latchkey;
  let agent: Agent;
  let answer: (request: { path: string; count: number }) => Answer;
  const composed = (options: Partial<AuthInterceptorOptions> = {}): Dispatcher =>
    agent.compose(createAuthInterceptor(latchkey, { scope: 's', origins: [upstream.url], ...options }));

  beforeEach(async () => {
    upstream = await scriptedUpstream((received) => answer(received));
    latchkey = createLatchkey();
    agent = new Agent();
  });
  afterEach(async () => {
    await agent.destroy();
    await upstream.close();
  });

  it('`timeoutMs` ends a call that gets no answer, and closes its connection', async () => {
    let closed = false;
    answer = () => (received) => void received.socket.on('close', () => (closed = true));
    latchkey.capture('s', bearer('token'));
    await expect(request(upstream.url, { dispatcher: composed({ timeoutMs: 50 }) })).rejects.toMatchObject({ code: 'TIMEOUT' });
    await until(() => closed);
    expect(latchkey.stats()).toMatchObject({ accepted: 0, rejected: 0 });
  });

  it('`timeoutMs` does not end an answer that is on its way', async () => {
    const gate = deferred();
    answer = () => (_request, response) => {
      response.write('slow ');
      void gate.promise.then(() => response.end('body'));
    };
    latchkey.capture('s', bearer('token'));
    const { body } = await request(upstream.url, { dispatcher: composed({ timeoutMs: 200 }) });
    setTimeout(() => gate.resolve(), 300);
    expect(await body.text()).toBe('slow body');
  });

  it('`parkMs` ends the waiting', async () => {
    const parked = request(upstream.url, { dispatcher: composed({ whenBlocked: 'park', parkMs: 10 }) });
    await expect(parked).rejects.toMatchObject({ code: 'PARK_TIMEOUT' });
  });

  it('close() ends the waiting', async () => {
    const parked = request(upstream.url, { dispatcher: composed({ whenBlocked: 'park' }) });
    const ended = expect(parked).rejects.toMatchObject({ code: 'CLOSED' });
    await latchkey.close();
    await ended;
  });

  it('a 503 is repeated when `transient` asks, on the same socket', async () => {
    answer = ({ count }) => (count < 3 ? { status: 503, body: 'busy' } : { status: 200, body: 'fine' });
    latchkey.capture('s', bearer('token'));
    const dispatcher = composed({ transient: { retries: 2, minMs: 1, maxMs: 2 } });
    const { statusCode, body } = await request(upstream.url, { dispatcher, method: 'POST', body: 'work' });
    expect([statusCode, await body.text()]).toEqual([200, 'fine']);
    expect(upstream.requests.map(({ body: sent }) => sent)).toEqual(['work', 'work', 'work']);
    expect(upstream.connections).toBe(1);
  });

  it('the last 503 is what the caller gets, whole', async () => {
    answer = ({ count }) => ({ status: 503, body: `busy ${count}` });
    latchkey.capture('s', bearer('token'));
    const dispatcher = composed({ transient: { retries: 1, minMs: 1, maxMs: 2 } });
    const { statusCode, body } = await request(upstream.url, { dispatcher });
    expect([statusCode, await body.text(), upstream.requests.length]).toEqual([503, 'busy 2', 2]);
  });

  it('a connection that breaks is repeated, and without `transient` is the error that undici gives', async () => {
    answer = ({ count }) => (count === 1 ? (received) => void received.socket.destroy() : { status: 200 });
    latchkey.capture('s', bearer('token'));
    const dispatcher = composed({ transient: { retries: 1, minMs: 1, maxMs: 2 } });
    expect((await request(upstream.url, { dispatcher, method: 'POST', body: 'work' })).statusCode).toBe(200);
    answer = () => (received) => void received.socket.destroy();
    const broken = request(upstream.url, { dispatcher: composed(), method: 'POST', body: 'work' });
    await expect(broken).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' });
    expect(latchkey.stats().rejected).toBe(0);
  });
});
