import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type * as Entry from '../../src/browser/index.js';
import { launchChromium } from '../support/chromium.js';
import { type Panel, startPanel } from './panel.js';

/** What the page offers to the scripts below, which run inside it. */
declare const window: {
  readonly heard: Entry.AuthenticationRequired[];
  readonly latchkey: typeof Entry;
  readonly copy: typeof Entry;
  readonly history: { back(): void };
  readonly ready?: boolean;
};

const TAG = 'X-Upstream-Auth-Failed';

let browser: Browser | undefined;
let panel: Panel;
let elsewhere: Panel;
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  [panel, elsewhere] = await Promise.all([startPanel(), startPanel()]);
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  await Promise.all([panel.close(), elsewhere.close()]);
});

beforeEach(async ({ skip }) => {
  if (browser === undefined) return skip();
  context = await browser.newContext();
  page = await context.newPage();
  await open('/sessions?page=2#row-7');
  panel.calls.length = 0;
  elsewhere.calls.length = 0;
});

afterEach(async () => {
  await context?.close();
});

async function open(path: string): Promise<void> {
  await page.goto(panel.url + path);
  await ready();
}

async function ready(): Promise<void> {
  await page.waitForFunction(() => window.ready === true);
}

/** Fetches with the watch installed, one after the other, and gives the events. */
function heardFor(...urls: string[]): Promise<Entry.AuthenticationRequired[]> {
  return page.evaluate(async (urls) => {
    window.latchkey.installAuthWatch();
    for (const url of urls) await fetch(url);
    return window.heard;
  }, urls);
}

describe('installAuthWatch in Chromium', () => {
  it('tells a 401, with neither query nor headers', async () => {
    expect(await heardFor('/api/sessions?status=401&X-Canary=1')).toEqual([
      { status: 401, pathname: '/api/sessions', method: 'GET', stepUp: false },
    ]);
  });

  it('does not tell a tagged 401 or 403', async () => {
    expect(await heardFor(`/api/a?status=401&${TAG}=1`, `/api/a?status=403&X-Reauth-Required=1&${TAG}=1`)).toEqual([]);
  });

  it.each(['true', '0', '1, 1'])('is not suppressed by the tag `%s`', async (value) => {
    expect(await heardFor(`/api/a?status=401&${TAG}=${encodeURIComponent(value)}`)).toHaveLength(1);
  });

  it('(hole) is not suppressed by a tag that came twice', async () => {
    expect(await heardFor(`/api/a?status=401&${TAG}=1&${TAG}=1`)).toHaveLength(1);
  });

  it('tells a 403 only if it asks for a step-up', async () => {
    expect(await heardFor('/api/a?status=403', '/api/b?status=403&X-Reauth-Required=1')).toEqual([
      { status: 403, pathname: '/api/b', method: 'GET', stepUp: true },
    ]);
  });

  it('tells no other status', async () => {
    expect(await heardFor(...[200, 404, 429, 500, 502].map((status) => `/api/a?status=${status}`))).toEqual([]);
  });

  it('(hole) exempts by the parsed path: a Request object, and the text in a query', async () => {
    const heard = await page.evaluate(async () => {
      window.latchkey.installAuthWatch();
      await fetch(new Request('/api/auth/login', { method: 'POST', body: '{}' }));
      await fetch('/api/auth/me');
      await fetch(new Request('/api/sessions?next=/api/auth/login', { method: 'POST', body: '{}' }));
      await fetch('/api/models?next=/api/auth/login');
      return window.heard;
    });
    expect(heard.map(({ method, pathname }) => `${method} ${pathname}`)).toEqual(['POST /api/sessions', 'GET /api/models']);
  });

  it('(hole) a tag from another origin counts if that origin exposes it, with credentials, and is not seen otherwise', async () => {
    const tagged = `${elsewhere.url}/api/a?status=401&${TAG}=1`;
    expect(await heardFor(`${tagged}&Access-Control-Expose-Headers=${TAG}`)).toEqual([]);
    expect(await heardFor(`${tagged}&Access-Control-Expose-Headers=*`)).toHaveLength(1);
    expect(await heardFor(tagged)).toHaveLength(2);
  });

  it('sends credentials to another origin where the caller set none', async () => {
    await page.evaluate(async (url) => {
      window.latchkey.installAuthWatch();
      await fetch(`${url}/api/default`);
      await fetch(`${url}/api/omit`, { credentials: 'omit' });
      await fetch(`${url}/api/same-origin`, { credentials: 'same-origin' });
      await fetch(new Request(`${url}/api/request`));
    }, elsewhere.url);
    // Cookies do not know ports: the page's own goes along.
    expect(elsewhere.calls).toEqual([
      'GET /api/default cookie=session=1',
      'GET /api/omit cookie=none',
      'GET /api/same-origin cookie=none',
      'GET /api/request cookie=none',
    ]);
  });

  it('leaves a host that allows every origin, and so no credentials, alone with `origins`', async () => {
    const result = await page.evaluate(
      async ([own = '', url = '']) => {
        const ask = () => fetch(url).then(({ status }) => status, String);
        const uninstall = window.latchkey.installAuthWatch();
        const watched = await ask();
        uninstall();
        window.latchkey.installAuthWatch({ origins: [own] });
        return [watched, await ask(), window.heard.length];
      },
      [panel.url, `${elsewhere.url}/api/public?anyone`],
    );
    expect(result).toEqual(['TypeError: Failed to fetch', 401, 0]);
  });

  it('keeps an init that is an object of a class', async () => {
    await page.evaluate(async () => {
      window.latchkey.installAuthWatch();
      // As an object of a class has it: on the prototype, and not enumerable.
      const method = { get: () => 'POST' };
      await fetch('/api/class', Object.create(Object.create({}, { method })));
    });
    expect(panel.calls).toEqual(['POST /api/class cookie=session=1']);
  });

  it('installed twice, by two copies of the module, fires once; taken out, fetch is the browser’s own', async () => {
    const result = await page.evaluate(async () => {
      const own = fetch;
      const uninstall = [window.latchkey.installAuthWatch(), window.latchkey.installAuthWatch(), window.copy.installAuthWatch()];
      const copies = window.copy.installAuthWatch !== window.latchkey.installAuthWatch;
      await fetch('/api/a');
      const heard = window.heard.length;
      for (const one of uninstall) one();
      await fetch('/api/a');
      return { copies, heard, after: window.heard.length, restored: fetch === own };
    });
    expect(result).toEqual({ copies: true, heard: 1, after: 1, restored: true });
  });

  it('returns the response with its body unread', async () => {
    const result = await page.evaluate(async () => {
      window.latchkey.installAuthWatch();
      const response = await fetch('/api/a?body=why');
      return [response.bodyUsed, response.status, await response.text()];
    });
    expect(result).toEqual([false, 401, 'why']);
  });
});

