import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline as piped } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { Agent, type Dispatcher, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type AuthInterceptorOptions, createAuthInterceptor } from '../../src/adapters/undici.js';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { settled } from '../support/clock.js';
import { deferred } from '../support/deferred.js';
import { type Answer, scriptedUpstream, type Upstream } from '../support/upstream.js';
import { until } from './undici-until.js';

const MIB = 1024 * 1024;

/** An answer of 64 MiB, and how much of it has been written: up to what sockets and streams in between hold, if nobody reads. */
function bigAnswer(status: number): { answer: Answer; written: () => number; stalled: () => Promise<void> } {
  let written = 0;
  const chunk = Buffer.alloc(64 * 1024, 'x');
  function* chunks(): Generator<Buffer> {
    for (; written < 64 * MIB; written += chunk.length) yield chunk;
  }
  return {
    answer: (_request, response) => {
      response.writeHead(status);
      piped(Readable.from(chunks()), response).catch(() => {});
    },
    written: () => written,
    async stalled() {
      let before = 0;
      for (let quiet = 0; quiet < 5; quiet = before === written && written > 0 ? quiet + 1 : 0) {
        before = written;
        await settled(50);
      }
    },
  };
}

describe('what the caller gets', () => {
  let upstream: Upstream;
  let latchkey: Latchkey;
  let agent: Agent;
  let answer: (request: { headers: IncomingMessage['headers']; path: string; count: number }) => Answer;
  const composed = (options: Partial<AuthInterceptorOptions> = {}): Dispatcher =>
    agent.compose(createAuthInterceptor(latchkey, { scope: 's', origins: [upstream.url], ...options }));

  beforeEach(async () => {
    upstream = await scriptedUpstream((received) => answer(received));
    latchkey = createLatchkey();
    agent = new Agent();
    latchkey.capture('s', bearer('dead'));
  });
  afterEach(async () => {
    vi.useRealTimers();
    await agent.destroy();
    await upstream.close();
  });
  const spare = (): void => void latchkey.capture('other', bearer('good'));
  const only = (good: string, unauthorized: Answer): void => {
    answer = ({ headers }) => (headers['authorization'] === `Bearer ${good}` ? { status: 200, body: 'fine' } : unauthorized);
  };

  it.each([401, 500])('a big %i, whole, when there is nothing else to try', async (status) => {
    const big = randomBytes(MIB / 2).toString('hex');
    answer = () => ({ status, body: big });
    const { statusCode, body } = await request(upstream.url, { dispatcher: composed() });
    expect(statusCode).toBe(status);
    expect((await body.text()) === big).toBe(true);
  });

  it('a good answer instead of a big 401 that was given up', async () => {
    spare();
    only('good', { status: 401, body: randomBytes(MIB / 2).toString('hex') });
    const { statusCode, body } = await request(upstream.url, { dispatcher: composed() });
    expect([statusCode, await body.text(), upstream.requests.length]).toEqual([200, 'fine', 2]);
  });

  it('a good answer over the socket of a 401 that was given up, at once', async () => {
    // The limit on reading it away cannot come to help.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    spare();
    only('good', { status: 401, body: 'x'.repeat(40_000) });
    const { statusCode, body } = await request(upstream.url, { dispatcher: composed() });
    expect([statusCode, await body.text(), upstream.connections]).toEqual([200, 'fine', 1]);
  });

  it('a good answer instead of a 401 whose body never ends: it is waited for no longer than a second, twice', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    spare();
    only('good', (_request, response) => void response.writeHead(401).write('{'));
    const answered = request(upstream.url, { dispatcher: composed() });
    for (let step = 0; step < 50 && upstream.requests.length < 2; step++) {
      await settled();
      await vi.advanceTimersByTimeAsync(100);
    }
    vi.useRealTimers();
    expect((await answered).statusCode).toBe(200);
  });

  it('an endless 401 that is released goes on', async () => {
    const gate = deferred();
    answer = () => (_request, response) => {
      response.writeHead(401).write('first ');
      void gate.promise.then(() => response.end('last'));
    };
    const { statusCode, body } = await request(upstream.url, { dispatcher: composed() });
    gate.resolve();
    expect([statusCode, await body.text()]).toEqual([401, 'first last']);
  });

  it('a 401 whose connection breaks is a 401 whose body fails', async () => {
    answer = () => (received, response) => {
      response.writeHead(401, { 'content-length': '100' }).write('begun');
      setImmediate(() => received.socket.destroy());
    };
    const { statusCode, body } = await request(upstream.url, { dispatcher: composed() });
    expect(statusCode).toBe(401);
    await expect(body.text()).rejects.toMatchObject({ code: expect.stringMatching(/^UND_ERR/) });
    expect(latchkey.stats().rejected).toBe(1);
  });

  it('the verdict looks into the body: a dead Gemini key is a 400, and is replaced', async () => {
    spare();
    const why = { error: { code: 400, status: 'INVALID_ARGUMENT', details: [{ reason: 'API_KEY_INVALID', '@type': 'x' }] } };
    only('good', { status: 400, body: JSON.stringify(why) });
    const scope = { session: 's', provider: 'google' };
    latchkey.capture(scope, bearer('dead'));
    latchkey.capture({ session: 'other', provider: 'google' }, bearer('good'));
    expect((await request(upstream.url, { dispatcher: composed({ scope }) })).statusCode).toBe(200);
    expect(upstream.requests).toHaveLength(2);
  });

  it('any other 400 is given to the caller, untouched, and judges nothing', async () => {
    spare();
    answer = () => ({ status: 400, body: '{"error":"your fault"}' });
    const { statusCode, body } = await request(upstream.url, { dispatcher: composed() });
    expect([statusCode, await body.json(), upstream.requests.length]).toEqual([400, { error: 'your fault' }, 1]);
    expect(latchkey.stats()).toMatchObject({ rejected: 0, accepted: 0 });
  });

  it('a compressed 401 as it came', async () => {
    answer = () => (_request, response) => void response.writeHead(401, { 'content-encoding': 'gzip' }).end(gzipSync('no'));
    const { headers, body } = await request(upstream.url, { dispatcher: composed() });
    expect(headers['content-encoding']).toBe('gzip');
    expect(Buffer.from(await body.arrayBuffer()).equals(gzipSync('no'))).toBe(true);
  });

  it.each([200, 401])('the trailers of a %i', async (status) => {
    answer = () => (_request, response) => {
      response.writeHead(status, { trailer: 'x-sum' });
      response.write('body');
      response.addTrailers({ 'x-sum': '42' });
      response.end();
    };
    const { body, trailers } = await request(upstream.url, { dispatcher: composed() });
    expect(await body.text()).toBe('body');
    expect(trailers).toEqual({ 'x-sum': '42' });
  });

  it('the answer to a HEAD, a 401 too', async () => {
    spare();
    only('nobody', { status: 401, headers: { 'content-length': '7' } });
    const { statusCode, headers, body } = await request(upstream.url, { dispatcher: composed(), method: 'HEAD' });
    expect([statusCode, headers['content-length'], await body.text()]).toEqual([401, '7', '']);
    expect(upstream.requests).toHaveLength(2);
  });

  it.each([200, 401])('a %i no faster than it is read', async (status) => {
    const big = bigAnswer(status);
    answer = () => big.answer;
    const { body } = await request(upstream.url, { dispatcher: composed() });
    await big.stalled();
    expect(big.written()).toBeLessThan(32 * MIB);
    let read = 0;
    for await (const chunk of body) read += (chunk as Buffer).length;
    expect(read).toBe(64 * MIB);
  });

  it.each([200, 401])('a %i in pieces, to a handler that pauses before it starts and after each', async (status) => {
    answer = () => async (_request, response) => {
      response.writeHead(status);
      // One after the other: what is written at once, newer Nodes send as one piece.
      for (const piece of ['one', 'two', 'three']) await new Promise((resolve) => response.write(piece, resolve));
      response.end();
    };
    const told: unknown[] = [];
    let inside = false;
    let controller: Dispatcher.DispatchController | undefined;
    const ended = deferred();
    const started = deferred();
    composed().dispatch(
      { origin: upstream.url, path: '/', method: 'GET' },
      {
        onRequestStart: (given) => {
          controller = given;
          given.pause();
        },
        onResponseStart: (_, given) => {
          told.push(given);
          started.resolve();
        },
        onResponseData: (given, chunk) => {
          told.push(inside ? 'one within the other' : String(chunk));
          inside = true;
          given.pause();
          // At once, as a fast reader does.
          if (told.length === 2) given.resume();
          inside = false;
        },
        onResponseEnd: () => ended.resolve(),
        onResponseError: (_, error) => ended.reject(error),
      },
    );
    await started.promise;
    await settled();
    expect([told, controller?.paused]).toEqual([[status], true]);
    controller?.resume();
    await settled();
    expect(told).toEqual([status, 'one', 'two']);
    controller?.resume();
    await settled();
    expect(told).toEqual([status, 'one', 'two', 'three']);
    controller?.resume();
    await ended.promise;
  });

  it('nothing of a 503 that is to be repeated; meanwhile no more of it is read than fits the buffers in between', async () => {
    const big = bigAnswer(503);
    answer = () => big.answer;
    const abort = new AbortController();
    const dispatcher = composed({ transient: { retries: 1, minMs: 60_000, maxMs: 60_000 } });
    const answered = request(upstream.url, { dispatcher, signal: abort.signal });
    await big.stalled();
    expect(big.written()).toBeLessThan(32 * MIB);
    abort.abort(new RangeError('enough'));
    await expect(answered).rejects.toThrow('enough');
  });

  it.each(['onResponseStart', 'onResponseData', 'onResponseEnd'] as const)(
    'an error, once, when its handler throws in %s',
    async (place) => {
      for (const status of [200, 401]) {
        latchkey.forgive('s');
        answer = () => ({ status, body: 'body' });
        const errors: unknown[] = [];
        const failed = deferred();
        composed().dispatch(
          { origin: upstream.url, path: '/', method: 'GET' },
          {
            onRequestStart: () => {},
            onResponseError: (_, error) => {
              errors.push(error);
              failed.resolve();
            },
            [place]: () => {
              throw new RangeError(`broken at ${status}`);
            },
          },
        );
        await failed.promise;
        await settled();
        expect(errors.map(String)).toEqual([`RangeError: broken at ${status}`]);
      }
    },
  );

  it('an error when its handler throws at the start; nothing is sent', async () => {
    const errors: unknown[] = [];
    composed().dispatch(
      { origin: upstream.url, path: '/', method: 'GET' },
      {
        onRequestStart: () => {
          throw new RangeError('not ready');
        },
        onResponseError: (_, error) => void errors.push(String(error)),
      },
    );
    await settled();
    expect([errors, upstream.requests.length, latchkey.stats().runs]).toEqual([['RangeError: not ready'], 0, 0]);
  });

  it('one answer, when a rule finds fault with one that is on its way already', async () => {
    latchkey = createLatchkey({ classify: ({ status }) => (status === 200 ? { kind: 'rejected', reach: 'identity' } : undefined) });
    latchkey.capture('s', bearer('one'));
    latchkey.capture('other', bearer('two'));
    answer = () => ({ status: 200, body: 'fine' });
    const { statusCode, body } = await request(upstream.url, { dispatcher: composed() });
    expect([statusCode, await body.text()]).toEqual([200, 'fine']);
    await settled();
    expect([upstream.requests.length, latchkey.stats().rejected]).toEqual([1, 1]);
  });

  it('the whole of it, too, when there is nothing else to try and the waiting for that ends first', async () => {
    latchkey = createLatchkey({ classify: ({ status }) => (status === 200 ? { kind: 'rejected', reach: 'identity' } : undefined) });
    latchkey.capture('s', bearer('one'));
    const gate = deferred();
    answer = () => (_request, response) => {
      response.write('begun ');
      void gate.promise.then(() => response.end('ended'));
    };
    const { body } = await request(upstream.url, { dispatcher: composed({ whenBlocked: 'park', parkMs: 1 }) });
    await until(() => latchkey.stats().running === 0);
    gate.resolve();
    expect(await body.text()).toBe('begun ended');
  });
});
