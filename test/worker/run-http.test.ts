import { Readable } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { scriptedUpstream, type Upstream } from '../support/upstream.js';

let upstream: Upstream;
afterEach(() => upstream.close());

const UNAUTHORIZED = {
  status: 401,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ error: { message: 'x'.repeat(2_000) } }),
};

/** A socket is free only a moment after its body was read, so that there may be two; more would mean that some were lost. */
const MOST_CONNECTIONS = 2;

describe('run: over real sockets', () => {
  it('case 42: a 401 that is replaced is drained and its socket is used again', async () => {
    upstream = await scriptedUpstream(({ headers }) =>
      headers.authorization === 'Bearer token-a' ? UNAUTHORIZED : { status: 200, body: 'ok' },
    );
    const latchkey = createLatchkey();
    for (let round = 0; round < 10; round++) {
      const session = `s${round}`;
      latchkey.capture(session, bearer('token-a'));
      latchkey.forgive(session);
      latchkey.capture('other', bearer('token-b'));
      const response = await latchkey.run(session, (lease) => fetch(upstream.url, { headers: lease.headers() }));
      expect(await response.text()).toBe('ok');
    }
    expect(upstream.requests.map(({ headers }) => headers.authorization)).toEqual(
      Array(10).fill(['Bearer token-a', 'Bearer token-b']).flat(),
    );
    expect(upstream.connections).toBeLessThanOrEqual(MOST_CONNECTIONS);
  });

  it('case 42: it is drained exactly once, to its end', async () => {
    upstream = await scriptedUpstream(() => undefined);
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    latchkey.capture('other', bearer('token-b'));
    let readers = 0;
    let ended = 0;
    const chunks = [new Uint8Array(1_000), new Uint8Array(1_000)];
    const body = new ReadableStream({
      pull: (controller) => {
        const chunk = chunks.shift();
        if (chunk !== undefined) return controller.enqueue(chunk);
        ended++;
        controller.close();
      },
    });
    const getReader = body.getReader.bind(body);
    Object.assign(body, { getReader: () => ++readers && getReader() });
    const value = await latchkey.run('s', (_, { attempt }) =>
      attempt === 1 ? { status: 401, headers: {}, body, bodyUsed: false } : 'done',
    );
    expect(value).toBe('done');
    await vi.waitFor(() => expect(ended).toBe(1), { timeout: 5_000 });
    expect(readers).toBe(1);
  });

  it('case 42: a body that is a stream of Node is drained too', async () => {
    upstream = await scriptedUpstream(() => undefined);
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    latchkey.capture('other', bearer('token-b'));
    const body = Readable.from([Buffer.alloc(1_000), Buffer.alloc(1_000)]);
    await latchkey.run('s', (_, { attempt }) => (attempt === 1 ? { status: 401, headers: {}, body } : 'done'));
    await vi.waitFor(() => expect(body.readableEnded).toBe(true), { timeout: 5_000 });
  });

  it('case 42: a returned 503 is given up for its retry, and the socket is used again', async () => {
    upstream = await scriptedUpstream(({ count }) =>
      count % 3 === 0 ? { status: 200, body: 'ok' } : { status: 503, body: 'busy'.repeat(500) },
    );
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    for (let round = 0; round < 5; round++) {
      const response = await latchkey.run('s', (lease) => fetch(upstream.url, { headers: lease.headers() }), {
        transient: { retries: 2, minMs: 1 },
      });
      expect(await response.text()).toBe('ok');
    }
    expect(upstream.requests).toHaveLength(15);
    expect(upstream.connections).toBeLessThanOrEqual(MOST_CONNECTIONS);
  });

  it('case 43: `context.check` on a JSON API that answers 401 with a body is recognised, and retried with the fallback', async () => {
    upstream = await scriptedUpstream(({ headers }) =>
      headers.authorization === 'Bearer token-a' ? UNAUTHORIZED : { status: 200, body: '{"id":7}' },
    );
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    latchkey.capture('other', bearer('token-b'));
    const value = await latchkey.run('s', async (lease, { check }) => {
      const response = await check(await fetch(upstream.url, { headers: lease.headers() }));
      return response.json();
    });
    expect(value).toEqual({ id: 7 });
    expect(upstream.requests).toHaveLength(2);
    expect(upstream.connections).toBeLessThanOrEqual(MOST_CONNECTIONS);
  });

  it('case 43: what a 400 says in its body counts, and the caller can still read it', async () => {
    const body = JSON.stringify({ error: { code: 400, details: [{ reason: 'API_KEY_INVALID' }] } });
    upstream = await scriptedUpstream(() => ({ status: 400, body }));
    const latchkey = createLatchkey();
    latchkey.capture({ session: 's', provider: 'google' }, bearer('token-a'));
    const response = await latchkey.run(
      { session: 's', provider: 'google' },
      (lease) => fetch(upstream.url, { headers: lease.headers() }),
      {
        rejected: 'return',
      },
    );
    expect(latchkey.canRun({ session: 's', provider: 'google' })).toBe(false);
    expect(await response.text()).toBe(body);
  });

  it("case 33: `rejected: 'return'` gives a real 401 unread", async () => {
    upstream = await scriptedUpstream(() => UNAUTHORIZED);
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    const response = await latchkey.run('s', (lease) => fetch(upstream.url, { headers: lease.headers() }), { rejected: 'return' });
    expect(response.bodyUsed).toBe(false);
    expect(await response.text()).toBe(UNAUTHORIZED.body);
    expect(latchkey.canRun('s')).toBe(false);
  });

  it('case 42: a 401 whose body never ends does not hold up the retry', async () => {
    upstream = await scriptedUpstream(({ headers }) =>
      headers.authorization === 'Bearer token-a'
        ? (_, response) => void response.writeHead(401).write('x'.repeat(100))
        : { status: 200, body: 'ok' },
    );
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    latchkey.capture('other', bearer('token-b'));
    const response = await latchkey.run('s', (lease) => fetch(upstream.url, { headers: lease.headers() }), { timeoutMs: 10_000 });
    expect(await response.text()).toBe('ok');
  });

  it('case 44: an abort breaks the request off, and the server sees its connection closed', async () => {
    let closed = false;
    const controller = new AbortController();
    upstream = await scriptedUpstream(() => (request) => {
      request.socket.on('close', () => {
        closed = true;
      });
      controller.abort(new Error('the caller has gone'));
    });
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    const run = latchkey.run('s', (lease, { signal }) => fetch(upstream.url, { headers: lease.headers(), signal }), {
      signal: controller.signal,
    });
    await expect(run).rejects.toThrow('the caller has gone');
    await vi.waitFor(() => expect(closed).toBe(true), { timeout: 5_000 });
    expect(latchkey.stats()).toMatchObject({ rejected: 0, running: 0 });
  });

  it('case 45: a connection that is refused is a failure that passes', async () => {
    upstream = await scriptedUpstream(() => undefined);
    const { url } = upstream;
    await upstream.close();
    upstream = await scriptedUpstream(() => undefined);
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    let calls = 0;
    const attempt = () => {
      calls++;
      return fetch(url);
    };
    await expect(latchkey.run('s', attempt, { transient: { retries: 2, minMs: 1 } })).rejects.toThrow('fetch failed');
    expect(calls).toBe(3);
    expect(latchkey.canRun('s')).toBe(true);
  });
});
