import { afterEach, describe, expect, it } from 'vitest';
import {
  createSessionGate,
  type SessionGateOptions,
  sendAnswer,
  sessionCookies,
  toResponse,
  trustedProxies,
} from '../../src/signals/index.js';
import { type GatedServer, gatedServer } from './gated-server.js';

const SECRET = 'very-secret-session';
const cookies = sessionCookies({ https: false });

describe('a session gate, over HTTP', () => {
  const servers: GatedServer[] = [];
  const serverWith = async (options: Partial<SessionGateOptions<string>> = {}): Promise<GatedServer> => {
    const verify = (session: string): string | undefined => (session.startsWith('good') ? 'ada' : undefined);
    const server = await gatedServer(createSessionGate({ cookies, verify, ...options }));
    servers.push(server);
    return server;
  };

  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });

  it('lets a valid session in, with no cookie to set', async () => {
    const server = await serverWith();
    expect(await server.get('/sessions', { cookie: 'session=good' })).toMatchObject({ status: 200, body: 'hello ada', setCookies: [] });
    expect(await server.get('/api/sessions', { cookie: 'session=good' })).toMatchObject({ status: 200, body: 'hello ada' });
  });

  it.each(['/api', '/api/', '/api/sessions?x=1', '/api/auth/me', '/x/../api/keys'])(
    'API path %s: 401 with exactly four keys',
    async (path) => {
      const server = await serverWith();
      const anonymous = await server.get(path);
      expect(anonymous.status).toBe(401);
      expect(JSON.parse(anonymous.body)).toEqual({
        error: 'unauthenticated',
        detail: 'Unauthorized',
        reason: 'no_cookie',
        login_url: '/login',
      });
      const expired = await server.get(path, { cookie: 'session=old' });
      expect(expired.status).toBe(401);
      expect(JSON.parse(expired.body)).toEqual({
        error: 'session_expired',
        detail: 'Unauthorized',
        reason: 'invalid_or_expired_session',
        login_url: '/login',
      });
      for (const { headers } of [anonymous, expired]) {
        expect(headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' });
        for (const name of ['location', 'www-authenticate', 'x-upstream-auth-failed']) expect(headers).not.toHaveProperty(name);
      }
    },
  );

  it.each([
    ['/', '/login?next=%2F'],
    ['/sessions?page=2', '/login?next=%2Fsessions%3Fpage%3D2'],
    ['/apidocs', '/login?next=%2Fapidocs'],
    ['/x?y=/api/keys', '/login?next=%2Fx%3Fy%3D%2Fapi%2Fkeys'],
    ['/login', '/login'],
    ['//evil.com/x', '/login'],
    ['//evil.com/api', '/login'],
    ['/%5Cevil.com', '/login'],
    ['/%09/evil.com', '/login'],
    ['/.//evil.com', '/login'],
    ['/%zz', '/login'],
    ['http://evil.com/x', '/login?next=%2Fx'],
    ['*', '/login'],
  ])('HTML path %s: 302 to %s', async (path, location) => {
    const answer = await (await serverWith()).get(path);
    expect(answer).toMatchObject({ status: 302, body: '', headers: { location, 'cache-control': 'no-store' } });
    expect(answer.setCookies).toEqual([]);
  });

  it('a form’s submission is no place to come back to', async () => {
    const server = await serverWith();
    expect((await server.get('/sessions', { method: 'POST' })).headers).toMatchObject({ location: '/login' });
    expect((await server.get('/sessions', { method: 'HEAD' })).headers).toMatchObject({ location: '/login?next=%2Fsessions' });
  });

  it('a dead cookie is cleared on session_expired, in all variants; never on no_cookie', async () => {
    const server = await serverWith();
    for (const path of ['/api/x', '/x']) {
      expect((await server.get(path, { cookie: 'session=old' })).setCookies).toEqual(cookies.clear());
      expect((await server.get(path)).setCookies).toEqual([]);
      expect((await server.get(path, { cookie: 'other=1; __Host-session=good; session=' })).setCookies).toEqual([]);
    }
  });

  it('any of several session cookies will do, in the order that the browser sent them', async () => {
    const server = await serverWith({ verify: (session) => (session === 'bad' ? undefined : session) });
    expect((await server.get('/', { cookie: 'session=bad; session=two; session=three' })).body).toBe('hello two');
    expect((await server.get('/', { cookie: 'session=bad' })).status).toBe(302);
  });

  it.each([null, undefined, false, '', 0, Number.NaN])('verify says no with %j, like everything falsy', async (no) => {
    const server = await serverWith({ verify: () => no as undefined });
    expect((await server.get('/api/x', { cookie: 'session=x' })).status).toBe(401);
  });

  it('the provider is unreachable: 503, no redirect, cookies kept, Retry-After', async () => {
    const errors: unknown[] = [];
    const verify = (): never => {
      throw new Error(`ECONNREFUSED ${SECRET}`);
    };
    const server = await serverWith({ verify, onError: (error) => errors.push(error) });
    for (const path of ['/api/sessions', '/sessions']) {
      const answer = await server.get(path, { cookie: `session=${SECRET}` });
      expect(answer).toMatchObject({ status: 503, setCookies: [], headers: { 'retry-after': '5', 'cache-control': 'no-store' } });
      expect(answer.headers).not.toHaveProperty('location');
      expect(answer.body).not.toContain(SECRET);
    }
    expect(errors).toEqual([new Error(`ECONNREFUSED ${SECRET}`), new Error(`ECONNREFUSED ${SECRET}`)]);
    expect(JSON.parse((await server.get('/api/x', { cookie: 'session=x' })).body)).toEqual({
      error: 'identity_provider_unreachable',
      detail: 'Service Unavailable',
    });
    // Who brings nothing has nothing that the provider could tell of.
    expect((await server.get('/api/x')).status).toBe(401);
  });

  it('one cookie that can be verified is enough, whatever fails for the others', async () => {
    const verify = async (session: string): Promise<string | undefined> => {
      if (session === 'broken') throw new Error('unreachable');
      return session === 'good' ? 'ada' : undefined;
    };
    const server = await serverWith({ verify });
    expect((await server.get('/', { cookie: 'session=broken; session=good' })).body).toBe('hello ada');
    expect((await server.get('/', { cookie: 'session=broken; session=dead' })).status).toBe(503);
  });

  it('a login_url has the forwarded prefix only behind a trusted proxy', async () => {
    const headers = { 'X-Forwarded-Prefix': '/gw' };
    const [trusting, wary] = [await serverWith({ trusted: trustedProxies(['127.0.0.1']) }), await serverWith()];
    const loginFor = async (server: GatedServer, sent: Record<string, string>): Promise<[unknown, unknown]> => [
      (JSON.parse((await server.get('/api/x', { headers: sent })).body) as { login_url: string }).login_url,
      (await server.get('/sessions?page=2', { headers: sent })).headers['location'],
    ];
    expect(await loginFor(trusting, headers)).toEqual(['/gw/login', '/gw/login?next=%2Fgw%2Fsessions%3Fpage%3D2']);
    expect(await loginFor(wary, headers)).toEqual(['/login', '/login?next=%2Fsessions%3Fpage%3D2']);
    expect(await loginFor(trusting, { 'X-Forwarded-Prefix': '//evil.com' })).toEqual(['/login', '/login?next=%2Fsessions%3Fpage%3D2']);
    expect((await trusting.get('/login', { headers })).headers['location']).toBe('/gw/login');
    // The proxy has taken the prefix off: what looks like it belongs to the path.
    expect((await trusting.get('/gw/x', { headers })).headers['location']).toBe('/gw/login?next=%2Fgw%2Fgw%2Fx');
  });

  it('below the prefix of its cookies it knows its paths, with the prefix and without', async () => {
    const server = await serverWith({ cookies: sessionCookies({ https: true, prefix: '/gw' }), loginPath: '/sign-in', apiPrefix: '/v1' });
    for (const path of ['/sessions', '/gw/sessions']) {
      expect((await server.get(path)).headers['location']).toBe('/gw/sign-in?next=%2Fgw%2Fsessions');
    }
    for (const path of ['/v1/keys', '/gw/v1/keys']) expect((await server.get(path)).status).toBe(401);
    expect((await server.get('/gw/sign-in')).headers['location']).toBe('/gw/sign-in');
    expect((await server.get('/gw', { cookie: '__Secure-session=good' })).body).toBe('hello ada');
    expect((await server.get('/gw', { cookie: '__Host-session=good; session=good' })).status).toBe(302);
  });

  it('no cookie’s value is in any answer', async () => {
    const server = await serverWith({ refresh: () => undefined });
    const cookie = `session=${SECRET}; session=two-${SECRET}; refresh=${SECRET}`;
    for (const path of ['/api/x', '/x']) {
      const answer = await server.get(path, { cookie });
      expect(JSON.stringify(answer)).not.toContain(SECRET);
    }
  });
});

