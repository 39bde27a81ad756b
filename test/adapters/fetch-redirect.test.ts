import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAuthFetch } from '../../src/adapters/fetch.js';
import { apiKey, bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { type Answer, scriptedUpstream, type Upstream } from '../support/upstream.js';

/** Where a path leads to: `/to/STATUS/URL` redirects, `/ok` is fine for `fresh`, anything else is a 401. */
function answer({ path, headers }: { path: string; headers: Record<string, unknown> }): Answer {
  const [, status, location] = /^\/to\/(\d+)\/(.*)$/.exec(path) ?? [];
  if (status !== undefined && location !== undefined)
    return { status: Number(status), headers: { location: decodeURIComponent(location) }, body: 'moved'.padEnd(40_000) };
  const fresh = headers['authorization'] === 'Bearer fresh' || headers['x-api-key'] === 'fresh';
  return path.startsWith('/ok') && fresh ? { status: 200, body: 'done' } : { status: 401, body: 'no' };
}

describe('redirects of createAuthFetch', () => {
  let home: Upstream;
  let abroad: Upstream;
  let latchkey: Latchkey;

  beforeEach(async () => {
    home = await scriptedUpstream(answer);
    abroad = await scriptedUpstream(answer);
    latchkey = createLatchkey();
  });
  afterEach(async () => {
    await home.close();
    await abroad.close();
  });

  const to = (status: number, location: string, from = home): string => `${from.url}/to/${status}/${encodeURIComponent(location)}`;

  it.each([301, 302, 303, 307, 308])('%i within the origin keeps the credential, and its answer is judged', async (status) => {
    latchkey.capture('s', bearer('fresh'));
    const response = await createAuthFetch(latchkey, { scope: 's' })(to(status, '/ok?page=2#part'));
    expect([response.status, response.redirected, response.url, await response.text()]).toEqual([
      200,
      true,
      `${home.url}/ok?page=2`,
      'done',
    ]);
    expect(home.requests.map(({ headers }) => headers['authorization'])).toEqual(['Bearer fresh', 'Bearer fresh']);
    expect(latchkey.snapshot().verdicts).toMatchObject([{ verdict: { state: 'accepted' } }]);
  });

  it.each([
    ['authorization', bearer('fresh')],
    ['x-api-key', apiKey('fresh')],
    ['x-own-key', apiKey('fresh', { header: 'x-own-key' })],
  ])('to another origin %s stays behind, cookies too, and the 401 from there judges nothing', async (header, credential) => {
    latchkey.capture('s', credential);
    const authFetch = createAuthFetch(latchkey, { scope: 's' });
    const response = await authFetch(to(302, `${abroad.url}/ok`), { headers: { cookie: 'a=b', 'x-note': 'kept' } });
    expect(response.status).toBe(401);
    expect(home.requests[0]?.headers[header]).toMatch(/fresh/);
    expect(abroad.requests).toHaveLength(1);
    expect(abroad.requests[0]?.headers).toMatchObject({ 'x-note': 'kept' });
    expect(JSON.stringify(abroad.requests)).not.toMatch(/fresh|a=b/);
    expect(latchkey.canRun('s')).toBe(true);
    expect(latchkey.stats()).toMatchObject({ openIncidents: 0 });
  });

  it('once it was left behind it is not put back on, and the 401 from home judges nothing either', async () => {
    latchkey.capture('s', apiKey('fresh'));
    const back = `${abroad.url}/to/302/${encodeURIComponent(`${home.url}/ok`)}`;
    const response = await createAuthFetch(latchkey, { scope: 's' })(to(302, back));
    expect(response.status).toBe(401);
    expect(home.requests[1]).toMatchObject({ path: '/ok' });
    expect(home.requests[1]?.headers['x-api-key']).toBeUndefined();
    expect(latchkey.canRun('s')).toBe(true);
  });

  it('localhost and 127.0.0.1 are two origins', async () => {
    latchkey.capture('s', apiKey('fresh'));
    await createAuthFetch(latchkey, { scope: 's' })(to(307, `${home.url.replace('127.0.0.1', 'localhost')}/ok`));
    expect(home.requests[1]?.path).toBe('/ok');
    expect(home.requests[1]?.headers['x-api-key']).toBeUndefined();
  });

  it('a rejection after a redirect within the origin is retried from the start, with the body', async () => {
    latchkey.capture('s', bearer('stale'));
    const authFetch = createAuthFetch(latchkey, { scope: 's' });
    const call = authFetch(to(307, '/ok'), { method: 'POST', body: 'text' });
    latchkey.capture('s', bearer('fresh'));
    expect((await call).status).toBe(200);
    expect(home.requests.map(({ method, body, path }) => [method, body, path.slice(0, 4)])).toEqual([
      ['POST', 'text', '/to/'],
      ['POST', 'text', '/ok'],
      ['POST', 'text', '/to/'],
      ['POST', 'text', '/ok'],
    ]);
  });

  it.each([
    [301, 'POST', 'GET'],
    [302, 'POST', 'GET'],
    [303, 'PUT', 'GET'],
    [303, 'HEAD', 'HEAD'],
    [302, 'PUT', 'PUT'],
    [307, 'POST', 'POST'],
  ])('%i makes of %s a %s', async (status, method, next) => {
    latchkey.capture('s', bearer('fresh'));
    const body = method === 'HEAD' ? {} : { body: 'text', headers: { 'content-type': 'text/x' } };
    await createAuthFetch(latchkey, { scope: 's' })(to(status, '/ok'), { method, ...body });
    const expected = next === 'GET' || next === 'HEAD' ? ['', undefined] : ['text', 'text/x'];
    expect([home.requests[1]?.method, home.requests[1]?.body, home.requests[1]?.headers['content-type']]).toEqual([next, ...expected]);
  });

  it('a stream cannot be sent on: a TypeError, and no verdict', async () => {
    latchkey.capture('s', bearer('fresh'));
    const call = createAuthFetch(latchkey, { scope: 's' })(to(307, '/ok'), { method: 'POST', body: new Blob(['text']).stream() });
    await expect(call).rejects.toThrow(new TypeError('fetch: redirected with a body that can be sent once only'));
    expect(latchkey.snapshot().verdicts).toEqual([]);
  });

  it.each([
    ['nowhere', 'http://', /invalid URL/],
    ['another scheme', 'ftp://127.0.0.1/', /ftp:/],
  ])('to %s is a TypeError', async (_what, location, message) => {
    latchkey.capture('s', bearer('fresh'));
    await expect(createAuthFetch(latchkey, { scope: 's' })(to(302, location))).rejects.toThrow(message);
  });

  it('reads the redirect’s body away, so that its socket serves the next hop', async () => {
    latchkey.capture('s', bearer('fresh'));
    const authFetch = createAuthFetch(latchkey, { scope: 's' });
    for (let round = 0; round < 20; round++) await (await authFetch(to(302, '/ok'))).text();
    expect(home.requests).toHaveLength(40);
    // The next call may begin a moment before the last socket is free.
    expect(home.connections).toBeLessThanOrEqual(2);
  });

  it('reads a location in UTF-8 as fetch does', async () => {
    latchkey.capture('s', bearer('fresh'));
    const server = await scriptedUpstream(({ path }) =>
      path === '/'
        ? (_request, response) => {
            response.writeHead(302, { location: Buffer.from('/café').toString('latin1') });
            response.end();
          }
        : { status: 200 },
    );
    await createAuthFetch(latchkey, { scope: 's' })(server.url);
    await fetch(server.url);
    expect(server.requests.map(({ path }) => path)).toEqual(['/', '/caf%C3%A9', '/', '/caf%C3%A9']);
    await server.close();
  });

  it('ends after twenty', async () => {
    latchkey.capture('s', bearer('fresh'));
    const loop = await scriptedUpstream(() => ({ status: 302, headers: { location: '/again' } }));
    await expect(createAuthFetch(latchkey, { scope: 's' })(loop.url)).rejects.toThrow('fetch: more than 20 redirects');
    expect(loop.requests).toHaveLength(21);
    await loop.close();
  });

  it('`manual` and `error` are the caller’s', async () => {
    latchkey.capture('s', bearer('fresh'));
    const authFetch = createAuthFetch(latchkey, { scope: 's' });
    const manual = await authFetch(to(302, '/ok'), { redirect: 'manual' });
    expect([manual.status, manual.headers.get('location'), (await manual.text()).trim()]).toEqual([302, '/ok', 'moved']);
    await expect(authFetch(to(302, '/ok'), { redirect: 'error' })).rejects.toThrow(TypeError);
    expect(home.requests.map(({ path }) => path.startsWith('/to/'))).toEqual([true, true]);
  });
});
