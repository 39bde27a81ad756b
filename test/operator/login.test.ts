import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createGuard } from '../../src/guard/guard.js';
import { bearer } from '../../src/index.js';
import type { OperatorOptions } from '../../src/operator/options.js';
import { freezeTime } from '../support/clock.js';
import { secretsIn } from '../support/secret-forms.js';
import { AUTHORIZED, COOKIE, makeOperator, postForm, type Served, serveOperator, TOKEN } from './mounted.js';

const FORM = `token=${TOKEN}`;
const HOURS_8_MS = 8 * 3_600_000;

/** What a browser sends back of a `Set-Cookie` value. */
function cookieOf(setCookie: string | readonly string[] | undefined): string {
  return ([setCookie].flat()[0] ?? '').split(';')[0] ?? '';
}

describe("an operator's login, over HTTP", () => {
  const servers: Served[] = [];
  const served = async (options: Partial<OperatorOptions> = {}): Promise<Served> => {
    const server = await serveOperator(makeOperator(options));
    servers.push(server);
    return server;
  };

  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });

  it('leads a browser to the form, and nobody else', async () => {
    const { ask } = await served();
    const browser = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
    expect(await ask('/', { headers: browser })).toMatchObject({ status: 302, headers: { location: './login' } });
    expect((await ask('/')).status).toBe(401);
    expect((await ask('/', { headers: { accept: '*/*' } })).status).toBe(401);
    expect((await ask('/', { headers: { ...browser, authorization: 'Bearer wrong' } })).status).toBe(401);
    expect((await ask('/status', { headers: browser })).status).toBe(401);
    const form = await ask('/login', { headers: browser });
    expect(form).toMatchObject({ status: 200, headers: { 'referrer-policy': 'same-origin', 'x-frame-options': 'DENY' } });
    expect(form.headers['content-security-policy']).toContain("form-action 'self'");
    expect(form.body).toContain('<form');
  });

  it('lets in who brings the token, with a cookie', async () => {
    const { ask, audit } = await served();
    const entered = await ask('/login', postForm(FORM));
    expect(entered).toMatchObject({ status: 303, body: '', headers: { location: './' } });
    expect(entered.headers['set-cookie']).toEqual([
      expect.stringMatching(/^latchkey_operator_[\w-]{8}=\d{13}\.[\w-]{43}; Path=\/; Max-Age=28800; HttpOnly; SameSite=Lax$/),
    ]);
    expect(audit).toEqual([{ event: 'operator.login', fields: { by: 'cookie', peer: '127.0.0.1' } }]);

    const cookie = cookieOf(entered.headers['set-cookie']);
    expect((await ask('/status', { headers: { cookie } })).status).toBe(200);
    const page = await ask('/', { headers: { cookie, accept: 'text/html' } });
    expect(page.status).toBe(200);
    const value = cookie.slice(COOKIE.length + 1);
    expect(page.body).not.toContain(value);
    expect(secretsIn(`${page.body}${cookie}${JSON.stringify(audit)}`, [TOKEN])).toEqual([]);
  });

  it('takes a token that was pasted with blanks around it', async () => {
    const { ask } = await served();
    expect((await ask('/login', postForm(`token=%20${TOKEN}%0A`))).status).toBe(303);
  });

  it.each([
    ['another token', 'token=hunter2-hunter2-hunter2'],
    ['markup', 'token=%3Cscript%3Ealert(1)%3C/script%3E'],
    ['no field', 'password=x'],
    ['nothing', ''],
    ['it twice', `${FORM}&${FORM}`],
    ['an empty one', 'token='],
    ['what is no ASCII', 'token=%C3%A4'],
  ])('shows the form again for %s, and echoes nothing', async (_what, form) => {
    const { ask, audit } = await served();
    const answer = await ask('/login', postForm(form));
    expect(answer.status).toBe(403);
    expect(answer.headers['set-cookie']).toBeUndefined();
    expect(answer.body).toContain('That is not the token of this gateway.');
    expect(answer.body).not.toContain('hunter2');
    expect(answer.body).not.toContain('alert(1)');
    expect(secretsIn(answer.body, [TOKEN])).toEqual([]);
    expect(audit).toEqual([{ event: 'operator.refused', fields: { reason: 'mismatch', path: '/login', peer: '127.0.0.1' } }]);
  });

  it('refuses what is no form, or too long for one', async () => {
    const { ask } = await served();
    const asJson = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token: TOKEN }) };
    expect((await ask('/login', asJson)).status).toBe(415);
    expect((await ask('/login', postForm(`token=${'x'.repeat(40_000)}`))).status).toBe(413);
    expect((await ask('/login', postForm(Buffer.from([0x74, 0xff]).toString('latin1')))).status).toBe(403);
  });

  it('judges a token that is presented by that alone', async () => {
    const { ask } = await served();
    const cookie = cookieOf((await ask('/login', postForm(FORM))).headers['set-cookie']);
    for (const authorization of ['Bearer wrong', '', 'Basic eDp5']) {
      expect((await ask('/status', { headers: { cookie, authorization } })).status).toBe(401);
    }
    expect((await ask('/status', { headers: { cookie: `${COOKIE}=bad`, ...AUTHORIZED } })).status).toBe(200);
  });

  it('takes no cookie that was changed', async () => {
    const { ask } = await served();
    const cookie = cookieOf((await ask('/login', postForm(FORM))).headers['set-cookie']);
    const [, endsAt = '', signature = ''] = /=(\d+)\.(.+)$/.exec(cookie) ?? [];
    const altered = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    for (const value of [
      `${Number(endsAt) + 1}.${signature}`,
      `${endsAt}.${altered}`,
      `${endsAt}.`,
      endsAt,
      `${endsAt}.${signature}=`,
      '',
      'x',
      `9999999999999.${'A'.repeat(43)}`,
    ]) {
      expect({ value, status: (await ask('/status', { headers: { cookie: `${COOKIE}=${value}` } })).status }).toEqual({
        value,
        status: 401,
      });
    }
    // A cookie that somebody else has planted beside it does no harm.
    expect((await ask('/status', { headers: { cookie: `${COOKIE}=planted; ${cookie}` } })).status).toBe(200);
  });

  it('is one login for all processes with that token, and for none with another', async () => {
    const [first, second] = [await served(), await served()];
    const other = await served({ guard: createGuard({ token: bearer('a-rotated-token') }) });
    const cookie = cookieOf((await first.ask('/login', postForm(FORM))).headers['set-cookie']);
    expect((await second.ask('/status', { headers: { cookie } })).status).toBe(200);
    // Cookies do not know ports: one of the other's name would take this one's place in a browser that visits both.
    const others = await other.ask('/login', postForm('token=a-rotated-token'));
    expect(others.headers['set-cookie']?.[0]?.split('=')[0]).not.toBe(COOKIE);
    for (const sent of [cookie, cookie.replace(COOKIE, others.headers['set-cookie']?.[0]?.split('=')[0] ?? '')])
      expect((await other.ask('/status', { headers: { cookie: sent } })).status).toBe(401);
  });

  it('takes the cookie away again', async () => {
    const { ask } = await served();
    const cookie = cookieOf((await ask('/login', postForm(FORM))).headers['set-cookie']);
    const left = await ask('/logout', postForm('', { cookie }));
    expect(left).toMatchObject({ status: 303, headers: { location: './login' } });
    const cleared = left.headers['set-cookie'] ?? [];
    expect(cleared.map((one) => one.split('=')[0])).toEqual([COOKIE, `__Host-${COOKIE}`, `__Secure-${COOKIE}`]);
    for (const one of cleared) expect(one).toContain('Max-Age=0');
  });

  it.each<[string, Record<string, string>]>([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['another port of it', { 'sec-fetch-site': 'same-site' }],
    ['another origin', { origin: 'http://evil.example' }],
    ['an origin that is not told', { origin: 'null' }],
  ])('signs nobody in or out for %s', async (_whose, headers) => {
    const { ask, audit } = await served();
    for (const path of ['/login', '/logout']) {
      const answer = await ask(path, postForm(FORM, headers));
      expect(answer.status).toBe(403);
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
    expect(audit).toEqual(
      ['/login', '/logout'].map((path) => ({ event: 'operator.refused', fields: { reason: 'origin', path, peer: '127.0.0.1' } })),
    );
  });

  it('is not there where a rule of the user decides', async () => {
    const { ask } = await served({ authorize: () => true });
    for (const method of ['GET', 'POST']) {
      expect((await ask('/login', { method })).status).toBe(404);
      expect((await ask('/logout', { method })).status).toBe(404);
    }
    const denied = await served({ authorize: () => false });
    expect((await denied.ask('/', { headers: { accept: 'text/html' } })).status).toBe(401);
  });
});