describe('fetchJson in Chromium', () => {
  it('ten 401s at the same time, of two copies, lead to the login once, and back to where the user was', async () => {
    const before = panel.logins();
    await page.evaluate(() => {
      const instances = [window.latchkey.createFetchJson(), window.copy.createFetchJson()];
      for (let at = 0; at < 10; at++) void instances[at % 2]?.(`/api/mine?at=${at}`);
    });
    await page.waitForURL('**/login?next=*');
    await ready();
    expect(new URL(page.url()).searchParams.get('next')).toBe('/sessions?page=2');
    expect(panel.logins()).toBe(before + 1);
    expect(await page.evaluate(() => [window.latchkey.takeReturnTo(), window.latchkey.takeReturnTo()])).toEqual([
      '/sessions?page=2#row-7',
      '',
    ]);
  });

  it('never settles while the page is still there', async () => {
    const release = panel.holdLogin();
    const before = panel.logins();
    const callsTo = (path: string) => panel.calls.filter((call) => call.startsWith(`GET ${path} `)).length;
    try {
      // The page says by itself that it lives and what settles: a driver waits for the navigation before it asks.
      await page.evaluate(() => {
        const settled = () => fetch('/api/settled');
        const fetchJson = window.latchkey.createFetchJson();
        for (let at = 0; at < 10; at++) fetchJson(`/api/mine?at=${at}`).then(settled, settled);
        setInterval(() => fetch('/api/alive'), 20);
      });
      await vi.waitFor(() => expect([callsTo('/api/mine'), panel.logins()]).toEqual([10, before + 1]), 5_000);
      const alive = callsTo('/api/alive');
      await vi.waitFor(() => expect(callsTo('/api/alive')).toBeGreaterThan(alive + 5), 5_000);
      expect(callsTo('/api/settled')).toBe(0);
    } finally {
      release();
    }
    await page.waitForURL('**/login?next=*');
    expect(panel.logins()).toBe(before + 1);
  });

  it('a tagged 401 is an error to show in place: the page stays', async () => {
    const result = await page.evaluate(async (tag) => {
      const fetchJson = window.latchkey.createFetchJson({ upstream: 'alpha' });
      try {
        await fetchJson(`/api/mine?${tag}=1`);
        return 'resolved';
      } catch (error) {
        return [error instanceof window.latchkey.UpstreamAuthError, String(error)];
      }
    }, TAG);
    expect(result).toEqual([true, 'UpstreamAuthError: upstream auth failed: alpha']);
    expect(new URL(page.url()).pathname).toBe('/sessions');
  });

  it.each([
    'https://evil.example/login',
    '//evil.example/login',
    '/\\evil.example',
    '/\t/evil.example',
    '/.//evil.example',
    'javascript:alert(1)',
  ])('is not led off this origin by %j: an error with status and text', async (loginUrl) => {
    const result = await page.evaluate(async (loginUrl) => {
      try {
        await window.latchkey.createFetchJson()(`/api/mine?login_url=${encodeURIComponent(loginUrl)}`);
        return undefined;
      } catch (error) {
        const { name, status, body } = error as Entry.HttpError;
        return { name, status, told: (JSON.parse(body) as { login_url: string }).login_url };
      }
    }, loginUrl);
    expect(result).toEqual({ name: 'HttpError', status: 401, told: loginUrl });
    expect(new URL(page.url()).pathname).toBe('/sessions');
  });

  it('goes to this origin’s login on a page with a `<base>` of another', async () => {
    await open(`/sessions?base=${encodeURIComponent(`${elsewhere.url}/`)}`);
    const before = [panel.logins(), elsewhere.logins()];
    await page.evaluate((url) => void window.latchkey.createFetchJson()(url), `${panel.url}/api/mine`);
    await page.waitForURL('**/login?next=*');
    expect(new URL(page.url()).origin).toBe(panel.url);
    expect([panel.logins(), elsewhere.logins()]).toEqual([(before[0] ?? 0) + 1, before[1]]);
  });

  it('a 401 of another origin is an error: the page stays', async () => {
    const failing = (url: string) =>
      window.latchkey
        .createFetchJson()(url)
        .catch(({ name, status }: Entry.HttpError) => [name, status]);
    expect(await page.evaluate(failing, `${elsewhere.url}/api/mine`)).toEqual(['HttpError', 401]);
    expect(new URL(page.url()).pathname).toBe('/sessions');
  });

  it('goes to the login again 5 s after a navigation that came to nothing', async () => {
    await page.clock.install();
    await open('/sessions');
    const tries = () => panel.calls.filter((call) => call.startsWith('GET /api/nothing ')).length;
    const leave = () =>
      page.evaluate(() => void window.latchkey.createFetchJson()(`/api/mine?login_url=${encodeURIComponent('/api/nothing?status=204')}`));
    await leave();
    await vi.waitFor(() => expect(tries()).toBe(1), 5_000);
    await page.clock.fastForward(5_000);
    await leave();
    await vi.waitFor(() => expect(tries()).toBe(2), 5_000);
    expect(new URL(page.url()).pathname).toBe('/sessions');
  });

  it('goes to the login again after the back button brought the page back from memory', async () => {
    const leave = () => page.evaluate(() => void window.latchkey.createFetchJson()('/api/mine'));
    await leave();
    await page.waitForURL('**/login?next=*');
    await ready();
    // The back button's own way: the page drives itself, since a driver that goes back waits for a page to load.
    await page.evaluate(() => void setTimeout(() => window.history.back()));
    await vi.waitFor(() => expect(panel.calls.some((call) => call.startsWith('GET /api/shown-from-memory'))).toBe(true), 10_000);
    const before = panel.logins();
    await leave();
    await page.waitForURL('**/login?next=*');
    await ready();
    expect(panel.logins()).toBe(before + 1);
  });
});
