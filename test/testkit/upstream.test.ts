import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { apiKey, bearer, createLatchkey } from '../../src/index.js';
import { assertNoSecret } from '../../src/testkit/assert-no-secret.js';
import { createManualClock } from '../../src/testkit/manual-clock.js';
import { createUpstream, type Upstream } from '../../src/testkit/upstream.js';
import type { UpstreamOptions } from '../../src/testkit/upstream-rules.js';
import { watch } from '../support/attempts.js';

const [A, B] = [bearer('token-of-a-1234'), bearer('token-of-b-1234')];
const URL_BASE = 'http://upstream.test';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function get(upstream: Upstream, credential: typeof A | undefined, path = '/'): Promise<Response> {
  return upstream.fetch(`${URL_BASE}${path}`, credential && { headers: credential.headers() });
}

describe('a scripted upstream', () => {
  it('answers by time and by credential: 401 for A until t = 50, slow for B', async () => {
    const clock = createManualClock();
    const uninstall = clock.install();
    try {
      const rules = [
        { for: 'A', until: 50, status: 401, headers: { 'www-authenticate': 'Bearer' } },
        { for: 'B', delayMs: 2_000 },
      ];
      const upstream = createUpstream({ credentials: { A, B }, rules, clock });
      const first = await get(upstream, A);
      expect([first.status, first.headers.get('www-authenticate'), await first.json()]).toEqual([401, 'Bearer', { status: 401 }]);
      const slow = watch(get(upstream, B));
      await clock.advance(50);
      expect((await get(upstream, A)).status).toBe(200);
      expect(slow.state).toBe('pending');
      await clock.advance(1_950);
      expect(slow).toMatchObject({ state: 'resolved', value: { status: 200 } });
      expect(upstream.calls).toMatchObject([
        { number: 1, credential: 'A', at: 0, status: 401, answeredAt: 0, state: 'answered' },
        { number: 2, credential: 'B', at: 0, status: 200, answeredAt: 2_000, state: 'answered' },
        { number: 3, credential: 'A', at: 50, status: 200, answeredAt: 50, state: 'answered' },
      ]);
      expect(upstream.rejections).toHaveLength(1);
      expect(upstream.callsOf('B')).toHaveLength(1);
      expect(`${upstream}`).toContain('1. at 0 ms: GET / with A: 401');
    } finally {
      uninstall();
    }
  });

  it('by path, method and number; the first rule that fits counts', async () => {
    const rules = [
      { for: 'none', status: 401 },
      { path: '/once', status: 503, times: 1 },
      { method: 'post', status: 201, body: 'made' },
    ];
    const upstream = createUpstream({ rules, otherwise: { status: 204 } });
    const statuses = [await get(upstream, undefined, '/once'), await get(upstream, A, '/once?a=b'), await get(upstream, A, '/once')];
    expect(statuses.map(({ status }) => status)).toEqual([401, 503, 204]);
    const made = await upstream.fetch(new Request(URL_BASE, { method: 'POST', headers: A.headers() }));
    expect([made.status, await made.text()]).toEqual([201, 'made']);
    expect(upstream.calls.map(({ credential }) => credential)).toEqual(['none', A.fingerprint, A.fingerprint, A.fingerprint]);
  });

  it('is an attempt for `run`', async () => {
    const upstream = createUpstream({ credentials: { A, B }, rules: [{ for: 'A', status: 401 }] });
    const latchkey = createLatchkey();
    latchkey.capture('other', B);
    latchkey.capture({ session: 's' }, B);
    latchkey.capture('mine', A);
    latchkey.capture('other', B);
    expect((await latchkey.run('mine', upstream.attempt)).status).toBe(200);
    expect(upstream.calls.map(({ credential }) => credential)).toEqual(['A', 'B']);
    await latchkey.close();
  });

  it('breaks connections, and lets itself be called off', async () => {
    const upstream = createUpstream({ rules: [{ path: '/broken', fails: 'connection' }], otherwise: { delayMs: 60_000 } });
    await expect(get(upstream, A, '/broken')).rejects.toMatchObject({ message: 'fetch failed', cause: { code: 'ECONNRESET' } });
    const clock = createManualClock();
    const uninstall = clock.install();
    const controller = new AbortController();
    const slow = upstream.fetch(URL_BASE, { signal: controller.signal });
    expect(clock.timers).toBe(1);
    controller.abort(new Error('enough'));
    expect(clock.timers).toBe(0);
    uninstall();
    await expect(slow).rejects.toThrow('enough');
    await expect(upstream.fetch(URL_BASE, { signal: controller.signal })).rejects.toThrow('enough');
    expect(upstream.calls.map(({ state }) => state)).toEqual(['failed', 'gone']);
    expect(upstream.calls.map(({ answeredAt }) => typeof answeredAt)).toEqual(['number', 'undefined']);
  });

  it('answers over HTTP by the same rules', async () => {
    const key = apiKey('key-of-c-12345');
    const rules = [
      { for: 'A', status: 401, times: 1 },
      { path: '/broken', fails: 'connection' as const },
      { path: '/slow', delayMs: 60_000 },
    ];
    const upstream = createUpstream({ credentials: { A, key }, rules });
    const { url, close } = await upstream.listen();
    closing.push(close);
    const first = await fetch(`${url}/v1?q=1`, { headers: A.headers() });
    expect([first.status, await first.json()]).toEqual([401, { status: 401 }]);
    expect((await fetch(url, { headers: key.headers(), method: 'POST', body: 'x' })).status).toBe(200);
    await expect(fetch(`${url}/broken`)).rejects.toThrow();
    const controller = new AbortController();
    const slow = fetch(`${url}/slow`, { signal: controller.signal });
    await expect.poll(() => upstream.calls.length).toBe(4);
    controller.abort(new Error('enough'));
    await expect(slow).rejects.toThrow('enough');
    await expect.poll(() => upstream.calls[3]?.state).toBe('gone');
    expect(upstream.calls).toMatchObject([
      { credential: 'A', method: 'GET', path: '/v1', status: 401 },
      { credential: 'key', method: 'POST', path: '/', status: 200 },
      { credential: 'none', path: '/broken', status: undefined, state: 'failed' },
      { path: '/slow' },
    ]);
  });

  it.each(['//', '//?q=1', '//v1//', '/%', '*', 'http://upstream.test/v1?q=1', 'http://[/v1'])(
    'answers whatever is asked for over HTTP: %s',
    async (target) => {
      const upstream = createUpstream({ rules: [{ for: 'none', status: 418 }] });
      const { url, close } = await upstream.listen();
      closing.push(close);
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      await once(socket, 'connect');
      socket.end(`OPTIONS ${target} HTTP/1.1\r\nhost: upstream.test\r\nconnection: close\r\n\r\n`);
      const answer = await text(socket);
      expect(answer).toMatch(target.includes('[') ? /^HTTP\/1.1 (400|418) / : /^HTTP\/1.1 418 /);
      if (!target.includes('[')) expect(upstream.calls[0]?.path).toBe(target.replace('http://upstream.test', '').replace('?q=1', ''));
    },
  );

  it.each([204, 205, 304])('has no body with a %d', async (status) => {
    for (const option of ['otherwise', 'rules[0]']) {
      const create = (body: unknown): Upstream =>
        createUpstream(option === 'otherwise' ? { [option]: { status, body } } : { rules: [{ status, body }] });
      for (const body of ['text', { a: 1 }, null]) {
        expect(() => create(body)).toThrow(TypeError);
        expect(() => create(body)).toThrow(`createUpstream: \`${option}.body\` must be left out where the status is ${status}`);
      }
      expect((await create(undefined).fetch(URL_BASE)).status).toBe(status);
      expect(await (await create('').fetch(URL_BASE)).text()).toBe('');
    }
  });

  it('remembers and prints no value of a credential, wherever it came in', async () => {
    const unknown = bearer('token-of-nobody');
    const upstream = createUpstream({ credentials: { A } });
    await get(upstream, unknown, `/v1/${unknown.reveal()}/${encodeURIComponent(A.reveal())}?key=${A.reveal()}`);
    await get(upstream, A);
    const basic = { authorization: `Basic ${unknown.reveal()}` };
    await upstream.fetch(`${URL_BASE}/v1/${unknown.reveal()}`, { headers: basic });
    expect(upstream.calls[0]?.path).toBe(`/v1/${unknown}/${A}`);
    assertNoSecret(
      [upstream, upstream.calls, `${upstream}`, JSON.stringify(upstream), inspect(upstream, { showHidden: true, depth: 9 })],
      [A, unknown],
    );
  });

  it.each<[string, UpstreamOptions]>([
    ['unknown option `rule`', { rule: [] } as never],
    ['`rules` must be a list', { rules: {} as never }],
    ['`rules[1].for` must be the name of a credential', { credentials: { A }, rules: [{ for: 'A' }, { for: 'B' }] }],
    ['unknown option `rules[0].when`', { rules: [{ when: 1 } as never] }],
    ['`rules[0].status` must be', { rules: [{ status: 99 }] }],
    ['`rules[0].until` must be', { rules: [{ until: '50' as never }] }],
    ['`rules[0].delayMs` must be', { rules: [{ delayMs: -1 }] }],
    ['`rules[0].fails` must be', { rules: [{ fails: 'always' as never }] }],
    ['`otherwise` must be', { otherwise: 401 as never }],
    ['`credentials` must be', { credentials: { A: 'token' as never } }],
    ['`credentials.none` is', { credentials: { none: A } }],
    ['`clock` must have', { clock: {} as never }],
  ])('says what is wrong: %s', (message, options) => {
    expect(() => createUpstream(options)).toThrow(TypeError);
    expect(() => createUpstream(options)).toThrow(`createUpstream: ${message}`);
  });
});
