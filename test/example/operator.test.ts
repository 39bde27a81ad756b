import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { bearer } from '../../src/index.js';
import { scriptedUpstream } from '../support/upstream.js';
import { Browserless } from './browserless.js';
import { endAfterEach, PASSWORD, type Playing, play } from './playing.js';

endAfterEach();

interface Setting extends Playing {
  readonly browser: Browserless;
  /** A client's request, which is how a token comes to the gateway. */
  client(token: string, session?: string): Promise<number>;
}

async function loggedIn(options: Parameters<typeof play>[0] = {}): Promise<Setting> {
  const playing = await play(options);
  const browser = new Browserless(playing.gateway);
  await browser.logIn();
  return {
    ...playing,
    browser,
    async client(token, session = 'session-of-a-client') {
      const headers = { authorization: `Bearer ${token}`, 'x-session-id': session };
      const answer = await fetch(`${playing.gateway.url}/openai/v1/models`, { headers });
      await answer.text();
      return answer.status;
    },
  };
}

const CALL = '/api/upstreams/openai/models';
const TAG = 'x-upstream-auth-failed';

describe('the call of an upstream', () => {
  it('gives the upstream’s answer with the credential that a client brought', async () => {
    const { upstream, browser, client } = await loggedIn();
    await client(upstream.issue());
    const answer = await browser.fetch(CALL);
    expect([answer.status, answer.headers.get(TAG)]).toEqual([200, null]);
    expect(await answer.json()).toMatchObject({ data: [{ id: 'gpt-example' }] });
  });

  it('marks the upstream’s 401; after that nothing is sent, until fresh auth; the operator’s session stays', async () => {
    const { upstream, browser, client, lines } = await loggedIn();
    const token = upstream.issue();
    await client(token);
    upstream.revoke(token);
    const failed = await browser.fetch(CALL);
    expect([failed.status, failed.headers.get(TAG), failed.headers.get('www-authenticate')]).toEqual([401, '1', null]);
    expect(await failed.json()).toMatchObject({ error: { code: 'invalid_api_key' } });
    expect(lines).toContainEqual(expect.stringMatching(/^operator call: \{"level":"info","status":401,.*"credentialAttached":"yes"\}$/));

    const before = upstream.seen.calls;
    const blocked = await browser.fetch(CALL);
    expect([blocked.status, blocked.headers.get(TAG)]).toEqual([503, null]);
    expect(await blocked.json()).toEqual({
      error: 'CREDENTIAL_REJECTED',
      detail: expect.stringMatching(
        /^Nothing was sent: credential [0-9a-f]{16} is rejected\. What would help: a fresh credential from its client\.$/,
      ),
    });
    expect(upstream.seen.calls).toBe(before);

    await client(upstream.issue());
    expect((await browser.fetch(CALL)).status).toBe(200);
  });

  it('says so when no client has come yet, or the upstream is not there', async () => {
    const { upstream, browser, client } = await loggedIn();
    const missing = await browser.fetch(CALL);
    expect([missing.status, await missing.json()]).toEqual([
      503,
      { error: 'CREDENTIAL_MISSING', detail: 'No client has presented a credential yet.' },
    ]);
    await client(upstream.issue());
    await upstream.close();
    const down = await browser.fetch(CALL);
    expect([down.status, down.headers.get(TAG), await down.json()]).toEqual([
      502,
      null,
      { error: 'UPSTREAM_UNREACHABLE', detail: 'The upstream could not be reached.' },
    ]);
  });

  it('reads a compressed answer, and passes on what it has read', async () => {
    const body = gzipSync(JSON.stringify({ data: [{ id: 'packed' }] }));
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip', 'content-length': body.length };
    const packing = await scriptedUpstream(() => (_, response) => void response.writeHead(200, headers).end(body));
    try {
      const { browser, client } = await loggedIn({ upstreams: { openai: packing.url } });
      await client('some-token');
      const answer = await browser.fetch(CALL);
      expect(await answer.json()).toEqual({ data: [{ id: 'packed' }] });
      expect(answer.headers.get('content-type')).toBe('application/json');
    } finally {
      await packing.close();
    }
  });

  it.each([200, 401])('passes on what the page needs of a %i and nothing that an upstream could do to it', async (status) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const hostile = await scriptedUpstream(({ path }) => ({
      status: path === '/v1/models' ? status : 200,
      headers: {
        'content-type': 'text/html',
        'retry-after': '7',
        'set-cookie': 'session=planted-by-upstream; Path=/',
        'access-control-allow-origin': 'https://evil.example',
        'access-control-allow-credentials': 'true',
        'strict-transport-security': 'max-age=99',
        'clear-site-data': '"cookies"',
        'cache-control': 'public, max-age=9999',
        'content-security-policy': 'default-src *',
        'www-authenticate': 'Basic',
        [TAG]: '1',
        link: '</evil.js>; rel=preload',
      },
      body: '<script>alert(document.domain)</script>',
    }));
    try {
      const { browser, gateway } = await loggedIn({ upstreams: { openai: hostile.url }, sessionMs: 60_000 });
      gateway.latchkey.capture({ session: 's', provider: 'openai' }, bearer('some-token'));
      vi.setSystemTime(Date.now() + 60_001);
      const answer = await browser.fetch(CALL);
      const {
        connection: _,
        date: __,
        'keep-alive': ___,
        'transfer-encoding': ____,
        'set-cookie': cookies,
        ...rest
      } = Object.fromEntries(answer.headers);
      expect(rest).toEqual({
        'content-type': 'text/html',
        'retry-after': '7',
        'cache-control': 'no-store',
        'content-security-policy': 'sandbox',
        'x-content-type-options': 'nosniff',
        ...(status === 401 && { [TAG]: '1', 'access-control-expose-headers': 'X-Upstream-Auth-Failed' }),
      });
      // The operator's session has been refreshed by the same answer, and lives on.
      expect(cookies).toMatch(/^refresh=/);
      expect(answer.headers.getSetCookie().join()).not.toContain('planted');
      vi.setSystemTime(Date.now() + 30_000);
      expect((await browser.fetch('/api/sessions')).status).toBe(200);
    } finally {
      vi.useRealTimers();
      await hostile.close();
    }
  });

  it('is for the upstreams that there are, and for GET', async () => {
    const { browser } = await loggedIn();
    expect(await (await browser.fetch('/api/upstreams')).json()).toEqual({ upstreams: ['anthropic', 'openai'] });
    expect((await browser.fetch('/api/upstreams/other/models')).status).toBe(404);
    expect((await browser.fetch(CALL, { method: 'POST' })).status).toBe(405);
  });
});

