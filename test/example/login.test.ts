import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Gateway, startGateway } from '../../examples/gateway/gateway.js';
import { Browserless } from './browserless.js';
import { HOSTILE } from './hostile-next.js';
import { endAfterEach, PASSWORD, play } from './playing.js';

endAfterEach();
afterEach(() => void vi.useRealTimers());

/** Of the operators' API; fetch would not send such headers. */
async function statusOf({ url }: Gateway, headers: Record<string, string>): Promise<number | undefined> {
  const [answer] = (await once(request(`${url}/api/sessions`, { headers, agent: false }).end(), 'response')) as [IncomingMessage];
  return answer.resume().statusCode;
}

describe('the login', () => {
  it('is where a page leads that nobody is logged in for, and what the API names in its 401', async () => {
    const { gateway } = await play();
    const browser = new Browserless(gateway);
    const page = await browser.fetch('/?upstream=openai');
    expect([page.status, page.headers.get('location')]).toEqual([302, `/login?next=${encodeURIComponent('/?upstream=openai')}`]);
    const api = await browser.fetch('/api/sessions');
    expect(api.status).toBe(401);
    expect(await api.json()).toEqual({ error: 'unauthenticated', detail: 'Unauthorized', reason: 'no_cookie', login_url: '/login' });
    expect(api.headers.get('x-upstream-auth-failed')).toBeNull();
  });

  it('takes the right password only, and leads back to where it was come from', async () => {
    const { gateway } = await play();
    const browser = new Browserless(gateway);
    const page = await browser.fetch('/?upstream=openai');
    await browser.fetch(page.headers.get('location') as string);
    const wrong = await browser.logIn('wrong');
    expect(wrong.status).toBe(403);
    expect(await wrong.text()).not.toContain('wrong"');
    expect(browser.cookies).not.toContain('session');

    const right = await browser.logIn();
    expect([right.status, right.headers.get('location')]).toEqual([303, '/?upstream=openai']);
    expect([...browser.cookies].sort()).toEqual(['refresh', 'session']);
    for (const line of right.headers.getSetCookie()) expect(line).toMatch(/HttpOnly.*SameSite=Lax|SameSite=Lax.*HttpOnly/);
    expect((await browser.fetch('/')).status).toBe(200);
  });

  it.each(HOSTILE)('leads to the front page from next=%j', async (next) => {
    const { gateway } = await play();
    const browser = new Browserless(gateway);
    expect((await browser.fetch(`/login?next=${encodeURIComponent(next)}`)).status).toBe(200);
    expect((await browser.logIn()).headers.get('location')).toBe('/');
  });

  it('takes where to go on from nothing but what the server set', async () => {
    const { gateway } = await play();
    const browser = new Browserless(gateway);
    await browser.fetch('/login?next=%2F%3Fa');
    // A login that is begun anew without a `next` forgets the one before.
    await browser.fetch('/login');
    expect((await browser.logIn(PASSWORD, {}, { next: '/?upstream=openai' })).headers.get('location')).toBe('/');
  });

  it('is refused to forms of other sites, and so is the logout', async () => {
    const { gateway } = await play();
    const browser = new Browserless(gateway);
    for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }]) {
      expect((await browser.logIn(PASSWORD, headers)).status).toBe(403);
      expect(browser.cookies).toEqual([]);
    }
    expect((await browser.logIn(PASSWORD, { origin: gateway.url })).status).toBe(303);
    expect((await browser.fetch('/logout', { method: 'POST', headers: { origin: 'https://evil.example' } })).status).toBe(403);
    expect((await browser.fetch('/')).status).toBe(200);
  });

  it('ends with the logout, for both cookies', async () => {
    const { gateway } = await play();
    const browser = new Browserless(gateway);
    await browser.logIn();
    const kept = browser.secrets.map((value, index) => `${browser.cookies[index]}=${value}`).join('; ');
    expect((await browser.fetch('/logout', { method: 'POST' })).headers.get('location')).toBe('/login');
    expect(browser.cookies).toEqual([]);
    expect((await fetch(`${gateway.url}/`, { headers: { cookie: kept }, redirect: 'manual' })).status).toBe(302);
  });
});

