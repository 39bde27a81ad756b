import { request as nodeRequest } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { drain, peekBody } from '../../src/worker/response.js';
import { freezeTime, settled } from '../support/clock.js';
import { type Answer, scriptedUpstream, type Upstream } from '../support/upstream.js';

const KIB = 1024;
const MOST_PEEKED = 16 * KIB;
const MOST_DRAINED = 64 * KIB;

let upstream: Upstream | undefined;
afterEach(async () => {
  vi.useRealTimers();
  await upstream?.close();
  upstream = undefined;
});

/** A body in chunks of 1 KiB, as many as are asked for at the most; never-ending without a number. Notes what is done to it. */
function body(chunks = Number.POSITIVE_INFINITY): { stream: ReadableStream<Uint8Array>; given: () => number; cancelled: () => boolean } {
  let given = 0;
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (given >= chunks) return controller.close();
        given++;
        controller.enqueue(new Uint8Array(KIB).fill(97));
      },
      cancel() {
        cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, given: () => given, cancelled: () => cancelled };
}

/** One chunk, and then nothing, for ever. */
function stalled(): { stream: ReadableStream<Uint8Array>; cancelled: () => boolean } {
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode('{"a":')),
    cancel() {
      cancelled = true;
    },
  });
  return { stream, cancelled: () => cancelled };
}

const failed = (): ReadableStream<Uint8Array> => new ReadableStream({ pull: (controller) => controller.error(new Error('broken')) });

async function answeredBy(answer: Answer): Promise<Response> {
  upstream = await scriptedUpstream(() => answer);
  return fetch(upstream.url);
}

const STALLS: Answer = (_, response) => void response.writeHead(401, { 'content-length': '100' }).write('{"a":');

describe('peekBody', () => {
  it('gives the text of a real answer, which the caller can read all the same', async () => {
    const response = await answeredBy({ status: 401, body: '{"error":{"code":"ü"}}' });
    expect(await peekBody(response)).toBe('{"error":{"code":"ü"}}');
    expect(response.bodyUsed).toBe(false);
    expect(await response.text()).toBe('{"error":{"code":"ü"}}');
  });

  it('reads 16 KiB at the most, in however large chunks they come', async () => {
    const long = body();
    expect(await peekBody(new Response(long.stream))).toHaveLength(MOST_PEEKED);
    // A clone reads one chunk ahead.
    expect(long.given()).toBeLessThanOrEqual(MOST_PEEKED / KIB + 1);
    expect(await peekBody(new Response('a'.repeat(1_000_000)))).toHaveLength(MOST_PEEKED);
  });

  it('leaves a longer answer whole for the caller', async () => {
    const text = 'abcdefgh'.repeat(10 * KIB);
    const response = await answeredBy({ status: 403, body: text });
    expect(await peekBody(response)).toBe(text.slice(0, MOST_PEEKED));
    expect(await response.text()).toBe(text);
  });

  it('waits a second at the most, and gives what came until then', async () => {
    const response = await answeredBy(STALLS);
    freezeTime();
    const peeked = peekBody(response);
    let done = false;
    peeked.then(() => {
      done = true;
    });
    await vi.advanceTimersByTimeAsync(999);
    await settled();
    expect(done).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await peeked).toBe('{"a":');
    expect(response.bodyUsed).toBe(false);
  });

  it('leaves no timer behind', async () => {
    freezeTime();
    await peekBody(new Response('text'));
    expect(vi.getTimerCount()).toBe(0);
  });

  it('has nothing of an answer that is read, being read, or broken', async () => {
    const read = new Response('text');
    await read.text();
    const locked = new Response('text');
    locked.body?.getReader();
    for (const response of [read, locked, new Response(failed()), new Response(null)]) expect(await peekBody(response)).toBeUndefined();
  });

  it('has nothing of what is no Response', async () => {
    const throwing = {
      get clone(): never {
        throw new Error('not to be read');
      },
    };
    const others = [undefined, null, 'text', 7, {}, { clone: 'x', bodyUsed: false }, { clone: () => ({}), bodyUsed: false }, throwing];
    for (const other of others) expect(await peekBody(other)).toBeUndefined();
    const words = new ReadableStream({
      start: (controller) => {
        controller.enqueue('no bytes');
        controller.close();
      },
    });
    expect(await peekBody({ clone: () => ({ body: words }), bodyUsed: false })).toBeUndefined();
  });
});

