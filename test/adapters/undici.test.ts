import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, Client, type Dispatcher, interceptors, Pool, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OutgoingRequest } from '../../src/adapters/outgoing.js';
import { type AuthInterceptorOptions, createAuthInterceptor } from '../../src/adapters/undici.js';
import { apiKey, bearer, createLatchkey, type Latchkey, type Scope } from '../../src/index.js';
import { type Answer, scriptedUpstream, type Upstream } from '../support/upstream.js';

describe('createAuthInterceptor', () => {
  let upstream: Upstream;
  let latchkey: Latchkey;
  let agent: Agent;
  let answer: (request: { headers: IncomingMessage['headers']; path: string; count: number }) => Answer | undefined;
  const only401 = (good: string) => {
    answer = ({ headers }) => ({ status: headers['authorization'] === `Bearer ${good}` ? 200 : 401, body: 'said' });
  };
  const composed = (options: Partial<AuthInterceptorOptions> = {}): Dispatcher =>
    agent.compose(createAuthInterceptor(latchkey, { scope: 's', origins: [upstream.url], ...options }));
  const sentAuthorization = (): unknown[] => upstream.requests.map(({ headers }) => headers['authorization']);

  beforeEach(async () => {
    answer = () => ({ status: 200 });
    upstream = await scriptedUpstream((received) => answer(received));
    latchkey = createLatchkey();
    agent = new Agent();
  });
  afterEach(async () => {
    await agent.destroy();
    await upstream.close();
  });

  it('sends the credential, and the answer is proof by the time that the caller has it', async () => {
    latchkey.capture('s', bearer('token'));
    answer = () => ({ status: 201, headers: { 'x-made': 'yes' }, body: 'made' });
    const { statusCode, headers, body } = await request(`${upstream.url}/things?page=2`, {
      dispatcher: composed(),
      method: 'POST',
      body: 'x',
    });
    expect(latchkey.stats().accepted).toBe(1);
    expect([statusCode, headers['x-made'], await body.text()]).toEqual([201, 'yes', 'made']);
    expect(upstream.requests).toMatchObject([
      { method: 'POST', path: '/things?page=2', headers: { authorization: 'Bearer token' }, body: 'x' },
    ]);
  });

  it('sends an API key under its own header', async () => {
    latchkey.capture('s', apiKey('key', { header: 'x-goog-api-key' }));
    await (await request(upstream.url, { dispatcher: composed() })).body.dump();
    expect(upstream.requests[0]?.headers).toMatchObject({ 'x-goog-api-key': 'key' });
  });

  it('after a 401 sends once more, with the credential that came meanwhile', async () => {
    latchkey.capture('s', bearer('old'));
    answer = ({ count }) => {
      if (count === 1) latchkey.capture('s', bearer('new'));
      return count === 1 ? { status: 401, body: 'old' } : { status: 200, headers: { 'x-count': String(count) }, body: 'fine' };
    };
    const { statusCode, headers, body } = await request(upstream.url, { dispatcher: composed(), method: 'PUT', body: 'work' });
    expect([statusCode, headers['x-count'], await body.text()]).toEqual([200, '2', 'fine']);
    expect(sentAuthorization()).toEqual(['Bearer old', 'Bearer new']);
    expect(upstream.requests.map(({ body: sent }) => sent)).toEqual(['work', 'work']);
  });

  it('gives the caller a 401 that nothing can be done about, with all it has, and then sends no more', async () => {
    latchkey.capture('s', bearer('dead'));
    answer = () => ({ status: 401, headers: { 'www-authenticate': 'Bearer realm="up"' }, body: '{"why":"expired"}' });
    const { statusCode, headers, body } = await request(upstream.url, { dispatcher: composed() });
    expect([statusCode, headers['www-authenticate'], await body.json()]).toEqual([401, 'Bearer realm="up"', { why: 'expired' }]);
    await expect(request(upstream.url, { dispatcher: composed() })).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED', status: 401 });
    expect(upstream.requests).toHaveLength(1);
  });

  it('fails with CREDENTIAL_MISSING, and sends nothing, when nothing was captured', async () => {
    await expect(request(upstream.url, { dispatcher: composed() })).rejects.toMatchObject({ code: 'CREDENTIAL_MISSING' });
    expect(upstream.requests).toEqual([]);
  });

  it('parks until fresh auth comes', async () => {
    const parked = new Promise<void>((resolve) => void latchkey.on('parked', () => resolve()));
    const answered = request(upstream.url, { dispatcher: composed({ whenBlocked: 'park' }) });
    await parked;
    latchkey.capture('s', bearer('fresh'));
    expect((await answered).statusCode).toBe(200);
    expect(sentAuthorization()).toEqual(['Bearer fresh']);
  });

  it("`fallback: 'none'` borrows nothing", async () => {
    latchkey.capture('other', bearer('global'));
    await expect(request(upstream.url, { dispatcher: composed({ fallback: 'none' }) })).rejects.toMatchObject({
      code: 'CREDENTIAL_MISSING',
    });
    expect((await request(upstream.url, { dispatcher: composed() })).statusCode).toBe(200);
  });

  describe('leaves alone', () => {
    beforeEach(() => {
      latchkey.capture('s', bearer('token'));
      answer = () => ({ status: 401, body: 'no' });
    });
    const untouched = async (options: Parameters<typeof request>[1], dispatcher = composed()): Promise<void> => {
      const { statusCode, body } = await request(upstream.url, { ...options, dispatcher });
      expect([statusCode, await body.text()]).toEqual([401, 'no']);
      expect(latchkey.stats()).toMatchObject({ rejected: 0, retried: 0 });
      expect(upstream.requests).toHaveLength(1);
    };

    it.each<[string, NonNullable<Dispatcher.DispatchOptions['headers']>]>([
      ['authorization in an object', { Authorization: 'Bearer own' }],
      ['x-api-key in a flat list', ['X-API-Key', 'own']],
      ['x-goog-api-key in pairs', new Map([['X-Goog-Api-Key', 'own']])],
      ['api-key in an iterator', [['API-KEY', 'own']].values() as Iterable<[string, string]>],
    ])('a request with a credential header of its own: %s', async (_, headers) => {
      await untouched({ headers });
      const { authorization = 'none', ...others } = upstream.requests[0]?.headers ?? {};
      expect(authorization === 'Bearer own' || (authorization === 'none' && Object.values(others).includes('own'))).toBe(true);
      expect(latchkey.stats().attempts).toBe(0);
    });

    it("a request that brings the lease's own header", async () => {
      latchkey.capture('s', apiKey('secret', { header: 'x-token' }));
      await untouched({ headers: { 'X-Token': 'own' } });
      expect(upstream.requests[0]?.headers).toMatchObject({ 'x-token': 'own' });
    });

    it('a request to another origin', async () => {
      await untouched({}, composed({ origins: ['https://api.example.com'] }));
      expect(sentAuthorization()).toEqual([undefined]);
    });

    it('a request for whose scope the rule says undefined', async () => {
      const asked: OutgoingRequest[] = [];
      const scope = (one: OutgoingRequest): Scope | undefined => {
        asked.push(one);
        return undefined;
      };
      await untouched({ method: 'DELETE' }, composed({ scope }));
      expect(asked).toEqual([{ url: new URL(upstream.url), method: 'DELETE' }]);
      expect(sentAuthorization()).toEqual([undefined]);
    });

    it('a request of a client that does not say where it goes', async () => {
      const client = new Client(upstream.url).compose(createAuthInterceptor(latchkey, { scope: 's', origins: [upstream.url] }));
      const { statusCode } = await client.request({ path: '/', method: 'GET' });
      expect([statusCode, sentAuthorization()]).toEqual([401, [undefined]]);
      await client.destroy();
    });

    it('a path that is a URL of another origin', async () => {
      const client = new Client(upstream.url).compose(createAuthInterceptor(latchkey, { scope: 's', origins: [upstream.url] }));
      await client.request({ origin: upstream.url, path: 'http://elsewhere.example/', method: 'GET' });
      expect(sentAuthorization()).toEqual([undefined]);
      await client.destroy();
    });
  });

  it('takes the scope from a rule, and an origin in any spelling', async () => {
    latchkey.capture('one', bearer('first'));
    latchkey.capture('two', bearer('second'));
    const dispatcher = composed({ scope: ({ url }) => url.pathname.slice(1), origins: [`${upstream.url.replace('http:', 'HTTP:')}/`] });
    await request(new URL(`${upstream.url}/one`), { dispatcher });
    await request(`${upstream.url}/two`, { dispatcher });
    expect(sentAuthorization()).toEqual(['Bearer first', 'Bearer second']);
  });

  it('a rule that throws fails the one request, and a scope that is none too', async () => {
    latchkey.capture('s', bearer('token'));
    const failing = composed({
      scope: ({ url }) => {
        if (url.pathname === '/bad') throw new RangeError('no such tenant');
        return url.pathname === '/none' ? (7 as unknown as Scope) : 's';
      },
    });
    await expect(request(`${upstream.url}/bad`, { dispatcher: failing })).rejects.toThrow(RangeError);
    await expect(request(`${upstream.url}/none`, { dispatcher: failing })).rejects.toThrow(TypeError);
    expect((await request(`${upstream.url}/fine`, { dispatcher: failing })).statusCode).toBe(200);
    expect(upstream.requests).toHaveLength(1);
  });

  it('without anybody to tell of it, the error is thrown', () => {
    const scope = (): never => {
      throw new RangeError('no such tenant');
    };
    const dispatch = createAuthInterceptor(latchkey, { scope, origins: [upstream.url] })(agent.dispatch.bind(agent));
    expect(() => dispatch({ origin: upstream.url, path: '/', method: 'GET' }, {})).toThrow(RangeError);
  });

  it.each<[string, NonNullable<Dispatcher.DispatchOptions['headers']>]>([
    ['an object', { 'X-One': '1', 'x-two': ['2', '3'] }],
    ['a flat list', ['X-One', '1', 'x-two', '2', 'x-two', '3']],
    ['a list of pairs', Object.entries({ 'X-One': '1', 'x-two': ['2', '3'] }) as never],
    [
      'a Map',
      new Map<string, string | string[]>([
        ['X-One', '1'],
        ['x-two', ['2', '3']],
      ]),
    ],
    [
      'an iterator',
      new Map<string, string | string[]>([
        ['X-One', '1'],
        ['x-two', ['2', '3']],
      ]).entries(),
    ],
    [
      'Headers',
      new Headers([
        ['X-One', '1'],
        ['x-two', '2, 3'],
      ]) as never,
    ],
    ['an object without the value of a credential header', { 'x-one': '1', 'x-two': '2, 3', authorization: undefined }],
  ])('keeps headers given as %s, in both sendings', async (_, headers) => {
    latchkey.capture('s', bearer('dead'));
    latchkey.capture('other', bearer('good'));
    only401('good');
    const { statusCode } = await request(upstream.url, { dispatcher: composed(), headers });
    expect(statusCode).toBe(200);
    expect(upstream.requests.map(({ headers: sent }) => [sent['x-one'], sent['x-two']])).toEqual([
      ['1', '2, 3'],
      ['1', '2, 3'],
    ]);
    expect(sentAuthorization()).toEqual(['Bearer dead', 'Bearer good']);
  });

  it.each<[string, unknown]>([
    ['a list of odd length', ['x-one']],
    ['pairs that are none', new Set(['ab'])],
    ['a text', 'x-one: 1'],
  ])('refuses headers that are %s, and learns nothing', async (_, headers) => {
    latchkey.capture('s', bearer('token'));
    await expect(request(upstream.url, { dispatcher: composed(), headers: headers as never })).rejects.toThrow(/headers/);
    expect([upstream.requests.length, latchkey.stats().rejected, latchkey.canRun('s')]).toEqual([0, 0, true]);
  });

  it('works on a Pool, under a retry interceptor, and for two origins', async () => {
    const second = await scriptedUpstream(({ count }) => ({ status: count === 1 ? 503 : 200 }));
    latchkey.capture('s', bearer('token'));
    const auth = createAuthInterceptor(latchkey, { scope: 's', origins: [upstream.url, second.url] });
    const pool = new Pool(second.url).compose(auth, interceptors.retry({ minTimeout: 1, maxTimeout: 1 }));
    expect((await pool.request({ origin: second.url, path: '/', method: 'GET' })).statusCode).toBe(200);
    expect(second.requests.map(({ headers }) => headers['authorization'])).toEqual(['Bearer token', 'Bearer token']);
    expect((await request(upstream.url, { dispatcher: agent.compose(auth) })).statusCode).toBe(200);
    await pool.destroy();
    await second.close();
  });

  it('an informational answer settles nothing, and reaches the caller', async () => {
    latchkey.capture('s', bearer('dead'));
    latchkey.capture('other', bearer('good'));
    answer =
      ({ headers }) =>
      (_request, response) => {
        response.writeEarlyHints({ link: '</a.css>; rel=preload' });
        response.writeHead(headers['authorization'] === 'Bearer good' ? 200 : 401).end();
      };
    const hints: number[] = [];
    const { statusCode } = await request(upstream.url, { dispatcher: composed(), onInfo: (info) => void hints.push(info.statusCode) });
    expect([statusCode, hints]).toEqual([200, [103, 103]]);
    expect(latchkey.stats()).toMatchObject({ rejected: 1, accepted: 1 });
  });

  it('closed, every request fails with CLOSED', async () => {
    latchkey.capture('s', bearer('token'));
    await latchkey.close();
    await expect(request(upstream.url, { dispatcher: composed() })).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('an emitter works as the signal, as with undici alone', async () => {
    const signal = new EventEmitter();
    const answered = request(upstream.url, { dispatcher: composed({ whenBlocked: 'park' }), signal });
    signal.emit('abort');
    await expect(answered).rejects.toMatchObject({ code: 'UND_ERR_ABORTED' });
  });
});
