import { describe, expect, it, vi } from 'vitest';
import { endProxiesAfterEach, exchangeRaw, gatewayTo, rawUpstream } from './proxied.js';

endProxiesAfterEach();

const BODY = '{"error":{"type":"upstream_failed","message":"The upstream gave no answer that can be passed on."}}';

const request = (head = ''): string => `GET /up/x HTTP/1.1\r\nHost: x\r\n${head}Connection: close\r\n\r\n`;

describe('502, whole, for an answer that cannot be passed on', () => {
  it.each([
    ['a reason phrase with control characters', '200 O\x01K\r\nContent-Length: 2\r\n\r\nok'],
    ['one with a NUL', '401 \x00\r\nContent-Length: 2\r\n\r\nno'],
    ['a status that is none', '099 Odd\r\nContent-Length: 0\r\n\r\n'],
    ['another protocol, which nobody asked for', '101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'],
    ['the status of another protocol', '101 Switching Protocols\r\n\r\n'],
    ['a transfer coding that is not chunked alone', '200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    ['a body that ends in two ways', '200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
  ])('%s', async (_, answer) => {
    const upstream = await rawUpstream((socket) => socket.write(`HTTP/1.1 ${answer}`, 'latin1'));
    const gateway = await gatewayTo(upstream.url);
    for (let time = 0; time < 2; time++) {
      const answered = await exchangeRaw(gateway, request('Authorization: Bearer some-token\r\nX-Session-Id: s\r\n'));
      const [head = '', body] = answered.split('\r\n\r\n');
      expect(head).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/);
      expect(head).toMatch(new RegExp(`^content-length: ${BODY.length}\r?$`, 'm'));
      expect(body).toBe(BODY);
    }
    await vi.waitFor(() => expect(upstream.sockets.map(({ closed }) => closed)).toEqual([true, true]));
  });
});

describe('what is odd and can be passed on', () => {
  it.each([
    ['an announcement of trailers beside a length', 'Trailer: X-Sum\r\nContent-Length: 2\r\n\r\nok', request()],
    ['an announcement to a HEAD', 'Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n', request().replace('GET', 'HEAD')],
    [
      'trailers to a client of HTTP/1.0',
      'Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n',
      request().replace('1.1', '1.0'),
    ],
    ['an announcement by the client', 'Content-Length: 2\r\n\r\nok', request('Trailer: X-Sum\r\n')],
  ])('%s', async (_, answer, asked) => {
    const upstream = await rawUpstream((socket) => socket.write(`HTTP/1.1 200 Fine\r\n${answer}`));
    const gateway = await gatewayTo(upstream.url);
    const answered = await exchangeRaw(gateway, asked);
    expect(answered).toMatch(/^HTTP\/1\.1 200 Fine\r\n/);
    expect(answered).not.toMatch(/^trailer:/im);
    expect(answered.endsWith(asked.startsWith('HEAD') ? '\r\n\r\n' : 'ok')).toBe(true);
  });

  it('header values in the bytes that they came in, both ways', async () => {
    let asked = '';
    const upstream = await rawUpstream((socket, bytes) => {
      asked = bytes.toString();
      socket.write('HTTP/1.1 200 OK\r\nX-Yours: é\r\nContent-Length: 2\r\n\r\nok');
    });
    const gateway = await gatewayTo(upstream.url);
    expect(await exchangeRaw(gateway, request('X-Mine: é\r\n'))).toContain('X-Yours: é\r\n');
    expect(asked).toContain('X-Mine: é\r\n');
  });
});
