import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { Agent } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AuthFetchBody, createAuthFetch } from '../../src/adapters/fetch.js';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { scriptedUpstream, type Upstream } from '../support/upstream.js';

const BYTES = Uint8Array.from({ length: 300 }, (_, index) => index % 256);
const TEXT = 'naïve – 你好';

/** What a body stands for on the wire; a form's boundary is made up anew for every sending. */
interface Kind {
  readonly name: string;
  readonly make: () => AuthFetchBody;
  readonly bytes: (body: Buffer, contentType: string) => unknown;
  readonly expected: unknown;
}

const raw = (body: Buffer): string => body.toString('hex');
const hex = (source: string | Uint8Array): string => Buffer.from(source).toString('hex');

const form = (): FormData => {
  const data = new FormData();
  data.set('text', TEXT);
  data.set('file', new File([BYTES], 'bytes.bin', { type: 'application/octet-stream' }));
  return data;
};

async function formContent(body: Buffer, contentType: string): Promise<unknown> {
  const data = await new Response(new Uint8Array(body), { headers: { 'content-type': contentType } }).formData();
  const file = data.get('file') as File;
  return { text: data.get('text'), name: file.name, bytes: hex(new Uint8Array(await file.arrayBuffer())) };
}

const REPLAYED: readonly Kind[] = [
  { name: 'a string', make: () => TEXT, bytes: raw, expected: hex(TEXT) },
  { name: 'a buffer', make: () => Buffer.from(BYTES), bytes: raw, expected: hex(BYTES) },
  { name: 'a view of a part', make: () => BYTES.subarray(10, 20), bytes: raw, expected: hex(BYTES.subarray(10, 20)) },
  { name: 'an ArrayBuffer', make: () => BYTES.slice().buffer, bytes: raw, expected: hex(BYTES) },
  { name: 'a Blob', make: () => new Blob([BYTES]), bytes: raw, expected: hex(BYTES) },
  { name: 'URLSearchParams', make: () => new URLSearchParams({ q: 'a b&c' }), bytes: raw, expected: hex('q=a+b%26c') },
  { name: 'FormData', make: form, bytes: formContent, expected: { text: TEXT, name: 'bytes.bin', bytes: hex(BYTES) } },
  { name: 'a factory of a stream', make: () => () => new Blob([BYTES]).stream(), bytes: raw, expected: hex(BYTES) },
  { name: 'an asynchronous factory', make: () => async () => TEXT, bytes: raw, expected: hex(TEXT) },
];

const ONE_SHOT: readonly { name: string; make: () => AuthFetchBody }[] = [
  { name: 'a web stream', make: () => new Blob([BYTES]).stream() },
  { name: 'a Node stream', make: () => Readable.from([Buffer.from(BYTES)]) as unknown as AuthFetchBody },
];

