import { Agent, type Dispatcher, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AuthInterceptorOptions, createAuthInterceptor } from '../../src/adapters/undici.js';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { settled } from '../support/clock.js';
import { deferred } from '../support/deferred.js';
import { type Answer, scriptedUpstream, type Upstream } from '../support/upstream.js';
import { until } from './undici-until.js';

/** What undici tells a handler, in order. */
function recorder(): { handler: Dispatcher.DispatchHandler; told: unknown[]; controller: () => Dispatcher.DispatchController } {
  const told: unknown[] = [];
  let held: Dispatcher.DispatchController | undefined;
  return {
    told,
    controller: () => held as Dispatcher.DispatchController,
    handler: {
      onRequestStart(controller) {
        held = controller;
        told.push('start');
      },
      onResponseStart: (_, status) => void told.push(status),
      onResponseData: (_, chunk) => void told.push(String(chunk)),
      onResponseEnd: () => void told.push('end'),
      onResponseError: (_, error) => void told.push(error),
    },
  };
}

describe('calling a request off', () => {
  let upstream: Upstream;
  let latchkey: Latchkey;
  let agent: Agent;
  let answer: (request: { path: string; count: number }) => Answer;
  const REASON = new RangeError('changed my mind');
  const composed = (options: Partial<AuthInterceptorOptions> = {}): Dispatcher =>
    agent.compose(createAuthInterceptor(latchkey, { scope: 's', origins: [upstream.url], ...options }));
  const dispatched = (options: Partial<AuthInterceptorOptions> = {}, more: object = {}) => {
    const recorded = recorder();
    composed(options).dispatch({ origin: upstream.url, path: '/', method: 'POST', body: 'work', ...more }, recorded.handler);
    return recorded;
  };
  const nothingLearnt = (): void => {
    expect(latchkey.stats()).toMatchObject({ accepted: 0, rejected: 0, retried: 0 });
  };

  beforeEach(async () => {
    answer = () => ({ status: 200, body: 'fine' });
    upstream = await scriptedUpstream((received) => answer(received));
    latchkey = createLatchkey();
    agent = new Agent();
  });
  afterEach(async () => {
    await agent.destroy();
    await upstream.close();
  });

  it('before it began: nothing is sent', async () => {
    latchkey.capture('s', bearer('token'));
    await expect(request(upstream.url, { dispatcher: composed(), signal: AbortSignal.abort(REASON) })).rejects.toBe(REASON);
    await settled();
    expect([upstream.requests.length, latchkey.stats().runs]).toEqual([0, 0]);
  });

  it('while it is parked: at once, once, and its place is free', async () => {
    const { told, controller } = dispatched({ whenBlocked: 'park' });
    await settled();
    expect([told, latchkey.stats().waiting]).toEqual([['start'], 1]);
    controller().abort(REASON);
    controller().abort(new Error('again'));
    expect(told).toEqual(['start', REASON]);
    expect([controller().aborted, controller().reason]).toEqual([true, REASON]);
    latchkey.capture('s', bearer('token'));
    await settled();
    expect([told, upstream.requests.length, latchkey.stats().waiting]).toEqual([['start', REASON], 0, 0]);
    nothingLearnt();
  });

  it('while it waits behind a canary: the canary goes on', async () => {
    const gate = deferred();
    answer = () => (_request, response) => void gate.promise.then(() => response.end('fine'));
    latchkey.capture('s', bearer('token'));
    const leader = dispatched();
    const waiting = dispatched();
    await until(() => upstream.requests.length === 1);
    waiting.controller().abort(REASON);
    expect(waiting.told).toEqual(['start', REASON]);
    gate.resolve();
    await until(() => leader.told.includes('end'));
    expect([leader.told, upstream.requests.length]).toEqual([['start', 200, 'fine', 'end'], 1]);
  });

  it('while it waits in undici for a socket: it is never written', async () => {
    await agent.destroy();
    agent = new Agent({ connections: 1 });
    const gate = deferred();
    answer = () => (_request, response) => void gate.promise.then(() => response.end('fine'));
    latchkey.capture('s', bearer('token'));
    const options = { urgent: true };
    const first = dispatched(options);
    const second = dispatched(options);
    await until(() => upstream.requests.length === 1);
    second.controller().abort(REASON);
    expect(second.told).toEqual(['start', REASON]);
    gate.resolve();
    await until(() => first.told.includes('end'));
    await (await request(upstream.url, { dispatcher: agent })).body.dump();
    expect(upstream.requests.map(({ method }) => method)).toEqual(['POST', 'GET']);
    expect(second.told).toEqual(['start', REASON]);
  });

  it('while it is out: the connection is closed, and nothing is learnt', async () => {
    let closed = false;
    answer = () => (received) => void received.socket.on('close', () => (closed = true));
    latchkey.capture('s', bearer('token'));
    const abort = new AbortController();
    const answered = request(upstream.url, { dispatcher: composed(), signal: abort.signal });
    await until(() => upstream.requests.length === 1);
    abort.abort(REASON);
    await expect(answered).rejects.toBe(REASON);
    await until(() => closed);
    nothingLearnt();
  });

  it('while a 401 is held back: what there is of it is read away for a second, and then its connection closed', async () => {
    let closed = false;
    answer = () => (received, response) => {
      received.socket.on('close', () => (closed = true));
      response.writeHead(401).write('{"slow":');
    };
    latchkey.capture('s', bearer('token'));
    const { told, controller } = dispatched();
    await until(() => (controller().rawHeaders as unknown) !== null);
    controller().abort(REASON);
    await settled();
    expect(told).toEqual(['start', REASON]);
    nothingLearnt();
    await until(() => closed);
  });

  it('before its second sending: there is none', async () => {
    latchkey.capture('s', bearer('dead'));
    answer = () => ({ status: 401, body: 'no' });
    const { told, controller } = dispatched({ whenBlocked: 'park' });
    await until(() => latchkey.stats().waiting === 1);
    controller().abort(REASON);
    latchkey.capture('s', bearer('fresh'));
    await settled();
    expect([told, upstream.requests.length]).toEqual([['start', REASON], 1]);
  });

  it('during a pause before a repeat: there is none, and the answer is read away', async () => {
    answer = () => ({ status: 503, body: 'x'.repeat(20_000) });
    latchkey.capture('s', bearer('token'));
    const { told, controller } = dispatched({ transient: { retries: 3, minMs: 60_000, maxMs: 60_000 } });
    await until(() => (controller().rawHeaders as unknown) !== null);
    await settled();
    controller().abort(REASON);
    await settled();
    expect([told, upstream.requests.length]).toEqual([['start', REASON], 1]);
    await (await request(upstream.url, { dispatcher: agent })).body.dump();
    expect(upstream.connections).toBe(1);
  });

  it('in the middle of a good answer: the verdict stands, and the handler hears of it once', async () => {
    answer = () => (_request, response) => void response.write('begun');
    latchkey.capture('s', bearer('token'));
    const { told, controller } = dispatched();
    await until(() => told.includes('begun'));
    controller().abort(REASON);
    await settled();
    expect(told).toEqual(['start', 200, 'begun', REASON]);
    expect(latchkey.stats().accepted).toBe(1);
  });

  it('in the middle of a released 401 that has come whole, and without a reason', async () => {
    answer = () => ({ status: 401, body: 'x'.repeat(100) });
    latchkey.capture('s', bearer('dead'));
    const recorded = recorder();
    const { handler, told } = recorded;
    handler.onResponseStart = (controller, status) => {
      told.push(status);
      controller.pause();
    };
    composed().dispatch({ origin: upstream.url, path: '/', method: 'GET' }, handler);
    await until(() => told.includes(401));
    (recorded.controller() as { abort(reason?: unknown): void }).abort();
    await settled();
    expect(told).toEqual(['start', 401, expect.objectContaining({ name: 'AbortError' })]);
  });

  it('the body that is destroyed by its reader, as with undici alone', async () => {
    answer = () => (_request, response) => void response.write('begun');
    latchkey.capture('s', bearer('token'));
    const { body } = await request(upstream.url, { dispatcher: composed() });
    const failed = new Promise((resolve) => body.on('error', resolve));
    body.destroy();
    await expect(failed).resolves.toMatchObject({ code: 'UND_ERR_ABORTED' });
  });

  it("after its end changes nothing, nor does the handler's own throwing", async () => {
    latchkey.capture('s', bearer('token'));
    const { told, controller } = dispatched();
    await until(() => told.includes('end'));
    controller().abort(REASON);
    controller().resume();
    await settled();
    expect(told).toEqual(['start', 200, 'fine', 'end']);
    const throwing = recorder();
    throwing.handler.onResponseError = () => {
      throw new Error('the handler is broken');
    };
    latchkey.evict('s');
    composed().dispatch({ origin: upstream.url, path: '/', method: 'GET' }, throwing.handler);
    await settled();
    expect(throwing.told).toEqual(['start']);
  });
});
