import { describe, expect, it } from 'vitest';
import { Browserless } from './browserless.js';
import { endAfterEach, play } from './playing.js';

endAfterEach();

const FORM = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' };

describe('the package’s page in the example', () => {
  it('is behind the gateway’s login, under a path that no provider can have', async () => {
    const { gateway } = await play();
    const browser = new Browserless(gateway);
    const page = await browser.fetch('/latchkey/');
    expect([page.status, page.headers.get('location')]).toEqual([302, '/login?next=%2Flatchkey%2F']);
    for (const path of ['/latchkey/status', '/latchkey/events', '/latchkey/metrics']) {
      const answer = await browser.fetch(path);
      expect([path, answer.status, await answer.text()]).toEqual([path, 302, '']);
    }
    await browser.logIn();
    expect((await browser.fetch('/latchkey')).headers.get('location')).toBe('./latchkey/');
    expect(await (await browser.fetch('/latchkey/')).text()).toContain('<!doctype html>');
    await expect(play({ upstreams: { latchkey: 'http://127.0.0.1:9' } })).rejects.toThrow('"latchkey"');
  });

  it('shows who is blocked, forgets a session, and says who did it', async () => {
    const { upstream, gateway, lines } = await play();
    const browser = new Browserless(gateway);
    await browser.logIn();
    const token = upstream.issue();
    const headers = { authorization: `Bearer ${token}`, 'x-session-id': 'session-of-a-client' };
    await (await fetch(`${gateway.url}/openai/v1/models`, { headers })).text();
    upstream.revoke(token);
    await gateway.warmer.tick();

    const explained = await (await browser.fetch('/latchkey/explain?session=session-of-a-client&provider=openai')).json();
    expect(explained).toMatchObject({ ok: false, reason: 'rejected' });
    const evict = (headers: Record<string, string>): Promise<Response> =>
      browser.fetch('/latchkey/evict', { method: 'POST', headers, body: JSON.stringify({ session: 'session-of-a-client' }) });
    expect((await evict({ ...FORM, 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect(gateway.latchkey.stats().sessions).toBe(1);
    expect((await evict(FORM)).status).toBe(200);
    expect(gateway.latchkey.stats().sessions).toBe(0);
    expect(lines.find((line) => line.startsWith('audit     operator.evict'))).toMatch(/"who":"demo".*"session":"session-of-a-client"/);
    expect(lines.join('\n')).not.toContain(token);
  });
});