describe('what the page is told and what is printed', () => {
  it('names sessions by their credential’s fingerprint, and nothing secret', async () => {
    const { upstream, gateway, browser, client, lines } = await loggedIn();
    const tokens = [upstream.issue(), upstream.issue()];
    await client(tokens[0] as string);
    await client(tokens[1] as string, 'another-session-of-a-client');
    upstream.revoke(tokens[0]);
    await gateway.warmer.tick();
    await client(tokens[0] as string);
    await browser.fetch(CALL);
    const answer = await browser.fetch('/api/sessions');
    const told = await answer.text();
    const { sessions, callable, stats } = JSON.parse(told) as { sessions: object[]; callable: string[]; stats: object };
    // The newest credential is what the operator calls with.
    expect(callable).toEqual(['openai']);
    expect(sessions).toEqual([
      expect.objectContaining({ provider: 'openai', state: 'usable', fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/) }),
      expect.objectContaining({ provider: 'openai', state: 'rejected', unblock: 'a fresh credential from its client' }),
    ]);
    expect(stats).toMatchObject({ rejected: expect.any(Number), openIncidents: 1 });
    for (const event of ['captured', 'rejected', 'blocked', 'incident']) expect(lines.join('\n')).toMatch(new RegExp(`^${event}`, 'm'));

    const everything = [told, ...lines, JSON.stringify([...answer.headers])].join('\n');
    for (const secret of [...tokens, ...browser.secrets, PASSWORD, 'session-of-a-client'])
      for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64').replace(/=+$/, '')])
        expect(everything).not.toContain(form);
  });

  it('a line for each: captured, rejected, blocked, incident, and after fresh auth resumed and recovered', async () => {
    const { upstream, gateway, client, lines } = await loggedIn();
    const token = upstream.issue();
    await client(token);
    upstream.revoke();
    await gateway.warmer.tick();
    await client(upstream.issue());
    const events = lines.map((line) => line.split(' ')[0]);
    expect(events).toEqual(expect.arrayContaining(['captured', 'rejected', 'incident', 'blocked', 'resumed', 'recovered']));
    expect(events.indexOf('rejected')).toBeLessThan(events.indexOf('resumed'));
  });
});

describe('the pages', () => {
  const policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

  it('come with a strict policy, and hold nothing inline', async () => {
    const { browser } = await loggedIn();
    for (const path of ['/', '/login', '/operator.js', '/gateway.css']) {
      const answer = await browser.fetch(path);
      expect([path, answer.status, answer.headers.get('content-security-policy')]).toEqual([path, 200, policy]);
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    }
    for (const name of ['login', 'operator']) {
      const html = readFileSync(new URL(`../../examples/gateway/pages/${name}.html`, import.meta.url), 'utf8');
      expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|javascript:|https?:/);
      for (const [tag] of html.matchAll(/<script[^>]*>/g)) expect(tag).toContain(' src="/');
    }
  });

  it('show what was typed as text', async () => {
    const { browser } = await loggedIn();
    const page = await browser.logIn('wrong', {}, { name: '"><script>alert(1)</script>' });
    expect(await page.text()).not.toContain('<script');
  });

  it('import the browser module and the one file that it needs; nothing else of the package is served', async () => {
    const folder = new URL('../../src', import.meta.url).pathname;
    const { browser } = await loggedIn({ packageFolder: folder });
    // The folder holds TypeScript only, so that whatever is found is found by its name.
    for (const path of [
      'browser/index.ts',
      'signals/cookies.js',
      'index.js',
      'browser/..%2findex.js',
      'browser/%2e%2e/index.js',
      'browser/none.js',
    ])
      expect((await browser.fetch(`/assets/latchkey/${path}`)).status, path).toBe(404);
  });
});
