import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type AuthFetchOptions, createAuthFetch } from '../../src/adapters/fetch.js';
import { apiKey, bearer, createLatchkey, isLatchkeyError, type Latchkey } from '../../src/index.js';
import { deferred } from '../support/deferred.js';
import { hearAll } from '../support/heard.js';
import { scriptedUpstream, type Upstream } from '../support/upstream.js';

describe('createAuthFetch', () => {
  let upstream: Upstream;
  let latchkey: Latchkey;
  let onRejected: () => void;

  beforeEach(async () => {
    onRejected = () => {};
    upstream = await scriptedUpstream(({ headers, path }) => {
      if (path === '/busy') return { status: 503, headers: { 'retry-after': '0' } };
      if (headers['authorization'] === 'Bearer live' || headers['x-api-key'] === 'live' || headers['x-own-key'] === 'live')
        return { status: 200, body: 'done' };
      onRejected();
      return { status: 401, headers: { 'www-authenticate': 'Bearer', 'content-type': 'application/json' }, body: '{"error":"expired"}' };
    });
    latchkey = createLatchkey();
  });
  afterEach(() => upstream.close());

  it('attaches the credential beside the caller’s own headers, whatever form they have', async () => {
    latchkey.capture('s', bearer('live'));
    const authFetch = createAuthFetch(latchkey, { scope: 's' });
    for (const headers of [{ 'X-Note': 'a' }, [['x-note', 'a']] as [string, string][], new Headers({ 'x-note': 'a' })])
      expect((await authFetch(new URL(upstream.url), { headers })).status).toBe(200);
    for (const { headers } of upstream.requests) expect(headers).toMatchObject({ authorization: 'Bearer live', 'x-note': 'a' });
  });

  it('never throws for a 401: it comes back as it came, unread, once', async () => {
    latchkey.capture('s', bearer('dead'));
    const response = await createAuthFetch(latchkey, { scope: 's' })(upstream.url);
    expect([response.status, response.bodyUsed, response.headers.get('www-authenticate')]).toEqual([401, false, 'Bearer']);
    expect(await response.json()).toEqual({ error: 'expired' });
    expect(upstream.requests).toHaveLength(1);
    expect(latchkey.canRun('s')).toBe(false);
  });

  it('replays once with the credential that has come in the meantime, and no more', async () => {
    latchkey.capture('s', bearer('dead-1'));
    let next = 2;
    onRejected = () => void latchkey.capture('s', bearer(`dead-${next++}`));
    const response = await createAuthFetch(latchkey, { scope: 's' })(upstream.url);
    expect(response.status).toBe(401);
    expect(upstream.requests.map(({ headers }) => headers['authorization'])).toEqual(['Bearer dead-1', 'Bearer dead-2']);
  });

  it('rejects with a LatchkeyError when there is nothing to send with, and sends nothing', async () => {
    const authFetch = createAuthFetch(latchkey, { scope: 's' });
    await expect(authFetch(upstream.url)).rejects.toMatchObject({ code: 'CREDENTIAL_MISSING' });
    latchkey.capture('s', bearer('dead')).settle(401);
    await expect(authFetch(upstream.url)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    expect(upstream.requests).toHaveLength(0);
  });

  it.each([
    ['authorization', 'Bearer my-own'],
    ['Authorization', 'Basic bXktb3du'],
    ['x-api-key', 'my-own'],
    ['api-key', ''],
  ])('a call with its own %s goes out as it is, once, and nothing is learnt', async (name, value) => {
    latchkey.capture('s', bearer('live'));
    const heard = hearAll(latchkey);
    const response = await createAuthFetch(latchkey, { scope: 's' })(upstream.url, { headers: { [name]: value } });
    expect(response.status).toBe(401);
    expect(upstream.requests).toHaveLength(1);
    expect(upstream.requests[0]?.headers[name.toLowerCase()]).toBe(value);
    expect(upstream.requests[0]?.headers['authorization']).not.toBe('Bearer live');
    expect(heard).toEqual([]);
  });

  it('knows a header of the credential’s own by the lease, with a redirect and a body too', async () => {
    latchkey.capture('s', apiKey('live', { header: 'x-own-key' }));
    const authFetch = createAuthFetch(latchkey, { scope: 's' });
    const response = await authFetch(upstream.url, { method: 'POST', body: 'text', headers: { 'x-own-key': 'mine' } });
    expect(response.status).toBe(401);
    expect(upstream.requests.map(({ headers, body }) => [headers['x-own-key'], body])).toEqual([['mine', 'text']]);
    expect(latchkey.snapshot().verdicts).toEqual([]);
    expect((await authFetch(upstream.url)).status).toBe(200);
  });

  it('takes a placeholder for no header at all', async () => {
    latchkey.capture('s', bearer('live'));
    const authFetch = createAuthFetch(latchkey, { scope: 's', placeholder: 'unused' });
    expect((await authFetch(upstream.url, { headers: { authorization: 'Bearer unused' } })).status).toBe(200);
    expect((await authFetch(upstream.url, { headers: { 'x-api-key': 'unused' } })).status).toBe(200);
    expect((await authFetch(upstream.url, { headers: { authorization: 'Bearer unused-2' } })).status).toBe(401);
    expect(upstream.requests[1]?.headers['x-api-key']).toBeUndefined();
  });

  it('asks a scope rule with URL and method; undefined sends it as it is', async () => {
    latchkey.capture({ session: 's', provider: 'p' }, bearer('live'));
    const asked: string[] = [];
    const authFetch = createAuthFetch(latchkey, {
      scope: ({ url, method }) => {
        asked.push(`${method} ${url.pathname}`);
        return url.pathname === '/open' ? undefined : { session: 's', provider: 'p' };
      },
    });
    expect((await authFetch(`${upstream.url}/a`, { method: 'post' })).status).toBe(200);
    // Left as it is by fetch, and refused by Node.
    await authFetch(`${upstream.url}/b`, { method: 'patch' });
    expect((await authFetch(`${upstream.url}/open`)).status).toBe(401);
    expect(asked).toEqual(['POST /a', 'PATCH /b', 'GET /open']);
    expect(upstream.requests[1]?.headers['authorization']).toBeUndefined();
  });

  it('gives the credential to the named origins only', async () => {
    latchkey.capture('s', bearer('live'));
    const authFetch = createAuthFetch(latchkey, { scope: 's', origins: ['https://api.example.com/'] });
    expect((await authFetch(upstream.url)).status).toBe(401);
    expect(upstream.requests[0]?.headers['authorization']).toBeUndefined();
    expect(latchkey.canRun('s')).toBe(true);
    expect((await createAuthFetch(latchkey, { scope: 's', origins: [upstream.url] })(upstream.url)).status).toBe(200);
  });

  it('sends no credential over cleartext to another machine, unless allowed', async () => {
    latchkey.capture('s', bearer('live'));
    const sent: string[] = [];
    const fetch = async (url: unknown): Promise<Response> => {
      sent.push(String(url));
      return new Response('done');
    };
    const url = 'http://api.example.com/v1?key=1';
    await expect(createAuthFetch(latchkey, { scope: 's', fetch })(url)).rejects.toThrow(
      'createAuthFetch: no credential goes over cleartext HTTP to api.example.com; set `allowCleartext` if it must',
    );
    await expect(createAuthFetch(latchkey, { scope: 's', fetch })('http://127.0.0.1.example.com/')).rejects.toThrow(/cleartext/);
    expect(sent).toEqual([]);
    await createAuthFetch(latchkey, { scope: 's', fetch })('https://api.example.com/');
    await createAuthFetch(latchkey, { scope: 's', fetch })('http://[::1]:8080/');
    await createAuthFetch(latchkey, { scope: 's', fetch, allowCleartext: true })(url);
    // Without a credential it is not ours to refuse.
    await createAuthFetch(latchkey, { scope: () => undefined, fetch })(url);
    expect(sent).toHaveLength(4);
  });

  it('a URL that goes nowhere, and no init at all, are as with fetch: nothing is sent, nothing is proof', async () => {
    latchkey.capture('s', bearer('live'));
    const authFetch = createAuthFetch(latchkey, { scope: 's' });
    expect(await (await authFetch('data:text/plain,hello')).text()).toBe('hello');
    expect(latchkey.stats()).toMatchObject({ runs: 0, accepted: 0 });
    expect((await authFetch(upstream.url, null)).status).toBe(200);
  });

  it('takes what run takes: transient repeats, parking, a time limit', async () => {
    latchkey.capture('s', bearer('live'));
    const busy = await createAuthFetch(latchkey, { scope: 's', transient: { retries: 2, minMs: 0 } })(`${upstream.url}/busy`);
    expect([busy.status, upstream.requests.length]).toEqual([503, 3]);
    await expect(
      createAuthFetch(latchkey, { scope: 'other', timeoutMs: 5, whenBlocked: 'park', fallback: 'none' })(upstream.url),
    ).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  it.each([
    [undefined, '`options` must be an object'],
    [{}, '`scope` must be a scope, or a function that gives one'],
    [{ scope: 's', whenBlocked: 'skip' }, "`whenBlocked` must be 'throw' or 'park'"],
    [{ scope: 's', whenBlocked: 'wait' }, "`whenBlocked` must be 'throw' or 'skip' or 'park'"],
    [{ scope: 's', rejected: 'throw' }, 'unknown option `rejected`'],
    [{ scope: 's', retries: 2 }, 'unknown option `retries`'],
    [{ scope: 's', origins: 'https://a.example' }, '`origins` must be a list of origins'],
    [{ scope: 's', origins: ['api.example.com'] }, "`origins` must hold origins, such as 'https://api.example.com'"],
    [{ scope: 's', origins: ['https://a.example/path'] }, "`origins` must hold origins, such as 'https://api.example.com'"],
    [{ scope: 's', allowCleartext: 'yes' }, '`allowCleartext` must be a boolean'],
    [{ scope: 's', placeholder: '' }, '`placeholder` must be a string'],
    [{ scope: 's', fetch: 'fetch' }, '`fetch` must be a function'],
  ])('%j is a TypeError that names it', (options, message) => {
    expect(() => createAuthFetch(latchkey, options as AuthFetchOptions)).toThrow(new TypeError(`createAuthFetch: ${message}`));
  });

  it('a Latchkey that is none is a TypeError', () => {
    const message = 'createAuthFetch: `latchkey` must be what createLatchkey gives';
    expect(() => createAuthFetch(undefined as unknown as Latchkey, { scope: 's' })).toThrow(new TypeError(message));
  });

  it('what fetch would not take is a TypeError, as with fetch', async () => {
    latchkey.capture('s', bearer('live'));
    const authFetch = createAuthFetch(latchkey, { scope: 's' });
    await expect(authFetch('/relative')).rejects.toThrow(TypeError);
    await expect(authFetch(upstream.url, { headers: { 'bad name': 'a' } })).rejects.toThrow(TypeError);
    await expect(authFetch(upstream.url, { method: 'GET', body: 'text' })).rejects.toThrow(TypeError);
    expect(latchkey.snapshot().verdicts).toEqual([]);
  });

  describe('signals', () => {
    it('an abort before, while parked and while out rejects with its reason and changes no verdict', async () => {
      const reason = new Error('enough');
      latchkey.capture('s', bearer('live'));
      const authFetch = createAuthFetch(latchkey, { scope: 's', whenBlocked: 'park' });
      await expect(authFetch(upstream.url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);

      const parked = new AbortController();
      const waiting = createAuthFetch(latchkey, { scope: 'nobody', whenBlocked: 'park', fallback: 'none' })(upstream.url, {
        signal: parked.signal,
      });
      parked.abort(reason);
      await expect(waiting).rejects.toBe(reason);
      expect(upstream.requests).toHaveLength(0);

      const out = new AbortController();
      const arrived = deferred();
      const gone = deferred();
      const slow = await scriptedUpstream(() => (request) => {
        request.socket.once('close', () => gone.resolve());
        arrived.resolve();
      });
      const call = authFetch(slow.url, { signal: out.signal });
      await arrived.promise;
      out.abort(reason);
      await expect(call).rejects.toBe(reason);
      await gone.promise;
      expect(latchkey.snapshot().verdicts).toEqual([]);
      await slow.close();
    });

    it('an abort while the body is on its way breaks the body off, as with fetch', async () => {
      latchkey.capture('s', bearer('live'));
      const slow = await scriptedUpstream(() => (_request, response) => void response.writeHead(200).write('part'));
      const controller = new AbortController();
      const response = await createAuthFetch(latchkey, { scope: 's' })(slow.url, { signal: controller.signal });
      const text = response.text();
      controller.abort(new Error('enough'));
      await expect(text).rejects.toThrow('enough');
      await slow.close();
    });

    it('the time limit breaks off what is out, with a signal of the caller’s too', async () => {
      latchkey.capture('s', bearer('live'));
      const gone = deferred();
      const slow = await scriptedUpstream(() => (request) => void request.socket.once('close', () => gone.resolve()));
      const call = createAuthFetch(latchkey, { scope: 's', timeoutMs: 50 })(slow.url, { signal: new AbortController().signal });
      await expect(call).rejects.toMatchObject({ code: 'TIMEOUT' });
      await gone.promise;
      await slow.close();
    });
  });

  it('asks for the global fetch at each call, so that instrumentation and mocks see it', async () => {
    latchkey.capture('s', bearer('live'));
    const authFetch = createAuthFetch(latchkey, { scope: 's' });
    const stub = vi.fn(async () => new Response('stub'));
    vi.stubGlobal('fetch', stub);
    expect(await (await authFetch(upstream.url)).text()).toBe('stub');
  });

  it('no value in what it throws or emits', async () => {
    const heard = hearAll(latchkey);
    latchkey.capture('s', bearer('very-secret-token'));
    const authFetch = createAuthFetch(latchkey, { scope: 's' });
    await authFetch(upstream.url);
    const blocked = await authFetch(upstream.url).catch((error: unknown) => error);
    expect(isLatchkeyError(blocked)).toBe(true);
    latchkey.capture('t', bearer('very-secret-token-2'));
    const cleartext = await createAuthFetch(latchkey, { scope: 't' })('http://example.com/').catch((error: unknown) => error);
    const refused = await createAuthFetch(latchkey, { scope: 't' })('http://127.0.0.1:1/').catch((error: unknown) => error);
    for (const shown of [blocked, cleartext, refused, heard, authFetch]) {
      expect(inspect(shown, { depth: 20, showHidden: true })).not.toContain('very-secret');
      expect(JSON.stringify(shown) ?? '').not.toContain('very-secret');
    }
  });
});
