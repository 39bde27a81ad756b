import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { deferred } from '../support/deferred.js';
import { answerTo, endProxiesAfterEach, exchangeRaw, gatewayBefore, get, open } from './proxied.js';

endProxiesAfterEach();

describe('what the proxy passes on', () => {
  it('method, path, query, headers and body, and the answer’s status, text, headers and body', async () => {
    const seen: { head: unknown; body?: string } = { head: undefined };
    const gateway = await gatewayBefore(async (incoming, response) => {
      const { method, url, headers } = incoming;
      seen.head = { method, url, host: headers.host, custom: headers['x-custom'], authorization: headers.authorization };
      seen.body = await text(incoming);
      response.writeHead(418, 'Short and stout', [
        'X-Answer',
        'Yes',
        'Set-Cookie',
        'a=1',
        'Set-Cookie',
        'b=2',
        'WWW-Authenticate',
        'Basic',
      ]);
      response.end('teapot');
    });
    const outgoing = open(gateway, '/up/v1/x%20y/?q=1&q=2', {
      method: 'PUT',
      headers: { 'x-custom': 'as it is', authorization: 'Bearer some-token', 'content-length': 4 },
    });
    const answer = await answerTo(outgoing.end('body'));
    expect(seen).toEqual({
      head: {
        method: 'PUT',
        url: '/base/v1/x%20y/?q=1&q=2',
        host: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
        custom: 'as it is',
        authorization: 'Bearer some-token',
      },
      body: 'body',
    });
    expect(seen.head).not.toMatchObject({ host: new URL(gateway.url).host });
    expect([answer.statusCode, answer.statusMessage]).toEqual([418, 'Short and stout']);
    expect(answer.headers).toMatchObject({ 'x-answer': 'Yes', 'set-cookie': ['a=1', 'b=2'], 'www-authenticate': 'Basic' });
    expect(await text(answer)).toBe('teapot');
  });

  it('no field of one connection, and none that Connection names, either way', async () => {
    let sent: IncomingMessage['headers'] = {};
    const gateway = await gatewayBefore((incoming, response) => {
      sent = incoming.headers;
      response
        .writeHead(200, { connection: 'close, X-Hop', 'x-hop': '1', 'proxy-authenticate': 'Basic', 'keep-alive': 'timeout=99' })
        .end('ok');
    });
    const hops = {
      connection: 'keep-alive, X-Mine',
      'x-mine': '1',
      te: 'trailers',
      upgrade: 'h2c',
      'keep-alive': '9',
      'proxy-connection': 'x',
    };
    const answer = await get(gateway, '/up/x', { headers: { ...hops, 'proxy-authorization': 'Basic eDp5', 'x-kept': '1' } });
    expect(await text(answer)).toBe('ok');
    expect(Object.keys(sent).sort()).toEqual(['connection', 'host', 'x-kept']);
    expect(sent.connection).toBe('keep-alive');
    expect(answer.headers).not.toHaveProperty('x-hop');
    expect(answer.headers).not.toHaveProperty('proxy-authenticate');
    expect(answer.headers['keep-alive']).not.toBe('timeout=99');
  });

  it('neither the operator’s cookies nor the gateway’s own header', async () => {
    let sent: IncomingMessage['headers'] = {};
    const gateway = await gatewayBefore((incoming, response) => {
      sent = incoming.headers;
      response.end();
    });
    (await get(gateway, '/up/x', { headers: { cookie: 'session=of-the-operator', 'x-session-id': 's' } })).resume();
    expect(sent).not.toHaveProperty('cookie');
    expect(sent).not.toHaveProperty('x-session-id');
  });

  it('trailers, both ways', async () => {
    let trailers: IncomingMessage['trailers'] = {};
    const gateway = await gatewayBefore(async (incoming, response) => {
      await text(incoming);
      trailers = incoming.trailers;
      response.writeHead(200, { trailer: 'X-Checksum' });
      response.write('body');
      response.addTrailers({ 'X-Checksum': 'abc' });
      response.end();
    });
    const outgoing = open(gateway, '/up/x', { method: 'POST', headers: { trailer: 'X-Sum' } });
    outgoing.write('some');
    outgoing.addTrailers({ 'X-Sum': 'def' });
    const answer = await answerTo(outgoing.end());
    expect(await text(answer)).toBe('body');
    expect(trailers).toEqual({ 'x-sum': 'def' });
    expect(answer.trailers).toEqual({ 'x-checksum': 'abc' });
  });

  it('bodies with their boundaries: a chunked GET, an empty POST, HEAD, 204 and 304', async () => {
    const seen: string[] = [];
    const gateway = await gatewayBefore(async (incoming, response) => {
      seen.push(`${incoming.method} ${incoming.url} ${await text(incoming)}`);
      response.statusCode = Number(incoming.url?.split('/').at(-1));
      if (incoming.method === 'HEAD') response.setHeader('content-length', 99);
      response.end();
    });
    // Were the chunks passed on without their framing, the next request on that connection would be what the client put into them.
    const smuggled = 'GET /base/200?smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
    const chunked = `GET /up/200 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
    expect(await exchangeRaw(gateway, chunked)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await exchangeRaw(gateway, 'POST /up/200 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
    expect(seen).toEqual([`GET /base/200 ${smuggled}`, 'POST /base/200 ']);
    const head = await get(gateway, '/up/200', { method: 'HEAD' });
    expect(head.headers['content-length']).toBe('99');
    for (const status of [204, 304]) {
      const answer = await get(gateway, `/up/${status}`);
      expect([answer.statusCode, await text(answer)]).toEqual([status, '']);
    }
    expect(seen).toHaveLength(5);
  });
});

describe('where requests go', () => {
  it('dot segments lead out of no upstream’s base, and a full URL in the request line changes no host', async () => {
    const seen: (string | undefined)[] = [];
    const gateway = await gatewayBefore((incoming, response) => {
      seen.push(incoming.url);
      response.end();
    });
    const statusOf = async (path: string): Promise<number | undefined> => (await get(gateway, path)).resume().statusCode;
    expect(await statusOf('/up/a/../b')).toBe(200);
    expect(await statusOf('/up/../../secret')).toBe(404);
    expect(await statusOf('/up/%2e%2e/secret')).toBe(404);
    expect(await statusOf('http://169.254.169.254/up/x')).toBe(200);
    expect(await statusOf('//169.254.169.254/up/x')).toBe(404);
    expect(await statusOf('/constructor/x')).toBe(404);
    expect(seen).toEqual(['/base/b', '/base/x']);
  });
});

describe('streams', () => {
  it('the first event of a stream arrives before the last is sent', async () => {
    const first = deferred();
    const gateway = await gatewayBefore(async (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
      await first.promise;
      response.end('data: 2\n\n');
    });
    const answer = await get(gateway, '/up/stream');
    const [chunk] = (await once(answer, 'data')) as [Buffer];
    expect(chunk.toString()).toBe('data: 1\n\n');
    first.resolve();
    expect(await text(answer)).toBe('data: 2\n\n');
  });

  it('headers arrive before there is any body', async () => {
    const body = deferred();
    const gateway = await gatewayBefore(async (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      await body.promise;
      response.end('late');
    });
    const answer = await get(gateway, '/up/stream');
    expect(answer.statusCode).toBe(200);
    body.resolve();
    expect(await text(answer)).toBe('late');
  });

  it('the first part of an upload arrives before the last is sent', async () => {
    const arrived = deferred<string>();
    const gateway = await gatewayBefore(async (incoming, response) => {
      incoming.once('data', (chunk: Buffer) => arrived.resolve(chunk.toString()));
      response.end(await text(incoming));
    });
    const outgoing = open(gateway, '/up/upload', { method: 'POST' });
    outgoing.write('first ');
    expect(await arrived.promise).toBe('first ');
    expect(await text(await answerTo(outgoing.end('last')))).toContain('last');
  });

  it('an answer that comes before the upload is over reaches the client', async () => {
    const gateway = await gatewayBefore((_, response) => void response.writeHead(401, { 'www-authenticate': 'Bearer' }).end('no'));
    const outgoing = open(gateway, '/up/upload', { method: 'POST' });
    outgoing.write('first ');
    const answer = await answerTo(outgoing);
    expect([answer.statusCode, answer.headers['www-authenticate'], await text(answer)]).toEqual([401, 'Bearer', 'no']);
  });
});
