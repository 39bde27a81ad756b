import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, vi } from 'vitest';
import type { Gateway } from '../../examples/gateway/gateway.js';
import { answerTo, ending, endProxiesAfterEach, exchangeRaw, gatewayBefore, gatewayTo, open, rawUpstream, upstreamOf } from './proxied.js';

endProxiesAfterEach();

const SMUGGLED = 'GET /base/chosen HTTP/1.1\r\nHost: x\r\n\r\n';
const CHUNKED = `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`;
const MANY = 'a:\r\n'.repeat(1_500);

/** A gateway whose upstream notes each request with its body. */
async function noting(): Promise<{ gateway: Gateway; seen: string[] }> {
  const seen: string[] = [];
  const gateway = await gatewayBefore(async (incoming, response) => {
    seen.push(`${incoming.method} ${incoming.url} ${await text(incoming)}`);
    response.end('ok');
  });
  return { gateway, seen };
}

/** Whether a server of Node's own, with nothing of ours, takes that many headers. */
async function takesMany(): Promise<boolean> {
  const url = await upstreamOf((_, response) => response.end());
  return (await exchangeRaw({ url }, `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${MANY}\r\n`)).startsWith('HTTP/1.1 200 ');
}

describe('a body is never read as the next request', () => {
  it.each(['GET', 'DELETE', 'POST'])('%s, whose length `Connection` names, or stands behind many headers', async (method) => {
    const { gateway, seen } = await noting();
    const length = `Content-Length: ${SMUGGLED.length}\r\n`;
    const ask = (head: string, body: string): Promise<string> =>
      exchangeRaw(gateway, `${method} /up/a HTTP/1.1\r\nHost: x\r\n${head}\r\n${body}`);
    for (const [head, body] of [
      [`Connection: content-length, close\r\n${length}`, SMUGGLED],
      [`Connection: close, transfer-encoding\r\nTransfer-Encoding: chunked\r\n`, CHUNKED],
    ] as const)
      expect(await ask(head, body)).toMatch(/^HTTP\/1\.1 200 /);
    const many = [
      await ask(`Connection: close\r\n${MANY}${length}`, SMUGGLED),
      await ask(`Connection: close\r\n${MANY}Transfer-Encoding: chunked\r\n`, CHUNKED),
    ].map((answer) => answer.slice(0, 'HTTP/1.1 200'.length));
    // Newer Nodes take so many headers from nobody.
    const expected = (await takesMany()) ? 'HTTP/1.1 200' : 'HTTP/1.1 431';
    expect(many).toEqual([expected, expected]);
    expect(seen).toEqual(Array.from({ length: expected === 'HTTP/1.1 200' ? 4 : 2 }, () => `${method} /base/a ${SMUGGLED}`));
  });

  it.each(['gzip, chunked', 'identity, chunked'])('501 for the transfer coding %s', async (coding) => {
    const { gateway, seen } = await noting();
    const head = `POST /up/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: ${coding}\r\n\r\n`;
    expect(await exchangeRaw(gateway, head + CHUNKED)).toMatch(/^HTTP\/1\.1 501 Not Implemented\r\n/);
    expect(seen).toEqual([]);
  });

  it('an answer keeps its length behind many headers', async () => {
    const upstream = await rawUpstream((socket) => socket.write(`HTTP/1.1 200 OK\r\n${'a:\r\n'.repeat(2_500)}Content-Length: 2\r\n\r\nok`));
    const gateway = await gatewayTo(upstream.url);
    expect(await exchangeRaw(gateway, 'GET /up/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toMatch(/^content-length: 2\r$/im);
  });

  it('trailers bring nothing that headers may not: no length, credential or cookie, nor what `Connection` names', async () => {
    let trailers: unknown;
    const gateway = await gatewayBefore(async (incoming, response) => {
      await text(incoming);
      trailers = incoming.trailers;
      response.end('ok');
    });
    const outgoing = open(gateway, '/up/x', { method: 'POST', headers: { connection: 'close, x-hop' } });
    outgoing.write('some');
    const trailing = { Authorization: 'Bearer x', Cookie: 'session=x', 'X-Api-Key': 'x', 'X-Session-Id': 's', 'X-Hop': '1', 'X-Sum': '1' };
    outgoing.addTrailers(trailing);
    (await answerTo(outgoing.end())).resume();
    expect(trailers).toEqual({ 'x-sum': '1' });
  });
});

describe('an upload that nobody takes', () => {
  const BYTES = 20_000_000;

  /** A raw client that sends it all, and what it reads meanwhile. */
  function upload(gateway: Gateway) {
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    ending.push(() => socket.destroy());
    const client = { socket, read: '' };
    socket
      .on('error', () => {})
      .on('data', (chunk) => {
        client.read += chunk.toString('latin1');
      });
    socket.write(`POST /up/upload HTTP/1.1\r\nHost: x\r\nContent-Length: ${BYTES}\r\n\r\n`);
    socket.write(Buffer.alloc(BYTES, 'x'));
    return client;
  }
  const EARLY = 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno';

  it.each(['stops reading', 'hangs up'])('is read away when the upstream answers and %s; the next request is answered', async (how) => {
    const upstream = await rawUpstream((socket) => {
      socket.pause();
      socket.write(EARLY);
    });
    const gateway = await gatewayTo(upstream.url);
    const client = upload(gateway);
    if (how === 'hangs up') {
      await once(client.socket, 'data');
      upstream.sockets[0]?.destroy();
    }
    client.socket.write('GET /none HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    await vi.waitFor(() => expect(client.read).toMatch(/^HTTP\/1\.1 413 .*\r\n\r\nnoHTTP\/1\.1 404 /s), { timeout: 10_000 });
    expect(client.socket.writableLength).toBe(0);
    // Its connection to the gateway is closed, as it sees once it reads.
    const [first] = upstream.sockets;
    first?.resume();
    await vi.waitFor(() => expect(first?.closed).toBe(true));
  });

  it('is read away when the upstream is not there', async () => {
    const upstream = await rawUpstream(() => {});
    await ending.pop()?.();
    const client = upload(await gatewayTo(upstream.url));
    client.socket.write('GET /none HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    await vi.waitFor(() => expect(client.read).toMatch(/^HTTP\/1\.1 502 .*HTTP\/1\.1 404 /s), { timeout: 10_000 });
  });

  it('of a client that has gone frees the upstream’s connection', async () => {
    const upstream = await rawUpstream((socket) => {
      socket.pause().write(EARLY);
    });
    const client = upload(await gatewayTo(upstream.url));
    await once(client.socket, 'data');
    client.socket.destroy();
    const [first] = upstream.sockets;
    first?.resume();
    await vi.waitFor(() => expect(first?.closed).toBe(true));
  });
});
