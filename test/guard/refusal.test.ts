import { describe, expect, it, vi } from 'vitest';
import { bearer } from '../../src/credential/credential.js';
import { createGuard } from '../../src/guard/guard.js';
import type { Refusal } from '../../src/guard/refusal.js';
import type { GuardedRequest } from '../../src/guard/request.js';
import { sendAnswer } from '../../src/signals/answer.js';
import { secretsIn } from '../support/secret-forms.js';
import { listening, type RawReply, rawRequest } from './raw-http.js';

const SECRET = 'tok-9f8e7d6c5b4a39281706f5e4d3c2b1a0';
const token = bearer(SECRET);
const guard = createGuard({ token });

/** A request to a real server of a guard that tells. */
async function ask(target: string, lines: readonly string[], method: string, onRefused: (refusal: Refusal) => unknown): Promise<RawReply> {
  const guarding = createGuard({ token, onRefused });
  const server = await listening((request, response) => {
    const authenticated = guarding.authenticateRequest(request);
    if (authenticated.ok) response.end(authenticated.by);
    else sendAnswer(response, authenticated.answer);
  });
  return rawRequest(server.port, target, lines, method).finally(() => server.close());
}

describe('what is told of a refusal', () => {
  const encoded = (character: string): string => `%${character.charCodeAt(0).toString(16)}`;
  const refusalOf = (request: unknown): Refusal => {
    const heard: Refusal[] = [];
    const authenticated = createGuard({ token, onRefused: (refusal) => heard.push(refusal) }).authenticateRequest(
      request as GuardedRequest,
    );
    expect(heard).toEqual([(authenticated as Extract<typeof authenticated, { ok: false }>).refusal]);
    return heard[0] as Refusal;
  };

  it('is its reason, the peer, the method and the path without query', async () => {
    const onRefused = vi.fn();
    const lines = ['Authorization: Bearer nonsense'];
    await ask('/status?key=private', lines, 'DELETE', onRefused);
    expect(onRefused.mock.calls).toEqual([[{ reason: 'mismatch', peer: '127.0.0.1', method: 'DELETE', path: '/status' }]]);
  });

  it.each([
    ['/a\u0000b\r\nc\u001b[31m\u2028d\u202ee', '/a\ufffdb\ufffd\ufffdc\ufffd[31m\ufffdd\ufffde'],
    ['//evil.example/x', '//evil.example/x'],
    ['http://user:password@gw.example/x?y', 'http://gw.example/x'],
    ['user:password@gw.example:443', ''],
    ['*', ''],
    [`/${'a'.repeat(5000)}`, `/${'a'.repeat(1023)}`],
  ])('has a path that fits on a line: %j', (url, path) => {
    expect(refusalOf({ headers: {}, url, socket: { remoteAddress: '::1' } }).path).toBe(path);
  });

  it('has the whole path of a request below a mount', () => {
    expect(refusalOf({ headers: {}, url: '/status', originalUrl: '/gw/status?x' }).path).toBe('/gw/status');
  });

  it('has neither a method nor a peer that would break a line', () => {
    const refusal = refusalOf({ headers: {}, method: 'GET\r\nX', url: '/', socket: { remoteAddress: '::1\n' } });
    expect(refusal).toMatchObject({ method: undefined, peer: '::1\ufffd' });
  });

  it('has nothing of the token in any form, wherever somebody put it', () => {
    const encoded = Buffer.from(SECRET).toString('base64');
    for (const url of [`/t/${SECRET}`, `/t/${encoded}`, `/t?token=${SECRET}`, `/${encodeURIComponent(SECRET)}#${SECRET}`]) {
      for (const authorization of [undefined, `Basic ${encoded}`, `Bearer ${SECRET} ${SECRET}`, `Bearer ${SECRET}x`]) {
        const refused = createGuard({ token }).authenticateRequest({ headers: { authorization }, url, method: 'GET' });
        expect(refused.ok).toBe(false);
        expect(secretsIn(JSON.stringify(refused), [SECRET])).toEqual([]);
      }
    }
    expect(secretsIn(JSON.stringify([guard, Object.values(guard)]), [SECRET])).toEqual([]);
  });

  it.each([
    ['some of it encoded', 's3cr!t/value~x', '/x/s3cr%21t/value~x'],
    ['more than need be', SECRET, `/x/%74${SECRET.slice(1)}`],
    ['digits of both cases', 'ab+cd/ef==gh', '/x/ab%2Bcd%2fef%3D%3Dgh'],
    ['all of it', SECRET, `/${SECRET.replace(/./g, encoded)}`],
    ['twice', SECRET, `/x/tok%252D${SECRET.slice(4)}`],
    ['among escapes that are none', SECRET, `/%zz/%/%ff/tok%2d${SECRET.slice(4)}%`],
    [
      'as base64',
      SECRET,
      `/${Buffer.from(`:${SECRET}`)
        .toString('base64')
        .replace(/(?<=^.{9})./, encoded)}`,
    ],
    ['in the path below a mount', SECRET, `/x/tok%2D${SECRET.slice(4)}`],
  ])('has no path with the token in it, encoded in whatever way: %s', (name, value, url) => {
    const request = name.endsWith('mount') ? { url: '/', originalUrl: url } : { url };
    const refused = createGuard({ token: bearer(value) }).authenticateRequest({ headers: {}, method: 'GET', ...request });
    expect((refused as Extract<typeof refused, { ok: false }>).refusal.path).toBe('');
  });

  it('has a path that is encoded otherwise', () => {
    for (const url of ['/a%20b', '/%e4%zz%', '/%2574ok']) expect(refusalOf({ headers: {}, url }).path).toBe(url);
    expect(refusalOf({ headers: {}, url: `/%20/${SECRET}` }).path).toBe(`/%20/${token}`);
  });

  it('does not disturb the answer if whoever hears it fails', async () => {
    const failing = [
      () => {
        throw new Error('the log is full');
      },
      async () => {
        throw new Error('the log is full');
      },
      () => Object.defineProperty({}, 'then', { get: () => { throw new Error('no'); } }), // biome-ignore format: one row
    ];
    for (const onRefused of failing) expect((await ask('/', [], 'GET', onRefused)).status).toBe(401);
  });

  it('is told even of a request that cannot be read', () => {
    const hostile = new Proxy({}, { get: () => { throw new Error('no'); } }); // biome-ignore format: one row
    for (const request of [hostile, undefined, null, 7, {}, Object.freeze({ headers: null, url: 5, method: {}, socket: null })]) {
      expect(refusalOf(request)).toEqual({ reason: 'missing', peer: undefined, method: undefined, path: '' });
    }
  });

  it('is not told of those who are let in', () => {
    const onRefused = vi.fn();
    const guarding = createGuard({ token, onRefused });
    expect(guarding.authenticateRequest({ headers: { authorization: `Bearer ${SECRET}` } }).ok).toBe(true);
    expect(guarding.authenticateRequest({ headers: {}, method: 'GET', url: '/health' }).ok).toBe(true);
    expect(onRefused).not.toHaveBeenCalled();
  });
});