describe('drain', () => {
  it('reads a real answer to its end, once', async () => {
    const response = await answeredBy({ status: 401, body: 'no'.repeat(100) });
    await Promise.all([drain(response), drain(response)]);
    await drain(response);
    expect(response.bodyUsed).toBe(true);
    await expect(response.text()).rejects.toThrow(TypeError);
  });

  it('reads 64 KiB at the most, and then cancels', async () => {
    const short = body(MOST_DRAINED / KIB - 1);
    await drain(new Response(short.stream));
    expect(short.given()).toBe(MOST_DRAINED / KIB - 1);
    expect(short.cancelled()).toBe(false);
    const endless = body();
    await drain(new Response(endless.stream));
    expect(endless.given()).toBe(MOST_DRAINED / KIB);
    expect(endless.cancelled()).toBe(true);
  });

  it('waits a second at the most, and then cancels', async () => {
    freezeTime();
    const { stream, cancelled } = stalled();
    const drained = drain(new Response(stream));
    await vi.advanceTimersByTimeAsync(999);
    expect(cancelled()).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await drained;
    expect(cancelled()).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves alone what somebody reads or has read', async () => {
    const locked = new Response('text');
    const reader = locked.body?.getReader();
    await drain(locked);
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('text');
    const used = new Response('text');
    await used.text();
    await drain(used);
  });

  it('never throws', async () => {
    const throwing = {
      get body(): never {
        throw new Error('not to be read');
      },
    };
    for (const response of [undefined, null, 'text', {}, { body: 'text' }, { body: null }, new Response(null), throwing])
      await expect(drain(response)).resolves.toBeUndefined();
    await expect(drain(new Response(failed()))).resolves.toBeUndefined();
  });
});

describe('drain: streams of Node', () => {
  it.each<[string, (stream: Readable) => object]>([
    ["undici.request's answer", (stream) => ({ statusCode: 401, headers: {}, body: stream })],
    ["axios's streamed answer", (stream) => ({ status: 401, headers: {}, data: stream })],
    ["Node's own answer", (stream) => Object.assign(stream, { statusCode: 401, headers: {} })],
  ])('%s is emptied', async (_, wrap) => {
    const stream = Readable.from([Buffer.alloc(KIB), Buffer.alloc(KIB)]);
    await drain(wrap(stream));
    expect(stream.readableEnded).toBe(true);
  });

  it('a real one too, and its socket is free', async () => {
    upstream = await scriptedUpstream(() => ({ status: 401, body: 'no'.repeat(KIB) }));
    const { url } = upstream;
    const incoming = await new Promise<Readable>((resolve) => nodeRequest(url, resolve).end());
    await drain(incoming);
    expect(incoming.readableEnded).toBe(true);
  });

  it('one too long is destroyed', async () => {
    let chunks = 0;
    const endless = new Readable({
      read() {
        chunks++;
        this.push(Buffer.alloc(KIB));
      },
    });
    await drain({ body: endless });
    expect(endless.destroyed).toBe(true);
    expect(chunks).toBeLessThan((2 * MOST_DRAINED) / KIB);
  });

  it('one too slow is destroyed after a second', async () => {
    freezeTime();
    const slow = new PassThrough();
    slow.write('no');
    const drained = drain({ body: slow });
    await vi.advanceTimersByTimeAsync(999);
    expect(slow.destroyed).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await drained;
    expect(slow.destroyed).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('one that breaks disturbs nobody', async () => {
    const broken = new PassThrough();
    const drained = drain({ body: broken });
    broken.destroy(new Error('broken'));
    await expect(drained).resolves.toBeUndefined();
  });

  it('one that is read, ended or destroyed is left alone', async () => {
    freezeTime();
    const ended = Readable.from(['text']);
    for await (const chunk of ended) expect(chunk).toBe('text');
    const destroyed = new PassThrough().destroy();
    const reading = new PassThrough();
    reading.write('text');
    await new Promise((resolve) => reading.once('data', resolve));
    reading.pause();
    for (const stream of [ended, destroyed, reading]) await drain({ body: stream });
    expect(reading.isPaused()).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('run: sockets', () => {
  const ROUNDS = 30;
  /** The retry does not wait for the drain, so that there may be two; more would mean that some were lost. */
  const MOST_CONNECTIONS = 2;

  it.each([
    ['a short body', 2 * KIB],
    ['a body longer than what is looked at', 40 * KIB],
  ])('case 42: thirty rejected and replaced calls reuse their sockets: %s', async (_, bytes) => {
    const server = await scriptedUpstream(({ headers }) =>
      headers.authorization === 'Bearer token-live' ? { status: 200, body: 'ok' } : { status: 401, body: 'x'.repeat(bytes) },
    );
    upstream = server;
    const latchkey = createLatchkey();
    for (let round = 0; round < ROUNDS; round++) {
      latchkey.capture(`session-${round}`, bearer(`token-dead-${round}`));
      latchkey.capture('live', bearer('token-live'));
      const response = await latchkey.run(`session-${round}`, (lease) => fetch(server.url, { headers: lease.headers() }));
      expect(await response.text()).toBe('ok');
    }
    expect(server.requests).toHaveLength(2 * ROUNDS);
    expect(server.connections).toBeLessThanOrEqual(MOST_CONNECTIONS);
  });
});
