import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { Agent, type Dispatcher, request, FormData as UndiciFormData } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AuthInterceptorOptions, createAuthInterceptor } from '../../src/adapters/undici.js';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { scriptedUpstream, type Upstream } from '../support/upstream.js';

type Body = NonNullable<Dispatcher.DispatchOptions['body']>;

let upstream: Upstream;
let latchkey: Latchkey;
let agent: Agent;
let good = 'good';
let contentTypes: string[] = [];
const composed = (options: Partial<AuthInterceptorOptions> = {}): Dispatcher =>
  agent.compose(createAuthInterceptor(latchkey, { scope: 's', origins: [upstream.url], ...options }));

beforeEach(async () => {
  good = 'good';
  contentTypes = [];
  upstream = await scriptedUpstream(({ headers }) => (received, response) => {
    contentTypes.push(received.rawHeaders.filter((_, at, all) => all[at - 1]?.toLowerCase() === 'content-type').join(' and '));
    const status = headers['authorization'] === `Bearer ${good}` ? 200 : 401;
    response.writeHead(status).end('{}');
  });
  latchkey = createLatchkey();
  agent = new Agent();
});
afterEach(async () => {
  await agent.destroy();
  await upstream.close();
});

function formData<F extends { append(name: string, value: string): void }>(form: F): F {
  form.append('field', 'a form value');
  return form;
}

function* generated(): Generator<string> {
  yield 'one-';
  yield 'shot';
}

/** Each sending has a boundary of its own. */
const withoutBoundary = (text: string): string => text.replaceAll(/-{4,}[\w-]+/g, 'BOUNDARY');

describe('the body of a request that is sent twice', () => {
  beforeEach(() => {
    latchkey.capture('s', bearer('dead'));
    latchkey.capture('other', bearer('good'));
  });

  it.each<[string, () => unknown, string | RegExp]>([
    ['a text', () => 'text', 'text'],
    ['an empty text', () => '', ''],
    ['null', () => null, ''],
    ['a Buffer', () => Buffer.from('bytes'), 'bytes'],
    ['a view on part of a buffer', () => new DataView(new TextEncoder().encode('..view..').buffer, 2, 4), 'view'],
    ['a typed array', () => new TextEncoder().encode('typed'), 'typed'],
    ['an ArrayBuffer', () => new TextEncoder().encode('whole').buffer, 'whole'],
    ['a Blob', () => new Blob(['blob ', 'parts']), 'blob parts'],
    ['FormData', () => formData(new FormData()), /name="field"\r\n\r\na form value\r\n/],
    ["undici's own FormData", () => formData(new UndiciFormData()), /name="field"\r\n\r\na form value\r\n/],
    ['URLSearchParams', () => new URLSearchParams({ q: 'a b', r: '&' }), 'q=a+b&r=%26'],
    ['what a factory makes', () => () => Readable.from(['made', ' anew']), 'made anew'],
    ['a text that a factory makes', () => () => 'made', 'made'],
  ])('%s arrives both times', async (_, body, expected) => {
    const { statusCode } = await request(upstream.url, { dispatcher: composed(), method: 'POST', body: body() as Body });
    expect([statusCode, upstream.requests.length]).toEqual([200, 2]);
    const [first, second] = upstream.requests.map((sent) => withoutBoundary(sent.body));
    if (typeof expected === 'string') expect(first).toBe(expected);
    else expect(first).toMatch(expected);
    expect(second).toBe(first);
  });

  it('FormData brings its content type, with the boundary', async () => {
    await request(upstream.url, { dispatcher: composed(), method: 'POST', body: formData(new FormData()) as never });
    for (const { headers, body } of upstream.requests) {
      const [, boundary = 'none'] = /^multipart\/form-data; boundary=(.+)$/.exec(headers['content-type'] ?? '') ?? [];
      expect(body).toContain(`--${boundary}--`);
    }
    expect(upstream.requests).toHaveLength(2);
  });

  it('URLSearchParams bring their content type, unless there is one', async () => {
    const body = new URLSearchParams({ a: '1' }) as unknown as Body;
    await request(upstream.url, { dispatcher: composed(), method: 'POST', body });
    await request(upstream.url, { dispatcher: composed(), method: 'POST', body, headers: { 'Content-Type': 'text/plain' } });
    expect(contentTypes).toEqual([
      'application/x-www-form-urlencoded;charset=UTF-8',
      'application/x-www-form-urlencoded;charset=UTF-8',
      'text/plain',
    ]);
  });

  it.each<[string, () => unknown]>([
    ['a Readable', () => Readable.from(['one-', 'shot'])],
    ['a web stream', () => ReadableStream.from([Buffer.from('one-'), Buffer.from('shot')])],
    ['a generator', generated],
  ])('%s is sent once: the caller gets the 401, and the verdict stands', async (_, body) => {
    const { statusCode } = await request(upstream.url, { dispatcher: composed(), method: 'POST', body: body() as Body });
    expect([statusCode, upstream.requests.map((sent) => sent.body)]).toEqual([401, ['one-shot']]);
    expect(latchkey.stats()).toMatchObject({ rejected: 1, retried: 0 });
    const again = await request(upstream.url, { dispatcher: composed(), method: 'POST', body: body() as Body });
    expect([again.statusCode, upstream.requests[1]?.headers['authorization']]).toEqual([200, 'Bearer good']);
  });

  it('a factory is asked for a request that goes out without a credential too', async () => {
    const body = (() => 'made') as unknown as Body;
    await request(upstream.url, { dispatcher: composed({ origins: ['https://api.example.com'] }), method: 'POST', body });
    await request(upstream.url, { dispatcher: composed(), method: 'POST', body, headers: { authorization: 'Bearer own' } });
    expect(upstream.requests.map(({ body: sent }) => sent)).toEqual(['made', 'made']);
  });

  it('a factory that throws fails its request, and learns nothing', async () => {
    const body = (() => {
      throw Object.assign(new RangeError('no body today'), { status: 401 });
    }) as unknown as Body;
    const elsewhere = composed({ origins: ['https://api.example.com'] });
    for (const dispatcher of [composed(), elsewhere])
      await expect(request(upstream.url, { dispatcher, method: 'POST', body })).rejects.toThrow(RangeError);
    expect([upstream.requests.length, latchkey.stats().rejected, latchkey.stats().accepted]).toEqual([0, 0, 0]);
  });

  it('a stream that fails while the request is parked fails the request', async () => {
    latchkey.evict('s');
    latchkey.evict('other');
    const body = new Readable({ read() {} });
    const answered = request(upstream.url, { dispatcher: composed({ whenBlocked: 'park' }), method: 'POST', body });
    body.destroy(new RangeError('the disk is gone'));
    await expect(answered).rejects.toThrow(RangeError);
    expect(upstream.requests).toEqual([]);
  });
});

describe('many requests', () => {
  it('thirty that are rejected and sent again share their sockets', async () => {
    const dispatcher = composed();
    for (let round = 0; round < 30; round++) {
      good = `good-${round}`;
      latchkey.capture('s', bearer(`dead-${round}`));
      latchkey.capture('other', bearer(good));
      const { statusCode, body } = await request(upstream.url, { dispatcher, method: 'POST', body: 'work' });
      expect(statusCode).toBe(200);
      await body.dump();
    }
    expect(upstream.requests).toHaveLength(60);
    // undici opens a second one by itself for requests that follow one another closely.
    expect(upstream.connections).toBeLessThanOrEqual(2);
  });
});