describe('the logout', () => {
  const cookieOf = (browser: Browserless): string => browser.cookies.map((name, index) => `${name}=${browser.secrets[index]}`).join('; ');

  it('ends the whole login, what another tab has refreshed meanwhile included, and no other login', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { gateway } = await play({ sessionMs: 60_000, refreshMs: 3_600_000 });
    const [tab, stranger] = [new Browserless(gateway), new Browserless(gateway)];
    await tab.logIn();
    const before = cookieOf(tab);
    vi.setSystemTime(Date.now() + 60_001);
    await stranger.logIn();
    expect((await tab.fetch('/api/upstreams')).status).toBe(200);
    expect(cookieOf(tab)).not.toBe(before);
    // Sent before the new cookies had arrived.
    const logout = await fetch(`${gateway.url}/logout`, { method: 'POST', redirect: 'manual', headers: { cookie: before } });
    expect(logout.status).toBe(303);
    const statusWith = async (cookie: string): Promise<number> =>
      (await fetch(`${gateway.url}/api/upstreams`, { headers: { cookie } })).status;
    expect(await statusWith(cookieOf(tab))).toBe(401);
    expect(await statusWith(before)).toBe(401);
    expect((await stranger.fetch('/api/upstreams')).status).toBe(200);
  });

  it('a refresh token is good for one use', async () => {
    const { gateway } = await play();
    const tokens = await gateway.users.login('demo', PASSWORD);
    const next = gateway.users.refresh(tokens?.refresh as string);
    expect(gateway.users.verify(next?.session as string)).toEqual({ name: 'demo' });
    expect(gateway.users.refresh(tokens?.refresh as string)).toBeUndefined();
  });
});

describe('an operator’s session', () => {
  it('is refreshed when it is over, once for parallel requests, and ends when the refresh token does', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { gateway } = await play({ sessionMs: 60_000, refreshMs: 3_600_000 });
    const browser = new Browserless(gateway);
    await browser.logIn();
    const [first] = browser.secrets;
    vi.setSystemTime(Date.now() + 60_001);
    const refresh = vi.spyOn(gateway.users, 'refresh');
    const statuses = await Promise.all([1, 2, 3].map(async () => (await browser.fetch('/api/upstreams')).status));
    expect(statuses).toEqual([200, 200, 200]);
    expect(refresh).toHaveBeenCalledTimes(1);
    expect(browser.secrets[0]).not.toBe(first);
    vi.setSystemTime(Date.now() + 3_600_001);
    const over = await browser.fetch('/api/upstreams');
    expect(over.status).toBe(401);
    expect(await over.json()).toMatchObject({ error: 'session_expired', reason: 'invalid_or_expired_session' });
    expect(browser.cookies).toEqual([]);
  });
});

describe('a gateway that others can reach', () => {
  it.each(['0.0.0.0', '::', '192.0.2.1'])('does not start on %j without users', async (host) => {
    await expect(startGateway({ upstreams: {}, host })).rejects.toThrow(TypeError);
  });

  it('needs no users on this machine alone, and then has no login', async () => {
    const { gateway } = await play({ users: {} });
    const page = await fetch(gateway.url);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('<strong></strong>');
  });

  it.each(['evil.example', 'evil.example:80', '127.0.0.1.evil.example', '192.0.2.1'])(
    'and then answers nobody who calls it %j: a name of somebody else’s may lead here',
    async (host) => {
      const { gateway } = await play({ users: {} });
      expect(await statusOf(gateway, { host })).toBe(403);
    },
  );

  it.each(['localhost', 'LOCALHOST:8080', '127.0.0.1', '[::1]:8080'])('but who calls it %j', async (host) => {
    const { gateway } = await play({ users: {} });
    expect(await statusOf(gateway, { host })).toBe(200);
    expect(await statusOf(gateway, { host, 'sec-fetch-site': 'none' })).toBe(200);
    expect(await statusOf(gateway, { host, 'sec-fetch-site': 'same-origin' })).toBe(200);
  });

  it.each([{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { origin: 'https://evil.example' }, { origin: 'null' }])(
    'nor another site’s page: %j',
    async (headers) => {
      const { gateway } = await play({ users: {} });
      expect(await statusOf(gateway, headers as Record<string, string>)).toBe(403);
    },
  );
});

describe('an upstream', () => {
  it.each(['api', 'login', 'logout', 'assets', '', 'a/b', 'Upper', 'a.b', '__proto__x', 'é'])('cannot be called %j', async (name) => {
    const error = new TypeError(`upstreams: no provider can be called ${JSON.stringify(name)}`);
    await expect(startGateway({ upstreams: { [name]: 'http://127.0.0.1' } })).rejects.toThrow(error);
  });

  it.each(['', 'example.com', '/x', 'ftp://example.com'])('cannot be at %j', async (base) => {
    await expect(startGateway({ upstreams: { up: base } })).rejects.toThrow(new TypeError('upstreams: `up` must be an http or https URL'));
  });
});
