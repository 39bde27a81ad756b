import { describe, expect, it } from 'vitest';
import {
  REAUTH_REQUIRED,
  tagHeaders,
  tagResponse,
  tagTrailers,
  UPSTREAM_AUTH_FAILED,
  type UpstreamAuthFailure,
} from '../../src/signals/index.js';

const SECRET = 'sk-very-secret-token';

describe('tagHeaders', () => {
  it('the names are those on the wire', () => {
    expect([UPSTREAM_AUTH_FAILED, REAUTH_REQUIRED]).toEqual(['X-Upstream-Auth-Failed', 'X-Reauth-Required']);
  });

  it('takes Headers, a headers object and a raw list, and gives a record for writeHead', () => {
    const fromHeaders = new Headers({ 'X-A': '1', 'x-upstream-auth-failed': '1' });
    fromHeaders.append('set-cookie', 'a=1');
    fromHeaders.append('set-cookie', 'b=2; Expires=Thu, 01 Jan 2026 00:00:00 GMT');
    expect(tagHeaders(200, fromHeaders)).toEqual({ 'x-a': '1', 'set-cookie': ['a=1', 'b=2; Expires=Thu, 01 Jan 2026 00:00:00 GMT'] });
    expect(tagHeaders(200, { 'X-A': '1', 'set-cookie': ['a=1'], 'X-UPSTREAM-auth-failed': ['1', '1'], age: 7, gone: undefined })).toEqual({
      'X-A': '1',
      'set-cookie': ['a=1'],
      age: '7',
    });
    expect(tagHeaders(200, ['Via', 'one', 'X-A', '1', 'via', 'two', 'x-upstream-auth-failed', '1', 'Set-Cookie', 'a=1', 'odd'])).toEqual({
      Via: ['one', 'two'],
      'X-A': '1',
      'Set-Cookie': ['a=1'],
    });
  });

  it('a header named __proto__ is a header', () => {
    const headers = tagHeaders(401, ['__proto__', 'x', '__proto__', 'y']);
    expect(Object.getPrototypeOf(headers)).toBe(Object.prototype);
    expect(Object.entries(headers)).toContainEqual(['__proto__', ['x', 'y']]);
  });

  it('leaves what it is given as it was', () => {
    const given = Object.freeze({ 'set-cookie': Object.freeze(['a=1']), 'X-Upstream-Auth-Failed': '1' });
    tagHeaders(401, given);
    expect(given).toEqual({ 'set-cookie': ['a=1'], 'X-Upstream-Auth-Failed': '1' });
  });

  it('adds the gateway’s own cookies after the upstream’s, and alone where those are dropped', () => {
    const sent = ['Set-Cookie', 'up=1', 'Connection', 'close, set-cookie'];
    const setCookies = Object.freeze(['session=s2; Path=/', 'refresh=r2; Path=/']);
    expect(tagHeaders(200, sent, { setCookies })).toEqual({ 'Set-Cookie': ['up=1', ...setCookies], Connection: 'close' });
    expect(tagHeaders(200, { 'set-cookie': ['up=1'] }, { setCookies })).toEqual({ 'set-cookie': ['up=1', ...setCookies] });
    expect(tagHeaders(401, sent, { setCookies })).toMatchObject({ 'Set-Cookie': [...setCookies], Connection: 'close' });
    expect(tagHeaders(204, {}, { setCookies })).toEqual({ 'Set-Cookie': [...setCookies] });
    expect(tagHeaders(204, {}, { setCookies: [] })).toEqual({});
  });

  it.each([[`a=${SECRET}`], [[`a=${SECRET}\r\nX: y`]], [[`a=${SECRET}\0`]], [[`a=${SECRET}\u65e5`]], [[7]], [null]])(
    'cookies that no header can hold are a TypeError that does not quote them: %j',
    (setCookies) => {
      for (const [name, call] of [
        ['tagHeaders', () => tagHeaders(200, {}, { setCookies } as never)],
        ['tagResponse', () => tagResponse(new Response(), { setCookies } as never)],
      ] as const)
        expect(call).toThrow(new TypeError(`${name}: \`setCookies\` must be a list of header values`));
    },
  );

  it('a stamp is kept from caches between: their own headers go, and no Connection header takes it off', () => {
    const headers = tagHeaders(403, {
      'CDN-Cache-Control': 'max-age=600',
      'surrogate-control': 'max-age=600',
      connection: 'Cache-Control, close, access-control-EXPOSE-headers, X-Upstream-Auth-Failed',
    });
    expect(headers).toEqual({
      connection: 'close',
      'Cache-Control': 'no-store',
      'Access-Control-Expose-Headers': 'X-Upstream-Auth-Failed',
      'X-Upstream-Auth-Failed': '1',
    });
    const others = { 'cdn-cache-control': 'max-age=600', 'surrogate-control': 'max-age=600', connection: 'Cache-Control' };
    expect(tagHeaders(404, others)).toEqual(others);
  });

  it('an unknown option is a TypeError', () => {
    expect(() => tagHeaders(200, {}, { logger: () => {} } as never)).toThrow(new TypeError('tagHeaders: unknown option `logger`'));
    expect(() => tagHeaders(200, {}, null as never)).toThrow(new TypeError('tagHeaders: `options` must be an object'));
  });

  it('trailers lose the tag and nothing else', () => {
    expect(tagTrailers({ 'x-upstream-auth-failed': '1', 'x-checksum': 'abc' })).toEqual({ 'x-checksum': 'abc' });
    expect(tagTrailers(['X-UPSTREAM-AUTH-FAILED', '1', 'X-Checksum', 'abc'])).toEqual({ 'X-Checksum': 'abc' });
    expect(tagTrailers(new Headers())).toEqual({});
  });
});

