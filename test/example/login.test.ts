import { afterEach, describe, expect, it, vi } from 'vitest';
import { startGateway } from '../../examples/gateway/gateway.js';
import { Browserless } from './browserless.js';
import { HOSTILE } from './hostile-next.js';
import { endAfterEach, PASSWORD, play } from './playing.js';

endAfterEach();
afterEach(() => void vi.useRealTimers());

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
  it.each(['0.0.0.0', '::', '192.0.2.1', ''])('does not start on %j without users', async (host) => {
    await expect(startGateway({ upstreams: {}, host })).rejects.toThrow(TypeError);
  });

  it('needs no users on this machine alone, and then has no login', async () => {
    const { gateway } = await play({ users: {} });
    const page = await fetch(gateway.url);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('<strong></strong>');
  });
});
