import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createPlaneClient, type PlaneRequestInit } from '../../src/guard/plane-client.js';
import { isBulk, pair, serve, text, token, urls } from './plane-pair.js';
import type { recording } from './plane-servers.js';

describe('sending again', () => {
  const bytes = new Uint8Array(300_000).fill(120);
  const form = (): FormData => {
    const made = new FormData();
    made.append('name', 'value');
    return made;
  };

  it.each<[string, PlaneRequestInit['body'], RegExp]>([
    ['nothing', undefined, /^$/],
    ['null', null, /^$/],
    ['a text', 'a text', /^a text$/],
    ['bytes', bytes, /^x{300000}$/],
    ['a part of bytes', bytes.subarray(0, 3), /^x{3}$/],
    ['a buffer', bytes.buffer, /^x{300000}$/],
    ['a Blob', new Blob(['blob']), /^blob$/],
    ['fields', new URLSearchParams({ a: 'b' }), /^a=b$/],
    ['a form', form(), /name="name"\r\n\r\nvalue/],
  ])('is done once, to the bulk origin, with %s', async (_, body, expected) => {
    const { bulk, control, client } = await pair();
    expect(await text(client().fetch('/bulk/1', { method: 'POST', ...(body !== undefined && { body }) }))).toBe('bulk');
    expect([urls(control), urls(bulk)]).toEqual([['POST /bulk/1'], ['POST /bulk/1']]);
    expect(bulk.seen[0]?.body.toString('latin1')).toMatch(expected);
  });

  it.each<[string, () => unknown]>([
    ['a stream', () => new Blob(['stream']).stream()],
    ["Node's own stream", () => Readable.from([Buffer.from('stream')])],
  ])('is not done with %s: the 404 comes back as it is, and the next call knows', async (_, body) => {
    const { bulk, control, client } = await pair();
    const planes = client();
    const answer = await planes.fetch('/bulk/1', { method: 'POST', body: body() as NonNullable<PlaneRequestInit['body']> });
    expect([answer.status, await answer.text()]).toEqual([404, 'not here']);
    expect([control.seen[0]?.body.toString(), bulk.seen]).toEqual(['stream', []]);
    expect(
      await text(planes.fetch('/bulk/2', { method: 'POST', body: body() as NonNullable<PlaneRequestInit['body']>, duplex: 'half' })),
    ).toBe('bulk');
    expect(bulk.seen[0]?.body.toString()).toBe('stream');
  });

  it.each<[string, () => unknown]>([
    ["Node's own stream", () => Readable.from(['x'])],
    ['none', () => null],
    ['one that cannot be cancelled', () => ({ cancel: () => Promise.reject(new Error('no')) })],
    ['one that throws', () => Object.defineProperty({}, 'cancel', { get: () => { throw new Error('no'); } })], // biome-ignore format: one row
  ])('is done whatever the body of the 404 is: %s', async (_, body) => {
    const answers = [
      { status: 404, ok: false, headers: new Headers({ 'x-bulk-url': 'http://bulk.example' }), body: body() },
      new Response('bulk'),
    ];
    const fetchFor = () => async () => answers.shift() as Response;
    const planes = createPlaneClient({ url: 'http://127.0.0.1:1', isBulk, fetchFor });
    expect(await text(planes.fetch('/bulk/1'))).toBe('bulk');
    expect(answers).toEqual([]);
  });

  it.each([400, 401, 403, 404, 408, 425, 429, 500, 502, 503, 504])('is not done after a %i, of either', async (status) => {
    const answer: Parameters<typeof recording>[0] = (_, response) => response.writeHead(status, { 'Retry-After': '0' }).end();
    const bulk = await serve(answer);
    const control = await serve((request, response) => {
      if (request.url === '/register') response.writeHead(200, { 'X-Bulk-Url': bulk.url }).end();
      else response.writeHead(status, { 'Retry-After': '0' }).end();
    });
    const planes = createPlaneClient({ url: control.url, token, isBulk });
    expect([(await planes.fetch('/status')).status, (await planes.fetch('/bulk/1')).status]).toEqual([status, status]);
    expect(control.seen.length).toBe(2);
    await planes.register('/register');
    expect((await planes.fetch('/bulk/2')).status).toBe(status);
    expect([control.seen.length, bulk.seen.length]).toEqual([3, 1]);
  });
});