describe('bodies of createAuthFetch', () => {
  let upstream: Upstream;
  let latchkey: Latchkey;
  let bodies: Buffer[];

  beforeEach(async () => {
    bodies = [];
    latchkey = createLatchkey();
    upstream = await scriptedUpstream(({ headers, raw: body }) => {
      bodies.push(body);
      if (headers['authorization'] === 'Bearer fresh') return { status: 200, body: 'done' };
      latchkey.capture('s', bearer('fresh'));
      return { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' }, body: '{"error":"expired"}' };
    });
    latchkey.capture('s', bearer('stale'));
  });
  afterEach(() => upstream.close());

  it.each(REPLAYED)('$name is sent again, the same', async ({ make, bytes, expected }) => {
    const authFetch = createAuthFetch(latchkey, { scope: 's' });
    const response = await authFetch(upstream.url, { method: 'POST', body: make() });
    expect([response.status, await response.text()]).toEqual([200, 'done']);
    expect(upstream.requests.map(({ headers }) => headers['authorization'])).toEqual(['Bearer stale', 'Bearer fresh']);
    for (const [index, body] of bodies.entries())
      expect(await bytes(body, upstream.requests[index]?.headers['content-type'] ?? '')).toEqual(expected);
    expect(bodies).toHaveLength(2);
  });

  it.each(ONE_SHOT)('$name is sent once: the 401 comes back, unread, and the verdict is recorded', async ({ make }) => {
    const authFetch = createAuthFetch(latchkey, { scope: 's', whenBlocked: 'park' });
    const response = await authFetch(upstream.url, { method: 'POST', body: make() });
    expect([response.status, response.bodyUsed, await response.text()]).toEqual([401, false, '{"error":"expired"}']);
    expect(response.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    expect(bodies.map(raw)).toEqual([hex(BYTES)]);
    expect(latchkey.stats()).toMatchObject({ retried: 0 });
    expect(latchkey.resolve('s')).toMatchObject({ ok: true });
    await authFetch(upstream.url);
    expect(upstream.requests.at(-1)?.headers['authorization']).toBe('Bearer fresh');
  });

  it('a Request with a body is a stream too; one without is sent again', async () => {
    const authFetch = createAuthFetch(latchkey, { scope: 's' });
    const posted = await authFetch(new Request(upstream.url, { method: 'POST', body: TEXT, headers: { 'x-note': 'kept' } }));
    expect(posted.status).toBe(401);
    expect(upstream.requests[0]).toMatchObject({ method: 'POST', body: TEXT, headers: { 'x-note': 'kept' } });

    latchkey.evict('s');
    latchkey.capture('s', bearer('stale-2'));
    const got = await authFetch(new Request(upstream.url, { method: 'DELETE', headers: { 'x-note': 'kept' } }));
    expect(got.status).toBe(200);
    expect(upstream.requests.slice(1).map(({ method, headers }) => [method, headers['x-note'], headers['authorization']])).toEqual([
      ['DELETE', 'kept', 'Bearer stale-2'],
      ['DELETE', 'kept', 'Bearer fresh'],
    ]);
  });

  it.each<[string, () => { body: AuthFetchBody; change(): void }, string]>([
    [
      'buffer',
      () => ({
        body: Buffer.from('mine'),
        change() {
          (this.body as Buffer).write('gone');
        },
      }),
      'mine',
    ],
    [
      'view',
      () => ({
        body: new TextEncoder().encode('..mine').subarray(2),
        change() {
          (this.body as Uint8Array).fill(0);
        },
      }),
      'mine',
    ],
    [
      'ArrayBuffer',
      () => ({
        body: new TextEncoder().encode('mine').buffer,
        change() {
          new Uint8Array(this.body as ArrayBuffer).fill(0);
        },
      }),
      'mine',
    ],
    [
      'URLSearchParams',
      () => ({
        body: new URLSearchParams('q=mine'),
        change() {
          (this.body as URLSearchParams).set('q', 'x');
        },
      }),
      'q=mine',
    ],
  ])('a %s that is changed while the call is out is sent as it was, both times', async (_kind, make, expected) => {
    const given = make();
    const call = createAuthFetch(latchkey, { scope: 's' })(upstream.url, { method: 'POST', body: given.body });
    given.change();
    expect((await call).status).toBe(200);
    expect(bodies.map(String)).toEqual([expected, expected]);
  });

  it('a form that is changed while the call is out is sent as it was', async () => {
    const body = form();
    const call = createAuthFetch(latchkey, { scope: 's' })(upstream.url, { method: 'POST', body });
    body.set('text', 'changed');
    await call;
    for (const sent of bodies) expect(String(sent)).toContain(TEXT);
  });

  it('a Node stream that fails while the call waits fails the call, and nothing else', async () => {
    const parked = createAuthFetch(latchkey, { scope: 'nobody', fallback: 'none', whenBlocked: 'park' });
    const body = new Readable({ read() {} });
    const call = parked(upstream.url, { method: 'POST', body: body as unknown as AuthFetchBody });
    body.destroy(new Error('the upload broke off'));
    await new Promise((resolve) => body.once('close', resolve));
    latchkey.capture('nobody', bearer('fresh'));
    await expect(call).rejects.toThrow('the upload broke off');
    expect(upstream.requests).toHaveLength(0);
    expect(latchkey.stats()).toMatchObject({ accepted: 0, rejected: 0 });
  });

  it('a Request goes out as it is, with what cannot be read from it', async () => {
    const dispatched: string[] = [];
    const agent = new Agent().compose((dispatch) => (options, handler) => {
      dispatched.push(String(options.path));
      return dispatch(options, handler);
    });
    const init = { dispatcher: agent } as unknown as RequestInit;
    const authFetch = createAuthFetch(latchkey, { scope: 's' });
    expect((await authFetch(new Request(`${upstream.url}/a`, init))).status).toBe(200);
    expect((await authFetch(new Request(`${upstream.url}/b`, { ...init, method: 'POST', body: 'text' }))).status).toBe(200);
    expect(dispatched).toEqual(['/a', '/a', '/b']);
    expect(bodies.map(String)).toEqual(['', '', 'text']);
    await agent.close();
  });

  it('`body: null` leaves a Request its own, which is sent once', async () => {
    const authFetch = createAuthFetch(latchkey, { scope: 's' });
    const response = await authFetch(new Request(upstream.url, { method: 'POST', body: TEXT }), { body: null });
    expect([response.status, await response.text()]).toEqual([401, '{"error":"expired"}']);
    expect(bodies.map(String)).toEqual([TEXT]);
  });

  it('`signal: null` takes a Request’s own away', async () => {
    const controller = new AbortController();
    const request = (): Request => new Request(upstream.url, { signal: controller.signal });
    const calls = [() => undefined, 's' as const].map((scope) => createAuthFetch(latchkey, { scope })(request(), { signal: null }));
    controller.abort();
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([401, 200]);
  });

  it('a Request’s own settings stand', async () => {
    latchkey.capture('s', bearer('fresh'));
    const authFetch = createAuthFetch(latchkey, { scope: 's' });
    const integrity = (text: string): string => `sha256-${createHash('sha256').update(text).digest('base64')}`;
    await expect(authFetch(new Request(upstream.url, { integrity: integrity('something else') }))).rejects.toThrow(TypeError);
    expect(await (await authFetch(new Request(upstream.url, { integrity: integrity('done') }))).text()).toBe('done');
  });

  it('thirty rejected calls and their replays go over the sockets that are there', async () => {
    const authFetch = createAuthFetch(latchkey, { scope: 's' });
    for (let round = 0; round < 30; round++) {
      latchkey.evict('s');
      latchkey.capture('s', bearer(`stale-${round}`));
      const response = await authFetch(upstream.url, { method: 'POST', body: TEXT });
      expect(await response.text()).toBe('done');
    }
    expect(upstream.requests).toHaveLength(60);
    // One that is peeked at may still be busy for a moment when the replay goes out.
    expect(upstream.connections).toBeLessThanOrEqual(2);
  });
});