describe("an operator's cookie", () => {
  beforeEach(freezeTime);
  afterEach(() => {
    vi.useRealTimers();
  });

  const signIn = async (options: Partial<OperatorOptions>, url: string) => {
    const { operator } = makeOperator(options);
    const form = new URLSearchParams({ token: TOKEN });
    const answer = await operator.fetch(new Request(`${url}/login`, { method: 'POST', body: form }));
    const setCookie = answer.headers.get('set-cookie') ?? '';
    const ask = (cookie: string): Promise<Response> => operator.fetch(new Request(`${url}/status`, { headers: { cookie } }));
    return { operator, setCookie, cookie: cookieOf(setCookie), ask };
  };

  it.each([
    ['the root over HTTP', {}, 'http://gw.example', /^latchkey_operator_[\w-]{8}=.*; Path=\/; Max-Age=28800; HttpOnly; SameSite=Lax$/],
    [
      'the root over HTTPS',
      {},
      'https://gw.example',
      /^__Host-latchkey_operator_[\w-]{8}=.*; Path=\/; Max-Age=28800; HttpOnly; SameSite=Lax; Secure$/,
    ],
    ['the root behind a proxy that ends TLS', { https: true }, 'http://gw.example', /^__Host-latchkey_operator_[\w-]{8}=.*; Secure$/],
    ['a path over HTTP', { basePath: '/op' }, 'http://gw.example/op', /^latchkey_operator_[\w-]{8}=.*; Path=\/op; /],
    ['a path over HTTPS', { basePath: '/op' }, 'https://gw.example/op', /^__Secure-latchkey_operator_[\w-]{8}=.*; Path=\/op; .*; Secure$/],
  ])('is named and bound for %s', async (_where, options, url, expected) => {
    const { operator, setCookie, cookie, ask } = await signIn(options, url);
    expect(setCookie).toMatch(expected);
    expect((await ask(cookie)).status).toBe(200);
    expect((await ask(cookie.replace(/^__(?:Host|Secure)-/, ''))).status).toBe(setCookie.includes('Secure') ? 401 : 200);
    operator.close();
  });

  it('ends after eight hours, to the millisecond', async () => {
    const { operator, cookie, ask } = await signIn({}, 'http://gw.example');
    await vi.advanceTimersByTimeAsync(HOURS_8_MS - 1);
    expect((await ask(cookie)).status).toBe(200);
    await vi.advanceTimersByTimeAsync(1);
    expect((await ask(cookie)).status).toBe(401);
    operator.close();
  });
});