describe('sendAnswer', () => {
  it('writes nothing when another answer is on its way', () => {
    const said: unknown[] = [];
    const response = { headersSent: true, writeHead: (...all: unknown[]) => said.push(all), end: (...all: unknown[]) => said.push(all) };
    sendAnswer(response, { status: 401, headers: { 'X-A': '1' }, body: 'no' });
    expect(said).toEqual([]);
    sendAnswer({ ...response, headersSent: false }, { status: 401, headers: { 'X-A': '1' }, body: 'no' });
    expect(said).toEqual([[401, { 'X-A': '1' }], ['no']]);
  });
});

describe('a session gate, without a server', () => {
  const gate = createSessionGate({ cookies, verify: async (session) => (session === 'good' ? { user: 'ada' } : undefined) });

  it('takes a Request, and answers with a Response', async () => {
    const valid = new Request('http://gateway.test/x', { headers: { cookie: 'session=good' } });
    expect(await gate.authenticate(valid)).toEqual({ ok: true, session: { user: 'ada' }, setCookies: [] });
    const expired = await gate.authenticate(new Request('http://gateway.test/x?y=1', { headers: { cookie: 'session=old' } }));
    const response = expired.ok ? undefined : toResponse(expired.answer);
    expect([response?.status, response?.headers.get('location')]).toEqual([302, '/login?next=%2Fx%3Fy%3D1']);
    expect(response?.headers.getSetCookie()).toEqual(cookies.clear());
    expect(response?.body).toBeNull();
    const api = await gate.authenticate(new Request('http://gateway.test/api/x', { method: 'POST' }));
    expect(api.ok ? undefined : await toResponse(api.answer).json()).toMatchObject({ error: 'unauthenticated' });
  });

  it('the peer of a Request is told by option', async () => {
    const trusting = createSessionGate({ cookies, verify: () => 'ada', trusted: trustedProxies(['10.0.0.1']) });
    const request = new Request('http://gateway.test/', { headers: { 'X-Forwarded-Prefix': '/gw' } });
    const location = async (peer: string): Promise<unknown> => {
      const denied = await trusting.authenticate(request, { peer });
      return denied.ok ? undefined : denied.answer.headers['Location'];
    };
    expect(await location('10.0.0.1')).toBe('/gw/login?next=%2Fgw%2F');
    expect(await location('10.0.0.2')).toBe('/login?next=%2F');
  });

  it('(hole) a router that was mounted at /api hides it from the URL, not from the gate', async () => {
    const denied = await gate.authenticate({ headers: {}, url: '/keys', originalUrl: '/api/keys' });
    expect(denied).toMatchObject({ ok: false, answer: { status: 401 } });
  });

  it.each([
    { headers: {} },
    { headers: {}, url: 'http://[', method: 'GET' },
    { headers: { cookie: ['a=1', 'b=2'] }, url: '' },
    { headers: null as never },
  ])('never throws for a request such as %j', async (request) => {
    expect(await gate.authenticate(request)).toMatchObject({ ok: false, answer: { status: 302, headers: { Location: '/login' } } });
  });

  it('reads header names in any case, and cookies in a list', async () => {
    expect(await gate.authenticate({ headers: { Cookie: ['a=1', 'session=good'] }, url: '/' })).toMatchObject({ ok: true });
  });

  it.each<[unknown, string]>([
    [undefined, 'options'],
    [{}, 'cookies'],
    [{ cookies: {} }, 'cookies'],
    [{ cookies }, 'verify'],
    [{ cookies, verify: true }, 'verify'],
    [{ cookies, verify: () => 1, refresh: null }, 'refresh'],
    [{ cookies, verify: () => 1, loginPath: 'login' }, 'loginPath'],
    [{ cookies, verify: () => 1, loginPath: '/' }, 'loginPath'],
    [{ cookies, verify: () => 1, loginPath: '' }, 'loginPath'],
    [{ cookies, verify: () => 1, apiPrefix: '//x' }, 'apiPrefix'],
    [{ cookies, verify: () => 1, trusted: ['10.0.0.1'] }, 'trusted.trusts'],
    [{ cookies, verify: () => 1, timeoutMs: 0 }, 'timeoutMs'],
    [{ cookies, verify: () => 1, reuseMs: -1 }, 'reuseMs'],
    [{ cookies, verify: () => 1, limit: 0 }, 'limit'],
    [{ cookies, verify: () => 1, onError: 'log' }, 'onError'],
    [{ cookies, verify: () => 1, timeout: 5 }, 'timeout'],
  ])('%j is a TypeError that names it', (options, name) => {
    expect(() => createSessionGate(options as never)).toThrow(TypeError);
    expect(() => createSessionGate(options as never)).toThrow(`\`${name}\``);
  });

  it('a signal that is null is none', async () => {
    expect(await gate.authenticate({ headers: { cookie: 'session=good' } }, { signal: null })).toMatchObject({ ok: true });
  });

  it('an unknown option of authenticate is one, too', async () => {
    await expect(gate.authenticate({ headers: {} }, { ip: '::1' } as never)).rejects.toThrow(
      new TypeError('authenticate: unknown option `ip`'),
    );
  });
});