describe('the log of a stamp', () => {
  const logged = (status: number, target: string | URL | undefined, credentialAttached?: boolean): UpstreamAuthFailure[] => {
    const failures: UpstreamAuthFailure[] = [];
    const headers = { authorization: `Bearer ${SECRET}`, 'www-authenticate': SECRET, 'set-cookie': [`a=${SECRET}`] };
    tagHeaders(status, headers, { target, credentialAttached, log: (failure) => failures.push(failure) });
    return failures;
  };

  it('says status, target and whether a credential was attached, at level info', () => {
    expect(logged(401, 'https://api.test/v1/models', true)).toEqual([
      { level: 'info', status: 401, target: 'https://api.test/v1/models', credentialAttached: 'yes' },
    ]);
    expect(logged(403, undefined)).toEqual([{ level: 'info', status: 403, target: undefined, credentialAttached: 'no' }]);
  });

  it('says nothing where nothing is stamped', () => {
    for (const status of [200, 302, 404, 407, 429, 500]) expect(logged(status, 'https://api.test/')).toEqual([]);
  });

  it.each<[string | URL, string | undefined]>([
    [`https://user:${SECRET}@api.test:8443/v1?key=${SECRET}#${SECRET}`, 'https://api.test:8443/v1'],
    [new URL(`https://user:${SECRET}@api.test/v1?key=${SECRET}`), 'https://api.test/v1'],
    [`/v1/models?key=${SECRET}`, '/v1/models'],
    [`/users/@me/models#${SECRET}`, '/users/@me/models'],
    [`//user:${SECRET}@api.test/v1`, undefined],
    [`redis://user:${SECRET}@cache.test:6379/0?x=${SECRET}`, 'redis://cache.test:6379/0'],
    [`user:${SECRET}@api.test/v1`, undefined],
    [`https://user:pass/${SECRET}@api.test/v1`, undefined],
    [`https://user:a?${SECRET}@api.test/v1`, undefined],
    [`https://user:a#${SECRET}@api.test/v1`, undefined],
    [`user:a?${SECRET}@api.test`, undefined],
    [`//user:${SECRET}?x@api.test/v1`, undefined],
    [`/\\user:${SECRET}@api.test/v1`, undefined],
    [`/\t/user:${SECRET}@api.test/v1`, undefined],
    [`data:text/plain,${SECRET}`, undefined],
    [`localhost:8080/v1?key=${SECRET}`, undefined],
    ['anthropic', undefined],
    ['/v1\r\nlevel: error', '/v1level: error'],
  ])('the target %s is printed without a secret', (target, printed) => {
    const [failure] = logged(401, target);
    expect(failure?.target).toBe(printed);
    expect(JSON.stringify(failure)).not.toContain(SECRET);
  });

  it('a log that throws, at once or later, disturbs nothing', async () => {
    const failing = [
      () => {
        throw new Error('disk full');
      },
      async () => {
        throw new Error('disk full');
      },
    ];
    for (const log of failing) expect(tagHeaders(401, {}, { log })).toMatchObject({ 'X-Upstream-Auth-Failed': '1' });
    // An unhandled rejection would fail the run.
    await new Promise<void>((resolve) => setImmediate(resolve));
  });
});
