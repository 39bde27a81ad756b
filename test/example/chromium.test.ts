import { join } from 'node:path';
import type { Browser, BrowserContext, Page, Route } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchChromium } from '../support/chromium.js';
import { builtBrowserModule } from './built-browser.js';
import { HOSTILE } from './hostile-next.js';
import { endAfterEach, PASSWORD, type Playing, play } from './playing.js';

declare const location: { readonly href: string };

let browser: Browser | undefined;
let packageFolder: string;
let context: BrowserContext;
let page: Page;
let playing: Playing;
/** The login pages that were navigated to, and what the browser complained about. */
const logins: string[] = [];
const complaints: string[] = [];

beforeAll(async () => {
  [browser, packageFolder] = await Promise.all([launchChromium(), builtBrowserModule()]);
});
afterAll(() => browser?.close());
endAfterEach();

beforeEach(async ({ skip }) => {
  if (browser === undefined) return skip();
  playing = await play({ packageFolder });
  await start(browser, {});
});

afterEach(async () => {
  await context?.close();
  expect(complaints.splice(0)).toEqual([]);
});

async function start(browser: Browser, options: { colorScheme?: 'light' | 'dark' }): Promise<void> {
  context = await browser.newContext({ viewport: { width: 1000, height: 760 }, ...options });
  page = await context.newPage();
  logins.length = 0;
  page.on('request', (request) => {
    const { pathname, search } = new URL(request.url());
    if (request.isNavigationRequest() && request.method() === 'GET' && pathname === '/login') logins.push(pathname + search);
  });
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
}

async function logIn(): Promise<void> {
  await page.getByLabel('Name').fill('demo');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { name: 'Upstreams' }).waitFor();
}

async function client(token: string, provider = 'openai'): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'x-session-id': `session-of-${provider}` };
  await (await fetch(`${playing.gateway.url}/${provider}/v1/models`, { headers })).text();
}

/** Waits for what a panel says, and gives the whole of it. */
async function panel(name: string, state: string): Promise<string> {
  const shown = page.locator(`article[data-upstream="${name}"]`);
  await shown.getByRole('status').getByText(state).waitFor();
  return shown.innerText();
}

const call = (name: string): Promise<void> => page.getByRole('button', { name: `Call ${name}` }).click();

async function shoot(name: string): Promise<void> {
  const folder = process.env['LATCHKEY_SCREENSHOTS'];
  if (folder !== undefined && folder !== '') await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}

