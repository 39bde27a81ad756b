import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  REAUTH_REQUIRED,
  tagHeaders,
  tagResponse,
  tagTrailers,
  UPSTREAM_AUTH_FAILED,
  type UpstreamAuthFailure,
} from '../../src/signals/index.js';
import { scriptedUpstream } from '../support/upstream.js';

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

  it.each<[string | URL, string]>([
    [`https://user:${SECRET}@api.test:8443/v1?key=${SECRET}#${SECRET}`, 'https://api.test:8443/v1'],
    [new URL(`https://user:${SECRET}@api.test/v1?key=${SECRET}`), 'https://api.test/v1'],
    [`/v1/models?key=${SECRET}`, '/v1/models'],
    [`/users/@me/models#${SECRET}`, '/users/@me/models'],
    [`//user:${SECRET}@api.test/v1`, '//api.test/v1'],
    [`redis://user:${SECRET}@cache.test:6379/0?x=${SECRET}`, 'redis://cache.test:6379/0'],
    [`user:${SECRET}@api.test/v1`, 'api.test/v1'],
    [`https://user:pass/${SECRET}@api.test/v1`, 'https://api.test/v1'],
    [`localhost:8080/v1?key=${SECRET}`, 'localhost:8080/v1'],
    ['anthropic', 'anthropic'],
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

describe('tagResponse', () => {
  it('stamps a Response from its status alone; status, text and unread body pass on', async () => {
    const given = new Response('{"error":1}', {
      status: 401,
      statusText: 'Nope',
      headers: {
        'WWW-Authenticate': 'Basic',
        'X-Upstream-Auth-Failed': 'true',
        'X-Request-Id': 'r1',
        'Access-Control-Expose-Headers': '*',
      },
    });
    const tagged = tagResponse(given);
    expect(given.bodyUsed).toBe(false);
    expect([tagged.status, tagged.statusText, await tagged.text()]).toEqual([401, 'Nope', '{"error":1}']);
    expect(Object.fromEntries(tagged.headers)).toEqual({
      'access-control-expose-headers': '*, X-Upstream-Auth-Failed',
      'cache-control': 'no-store',
      'content-type': 'text/plain;charset=UTF-8',
      'x-request-id': 'r1',
      'x-upstream-auth-failed': '1',
    });
  });

  it('deletes the upstream’s tag on any other status, keeps its cookies apart', () => {
    const given = new Response(null, { status: 204, headers: { 'x-upstream-auth-failed': '1' } });
    given.headers.append('set-cookie', 'a=1');
    given.headers.append('set-cookie', 'b=2');
    const tagged = tagResponse(given);
    expect([tagged.status, tagged.body, tagged.headers.get('x-upstream-auth-failed')]).toEqual([204, null, null]);
    expect(tagged.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  });

  it('streams: the first bytes are there before the last are sent', async () => {
    let finish!: () => void;
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('one'));
        finish = () => controller.close();
      },
    });
    const reader = tagResponse(new Response(stream, { status: 403 })).body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('one');
    finish();
    expect((await reader?.read())?.done).toBe(true);
  });

  it('a network error’s response is given back', () => {
    const error = Response.error();
    expect(tagResponse(error)).toBe(error);
  });

  it('leaves out the encoding that fetch has undone', async () => {
    const body = gzipSync('{"error":"bad key"}').toString('latin1');
    const upstream = await scriptedUpstream(() => (_request, response) => {
      response.writeHead(401, { 'content-encoding': 'gzip', 'content-length': body.length }).end(Buffer.from(body, 'latin1'));
    });
    try {
      const tagged = tagResponse(await fetch(upstream.url));
      expect(tagged.headers.get('x-upstream-auth-failed')).toBe('1');
      expect(tagged.headers.has('content-encoding')).toBe(false);
      expect(tagged.headers.has('content-length')).toBe(false);
      expect(await tagged.text()).toBe('{"error":"bad key"}');
    } finally {
      await upstream.close();
    }
    // What was encoded here is passed on as it is.
    const own = tagResponse(new Response('zipped', { headers: { 'content-encoding': 'gzip' } }));
    expect(own.headers.get('content-encoding')).toBe('gzip');
  });
});
