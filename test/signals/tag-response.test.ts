import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { tagResponse } from '../../src/signals/index.js';
import { scriptedUpstream } from '../support/upstream.js';
import { rawUpstream } from './tagging-gateway.js';

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

  it('leaves out what was about the upstream’s own connection', () => {
    const own = { connection: 'keep-alive', 'keep-alive': 'timeout=5', 'transfer-encoding': 'chunked', upgrade: 'h2c' };
    const tagged = tagResponse(new Response('body', { status: 401, headers: { ...own, 'x-request-id': 'r1' } }));
    for (const name of Object.keys(own)) expect(tagged.headers.get(name)).toBeNull();
    expect(tagged.headers.get('x-request-id')).toBe('r1');
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

  it('adds the gateway’s own cookies', () => {
    const given = new Response(null, { status: 401, headers: { 'Set-Cookie': 'up=1' } });
    const setCookies = ['session=s2; Expires=Thu, 01 Jan 2026 00:00:00 GMT', 'refresh=r2'];
    expect(tagResponse(given, { setCookies }).headers.getSetCookie()).toEqual(setCookies);
  });

  it('an unknown option is a TypeError', () => {
    expect(() => tagResponse(new Response(), { cookies: [] } as never)).toThrow(new TypeError('tagResponse: unknown option `cookies`'));
  });
});

describe('tagResponse, over HTTP', () => {
  const running: { close(): Promise<void> }[] = [];

  afterEach(async () => {
    for (const one of running.splice(0)) await one.close();
  });

  const answering = async (text: string): Promise<Response> => {
    const upstream = await rawUpstream(text);
    running.push(upstream);
    return fetch(upstream.url);
  };
  const encoded = async (coding: string, body: Uint8Array): Promise<Response> => {
    const upstream = await scriptedUpstream(() => (_request, response) => {
      response.writeHead(401, { 'content-encoding': coding, 'content-length': body.length }).end(body);
    });
    running.push(upstream);
    return tagResponse(await fetch(upstream.url));
  };

  it.each([
    ['gzip', gzipSync('{"error":"bad key"}')],
    ['X-GZip', gzipSync('{"error":"bad key"}')],
    ['deflate', deflateSync('{"error":"bad key"}')],
    ['br', brotliCompressSync('{"error":"bad key"}')],
    ['deflate, GZIP', gzipSync(deflateSync('{"error":"bad key"}'))],
  ])('leaves out the encoding that fetch has undone: %s', async (coding, body) => {
    const tagged = await encoded(coding, body);
    expect(tagged.headers.get('x-upstream-auth-failed')).toBe('1');
    expect(tagged.headers.has('content-encoding')).toBe(false);
    expect(tagged.headers.has('content-length')).toBe(false);
    expect(await tagged.text()).toBe('{"error":"bad key"}');
  });

  it.each(['compress', 'gzip, compress', 'identity', 'x-own'])(
    'keeps an encoding that is still there, and its length: %s',
    async (coding) => {
      const body = gzipSync('{"error":"bad key"}');
      const tagged = await encoded(coding, body);
      expect([tagged.headers.get('content-encoding'), tagged.headers.get('content-length')]).toEqual([coding, String(body.length)]);
      expect(Buffer.from(await tagged.arrayBuffer())).toEqual(body);
    },
  );

  it('goes by what this fetch makes of zstd: the headers of what it undid are gone, those of what it left stay', async () => {
    // A frame of one raw block (RFC 8878, section 3.1.1).
    const body = Buffer.from('28b52ffd200529000068656c6c6f', 'hex');
    const tagged = await encoded('zstd', body);
    const coding = tagged.headers.get('content-encoding');
    expect(Buffer.from(await tagged.arrayBuffer())).toEqual(coding === null ? Buffer.from('hello') : body);
    expect(tagged.headers.get('content-length')).toBe(coding === null ? null : String(body.length));
  });

  it('what was encoded here is passed on as it is', () => {
    const own = tagResponse(new Response('zipped', { headers: { 'content-encoding': 'gzip' } }));
    expect(own.headers.get('content-encoding')).toBe('gzip');
  });

  it('a reason phrase that no Response can hold becomes none', async () => {
    const answer = await answering('HTTP/1.1 401 \u62d2\u7edd\nContent-Length: 2\nConnection: close\n\nno');
    expect(answer.statusText).not.toBe('');
    const tagged = tagResponse(answer);
    expect([tagged.status, tagged.statusText, tagged.headers.get('x-upstream-auth-failed'), await tagged.text()]).toEqual([
      401,
      '',
      '1',
      'no',
    ]);
  });

  it.each([600, 999])('a status that no Response can hold, %i, becomes a 502 without the upstream’s headers and body', async (status) => {
    const answer = await answering(`HTTP/1.1 ${status} Denied\nX-Upstream-Auth-Failed: 1\nSet-Cookie: up=1\nContent-Length: 9\n\nno`);
    expect(answer.status).toBe(status);
    const told: unknown[] = [];
    const tagged = tagResponse(answer, { setCookies: ['session=s2'], log: (failure) => told.push(failure) });
    expect([tagged.status, tagged.body, [...tagged.headers], told]).toEqual([502, null, [['set-cookie', 'session=s2']], []]);
    // The upstream's connection is let go: nobody else will read the rest.
    expect((await answer.body?.getReader().read())?.done).toBe(true);
  });
});