describe('the operator’s page in Chromium', () => {
  it('shows an upstream’s 401 inline; the session stays, and the next call works', async () => {
    const { upstream, gateway } = playing;
    const token = upstream.issue();
    await client(token);
    await client(upstream.issue(), 'anthropic');
    await page.goto(gateway.url);
    await logIn();
    expect(await panel('openai', 'Works')).toContain('gpt-example');
    expect(await panel('anthropic', 'Works')).toContain('claude-example');
    upstream.revoke(token);
    await call('openai');
    expect(await panel('openai', 'Rejected with 401')).toContain('Your own session is fine.');
    await call('openai');
    expect(await panel('openai', 'Failed with 503')).toContain('Nothing was sent');
    await call('anthropic');
    await panel('anthropic', 'Works');

    await client(upstream.issue());
    await call('openai');
    await panel('openai', 'Works');
    expect(page.url()).toBe(`${gateway.url}/`);
    expect(logins).toHaveLength(1);
    await page.getByRole('cell', { name: 'goes on' }).first().waitFor();
  });

  it('calls what has failed once more by itself when fresh auth has come', async () => {
    const { upstream, gateway } = playing;
    await page.goto(gateway.url);
    await logIn();
    expect(await panel('openai', 'Failed with 503')).toContain('No client has presented a credential yet.');
    await client(upstream.issue());
    await panel('openai', 'Works');
    upstream.revoke();
    await call('openai');
    await panel('openai', 'Rejected with 401');
    expect(await page.getByText('Goes on with').first().innerText()).toBe('Goes on with a fresh credential from its client.');
    const before = upstream.seen.calls;
    await client(upstream.issue());
    await panel('openai', 'Works');
    // The client's call, and the panel's.
    expect(upstream.seen.calls).toBe(before + 2);
  });

  it('goes to the login once when its own session is over, and comes back to where it was', async () => {
    const { upstream, gateway } = playing;
    await client(upstream.issue());
    const here = `${gateway.url}/?upstream=openai#here`;
    await page.goto(here);
    await logIn();
    await panel('openai', 'Works');
    expect(await page.locator('article').count()).toBe(1);
    await page.goto('about:blank');
    await page.goto(here);
    await panel('openai', 'Works');

    gateway.users.endAll();
    logins.length = 0;
    await call('openai');
    await page.waitForURL('**/login?*');
    expect(logins).toEqual([`/login?next=${encodeURIComponent('/?upstream=openai')}`]);
    await logIn();
    await panel('openai', 'Works');
    expect(page.url()).toBe(here);
    expect(logins).toHaveLength(1);
  });

  it('goes to the login once for ten 401s at once', async () => {
    const { gateway } = playing;
    await page.goto(gateway.url);
    await logIn();
    await panel('openai', 'Failed with 503');
    gateway.users.endAll();
    logins.length = 0;
    // None is answered before all are asked; the first answer may end the page.
    const asked: Route[] = [];
    await page.route('**/api/upstreams', async (route) => {
      if (asked.push(route) === 10) for (const one of asked) void one.continue().catch(() => {});
    });
    // As text: the test runner rewrites an import() that it sees.
    await page.evaluate(`import('/assets/latchkey/browser/index.js').then(({ createFetchJson }) => {
      for (let count = 0; count < 10; count++) createFetchJson()('/api/upstreams');
    })`);
    await page.waitForURL('**/login?*');
    await page.getByLabel('Password').waitFor();
    expect(asked).toHaveLength(10);
    expect(logins).toEqual(['/login?next=%2F']);
  });

  it('can be worked by keyboard, and says aloud what has become of a call', async () => {
    const { upstream, gateway } = playing;
    await client(upstream.issue());
    await page.goto(gateway.url);
    await page.getByLabel('Name').focus();
    await page.keyboard.type('demo');
    await page.keyboard.press('Tab');
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press('Enter');
    await panel('openai', 'Works');
    upstream.revoke();
    const button = page.getByRole('button', { name: 'Call openai' });
    await button.focus();
    await page.keyboard.press('Enter');
    await panel('openai', 'Rejected with 401');
    expect(await button.evaluate((element) => element === element.ownerDocument.activeElement)).toBe(true);
    expect(await page.locator('article[data-upstream="openai"] [aria-live="polite"]').innerText()).toBe('Rejected with 401');
  });
});

describe('the login page in Chromium', () => {
  it.each(HOSTILE)('ends on the front page with next=%j', async (next) => {
    const { gateway } = playing;
    await page.goto(`${gateway.url}/login?next=${encodeURIComponent(next)}`);
    await logIn();
    expect(page.url()).toBe(`${gateway.url}/`);
    expect(await page.evaluate(() => location.href)).toBe(`${gateway.url}/`);
  });
});

describe('what it looks like', () => {
  it.each(['light', 'dark'] as const)('readable, %s', async (colorScheme) => {
    await context.close();
    await start(browser as Browser, { colorScheme });
    const { upstream, gateway } = playing;
    const token = upstream.issue();
    await client(token);
    await client(upstream.issue(), 'anthropic');
    await page.goto(gateway.url);
    await shoot(`login-${colorScheme}`);
    await page.getByLabel('Name').fill('demo');
    await page.getByLabel('Password').fill('wrong');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('alert').getByText('do not go together').waitFor();
    await shoot(`login-refused-${colorScheme}`);
    await logIn();
    await panel('openai', 'Works');
    upstream.revoke(token);
    await call('openai');
    await panel('openai', 'Rejected with 401');
    await page.getByRole('cell', { name: 'paused' }).waitFor();
    await shoot(`operator-${colorScheme}`);
    await page.setViewportSize({ width: 390, height: 800 });
    await shoot(`operator-narrow-${colorScheme}`);
    const tooWide = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
    expect(tooWide).toBe(0);
  });
});
