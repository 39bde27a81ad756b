import { afterEach, describe, expect, it } from 'vitest';
import { createSessionGate, type RefreshedTokens, type SessionGateOptions, sessionCookies } from '../../src/signals/index.js';
import { type GatedServer, gatedServer } from './gated-server.js';

const cookies = sessionCookies({ https: false });
const set = (session: string, refresh?: string): string[] => cookies.set(session, refresh);

/** An identity provider whose refresh tokens are good for one use: r1 gives s2 and r2, and so on. */
function rotating(): { calls: string[]; verified: string[]; options: SessionGateOptions<string> } {
  const calls: string[] = [];
  const verified: string[] = [];
  let current = 1;
  return {
    calls,
    verified,
    options: {
      cookies,
      verify: async (session) => {
        verified.push(session);
        return session === `s${current}` ? `ada-${session}` : undefined;
      },
      refresh: async (token) => {
        calls.push(token);
        // Long enough for the others to come.
        await new Promise<void>((resolve) => setImmediate(resolve));
        if (token !== `r${current}`) return undefined;
        current++;
        return { session: `s${current}`, refresh: `r${current}` };
      },
    },
  };
}

describe('refreshing, over HTTP', () => {
  const servers: GatedServer[] = [];
  const serverWith = async (options: SessionGateOptions<string>): Promise<GatedServer> => {
    const server = await gatedServer(createSessionGate(options));
    servers.push(server);
    return server;
  };

  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });

  it.each(['refresh=r1', 'session=dead; refresh=r1'])('%s: refreshes and sets the new cookies', async (cookie) => {
    const provider = rotating();
    const server = await serverWith(provider.options);
    expect(await server.get('/sessions', { cookie })).toMatchObject({ status: 200, body: 'hello ada-s2', setCookies: set('s2', 'r2') });
    expect(provider.calls).toEqual(['r1']);
  });

  it('(hole) N parallel requests make one upstream call, and all get in', async () => {
    const provider = rotating();
    const server = await serverWith(provider.options);
    const answers = await Promise.all(Array.from({ length: 20 }, () => server.get('/api/x', { cookie: 'session=dead; refresh=r1' })));
    for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: 'hello ada-s2', setCookies: set('s2', 'r2') });
    expect(provider.calls).toEqual(['r1']);
  });

  it('a late request that still brings the old refresh cookie gets the same result, verified anew', async () => {
    const provider = rotating();
    const server = await serverWith(provider.options);
    await server.get('/', { cookie: 'refresh=r1' });
    expect(await server.get('/', { cookie: 'refresh=r1' })).toMatchObject({ status: 200, setCookies: set('s2', 'r2') });
    expect(provider.calls).toEqual(['r1']);
    expect(provider.verified).toEqual(['s2', 's2']);
    // Its successor is another token.
    expect(await server.get('/', { cookie: 'session=dead; refresh=r2' })).toMatchObject({ body: 'hello ada-s3' });
    expect(provider.calls).toEqual(['r1', 'r2']);
    // By now what r1 led to is over, too.
    expect((await server.get('/', { cookie: 'refresh=r1' })).status).toBe(302);
    expect(provider.calls).toEqual(['r1', 'r2']);
  });

  it('a valid session refreshes nothing', async () => {
    const provider = rotating();
    const server = await serverWith(provider.options);
    expect(await server.get('/', { cookie: 'session=s1; refresh=r1' })).toMatchObject({ status: 200, setCookies: [] });
    expect(provider.calls).toEqual([]);
  });

  it('a refused refresh: session_expired clears both cookies, a refresh cookie alone is no session and keeps its own', async () => {
    const provider = rotating();
    const server = await serverWith(provider.options);
    const expired = await server.get('/api/x', { cookie: 'session=dead; refresh=stolen' });
    expect(JSON.parse(expired.body)).toMatchObject({ error: 'session_expired', reason: 'invalid_or_expired_session' });
    expect(expired.setCookies).toEqual(cookies.clear());
    const alone = await server.get('/api/x', { cookie: 'refresh=stolen' });
    expect(JSON.parse(alone.body)).toMatchObject({ error: 'unauthenticated', reason: 'no_cookie' });
    expect(alone.setCookies).toEqual([]);
    // Asked once: the provider has said no.
    expect(provider.calls).toEqual(['stolen']);
  });

  it('an empty refresh token writes no refresh cookie; so does none', async () => {
    for (const refresh of ['', undefined]) {
      const server = await serverWith({ cookies, verify: (session) => session, refresh: () => ({ session: 's2', refresh }) });
      expect((await server.get('/', { cookie: 'refresh=r1' })).setCookies).toEqual(set('s2'));
    }
  });

  it('several refresh cookies are tried one after the other', async () => {
    const provider = rotating();
    const server = await serverWith(provider.options);
    expect((await server.get('/', { cookie: 'refresh=tossed; refresh=r1; refresh=later' })).body).toBe('hello ada-s2');
    expect(provider.calls).toEqual(['tossed', 'r1']);
  });

  it('the provider is unreachable: 503 and cookies kept; the next request tries again', async () => {
    let fails = true;
    const errors: unknown[] = [];
    const server = await serverWith({
      cookies,
      verify: (session) => (session === 's2' ? 'ada' : undefined),
      refresh: async () => {
        if (fails) throw new Error('ECONNREFUSED');
        return { session: 's2' };
      },
      onError: (error) => {
        errors.push(error);
        throw new Error('a listener that fails');
      },
    });
    for (const cookie of ['refresh=r1', 'session=dead; refresh=r1']) {
      for (const path of ['/api/x', '/x']) {
        const answer = await server.get(path, { cookie });
        expect(answer).toMatchObject({ status: 503, setCookies: [], headers: { 'retry-after': '5' } });
        expect(answer.headers).not.toHaveProperty('location');
      }
    }
    expect(errors).toHaveLength(4);
    fails = false;
    expect((await server.get('/x', { cookie: 'refresh=r1' })).body).toBe('hello ada');
  });

  it('(hole) new tokens that cannot be verified right now are not lost: the old ones are used up', async () => {
    let reachable = false;
    const server = await serverWith({
      cookies,
      verify: (session) => {
        if (session !== 's2') return undefined;
        if (!reachable) throw new Error('ECONNREFUSED');
        return 'ada';
      },
      refresh: () => ({ session: 's2', refresh: 'r2' }),
    });
    const answer = await server.get('/x', { cookie: 'session=dead; refresh=r1' });
    expect(answer).toMatchObject({ status: 503, setCookies: set('s2', 'r2') });
    reachable = true;
    expect((await server.get('/x', { cookie: 'session=s2; refresh=r2' })).body).toBe('hello ada');
  });

  it('tokens that no cookie can hold, and new ones that verify refuses, let nobody in', async () => {
    const errors: unknown[] = [];
    const odd = await serverWith({
      cookies,
      verify: (session) => session,
      refresh: () => ({ session: 'a secret; Domain=evil.com' }),
      onError: (error) => errors.push(error),
    });
    const answer = await odd.get('/x', { cookie: 'refresh=r1' });
    expect(answer).toMatchObject({ status: 503, setCookies: [] });
    expect(errors.map(String)).toEqual(['TypeError: sessionCookies: a value for `session` holds what no cookie can']);
    const empty = await serverWith({ cookies, verify: (session) => session, refresh: () => ({}) as RefreshedTokens });
    expect((await empty.get('/x', { cookie: 'refresh=r1' })).status).toBe(503);
    const refused = await serverWith({ cookies, verify: () => undefined, refresh: () => ({ session: 's2', refresh: 'r2' }) });
    expect(await refused.get('/x', { cookie: 'refresh=r1' })).toMatchObject({ status: 302, setCookies: [] });
  });
});
