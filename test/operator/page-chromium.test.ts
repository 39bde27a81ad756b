import { join } from 'node:path';
import axe from 'axe-core';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LatchkeyOptions } from '../../src/index.js';
import { launchChromium } from '../support/chromium.js';
import { secretsIn } from '../support/secret-forms.js';
import { type PageServer, servePage, TOKEN } from './page-server.js';

let browser: Browser | undefined;
let context: BrowserContext;
let page: Page;
let server: PageServer;
/** What the browser complained about, and where it went besides the server. */
const complaints: string[] = [];

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());
beforeEach(({ skip }) => {
  if (browser === undefined) skip();
});
afterEach(async () => {
  await context?.close();
  await server?.close();
  expect(complaints.splice(0)).toEqual([]);
});

async function open(options: Parameters<Browser['newContext']>[0] = {}): Promise<void> {
  context = await (browser as Browser).newContext({ viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(10_000);
  page = await context.newPage();
  page.on('request', (request) => {
    if (!request.url().startsWith(server.url) && !request.url().startsWith('data:')) complaints.push(request.url());
  });
  page.on('console', (message) => {
    if (message.type() === 'error' && !/^Failed to load resource/.test(message.text())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(server.url);
}

async function signIn(token = TOKEN): Promise<void> {
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** A gateway with some sessions, and its page, signed in. */
async function start(fill: (server: PageServer) => unknown = () => {}, options: LatchkeyOptions = {}): Promise<void> {
  server = await servePage(options);
  await fill(server);
  await open();
  await signIn();
  await page.getByText('Live', { exact: true }).waitFor();
}

const rowOf = (session: string): Locator => page.getByRole('row').filter({ has: page.getByRole('cell', { name: session, exact: true }) });
const news = (): Locator => page.getByRole('status');
const dialog = (): Locator => page.getByRole('dialog');
const details = (words: string): Locator => page.getByRole('button', { name: `Details of ${words}`, exact: true });
const isFocused = (locator: Locator): Promise<boolean> => locator.evaluate((element) => element === element.ownerDocument.activeElement);
const sessions = async (): Promise<string[]> =>
  page.locator('tbody tr:not(.gone) td[data-label="Session"]').evaluateAll((cells) => cells.map((cell) => cell.textContent ?? ''));
const settled = (): Promise<unknown> => page.evaluate('new Promise((resolve) => setTimeout(resolve, 100))');

async function shoot(name: string): Promise<void> {
  const folder = process.env['LATCHKEY_SCREENSHOTS'];
  if (folder !== undefined && folder !== '') await page.screenshot({ path: join(folder, `${name}.png`) });
}

const own = { tenant: 'acme', session: 'agent-1', provider: 'openai' };
const alone: LatchkeyOptions = { fallback: 'none', tenancy: 'multi' };

describe('the operator’s page in Chromium', () => {
  it('lets in who has the token, and out again', async () => {
    server = await servePage();
    await open();
    await signIn('not-the-token');
    await page.getByRole('alert').getByText('not the token').waitFor();
    await signIn();
    await page.getByText('No client has presented a credential yet.').waitFor();
    expect(page.url()).toBe(server.url);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Token').waitFor();
    await page.goto(server.url);
    await page.getByLabel('Token').waitFor();
  });

  it('shows a session that is blocked and goes on, live, and says so aloud', async () => {
    const values = { good: 'value-that-worked-81', dead: 'value-that-is-dead-82', fresh: 'value-that-is-fresh-83' };
    await start((one) => one.play(own, values.good, 200), alone);
    await rowOf('agent-1').getByText('ready').waitFor();
    const fingerprint = await server.play(own, values.dead, 401);
    await server.latchkey.run(own, () => 'not sent').catch(() => {});
    await rowOf('agent-1').getByText('blocked').waitFor();
    expect(await rowOf('agent-1').innerText()).toMatch(/401/);
    await news().getByText(`Incident opened: openai, status 401, credential ${fingerprint}.`).waitFor();
    await page.getByRole('listitem').filter({ hasText: '1 call not sent' }).getByText('openai 401').waitFor();
    expect(await page.title()).toBe('1 incident – Latchkey');
    expect(await page.getByRole('button', { name: '2 blocked' }).count()).toBe(1);

    await server.play(own, values.fresh, 200);
    await rowOf('agent-1').getByText('ready').waitFor();
    await news().getByText('Incident over').waitFor();
    await page.getByText('a fresh credential').first().waitFor();
    expect(await page.title()).toBe('Latchkey');
    expect(secretsIn(await page.content(), [values.good, values.dead, values.fresh, TOKEN])).toEqual([]);
  });

  it('explains a scope in the server’s words, again when it has changed', async () => {
    await start((one) => one.play(own, 'dead', 401), alone);
    await details('session “agent-1” of tenant “acme”, openai').click();
    await dialog().getByText('would unblock: a fresh credential').waitFor();
    await server.play(own, 'fresh', 200);
    await dialog().getByText('works with the session credential').waitFor();
    await page.keyboard.press('Escape');
    expect(await dialog().count()).toBe(0);
    expect(await isFocused(details('session “agent-1” of tenant “acme”, openai'))).toBe(true);
  });

  it('evicts a session after a confirmation that names it, and stays where it was', async () => {
    await start(async (one) => {
      await one.play(own, 'one', 200);
      await one.play({ ...own, session: 'agent-2' }, 'two', 200);
    }, alone);
    const button = details('session “agent-1” of tenant “acme”, openai');
    await button.click();
    await page.getByRole('button', { name: 'Evict this session…' }).click();
    await dialog().getByText('Session “agent-1” of tenant “acme” is forgotten').waitFor();
    expect(await isFocused(page.getByRole('button', { name: 'Cancel' }))).toBe(true);
    await page.getByRole('button', { name: 'Cancel' }).click();
    expect(server.audited.map(({ event }) => event)).toEqual(['operator.login']);

    await button.click();
    await page.getByRole('button', { name: 'Evict this session…' }).click();
    await page.getByRole('button', { name: 'Evict session' }).click();
    await news().getByText('Evicted session “agent-1” of tenant “acme”.').waitFor();
    await page.locator('tr.gone').waitFor();
    expect(await isFocused(button)).toBe(true);
    expect(await sessions()).toContain('agent-2');
    expect(server.latchkey.canRun(own)).toBe(false);
    expect(server.audited.at(-1)).toMatchObject({ event: 'operator.evict', fields: { tenant: 'acme', session: 'agent-1' } });
    await page.keyboard.press('Tab');
    await page.locator('tr.gone').waitFor({ state: 'detached' });
  });

  it('forgives a credential from its incident, and says what the server answers if it says no', async () => {
    let fingerprint = '';
    await start(async (one) => {
      fingerprint = await one.play(own, 'dead', 401);
    }, alone);
    await page.getByRole('button', { name: `Forgive credential ${fingerprint}…` }).click();
    await dialog().getByText('2 scopes here').waitFor();
    await page.route('**/forgive', (route) => route.fulfill({ status: 400, json: { error: 'not today' } }));
    await page.getByRole('button', { name: 'Forgive credential', exact: true }).click();
    await page.getByRole('alert').getByText('The server said no (400): not today').waitFor();
    await page.unroute('**/forgive');
    expect(server.latchkey.canRun(own)).toBe(false);
    await page.getByRole('button', { name: 'Forgive credential', exact: true }).click();
    await news().getByText(`Credential ${fingerprint} is forgiven.`).waitFor();
    await rowOf('agent-1').getByText('ready').waitFor();
    expect(server.latchkey.canRun(own)).toBe(true);
    expect(server.audited.at(-1)).toMatchObject({ event: 'operator.forgive', fields: { fingerprint } });
  });

  it('filters by state, tenant, provider and text, and still does after a reload', async () => {
    await start(async (one) => {
      await one.play(own, 'dead', 401);
      await one.play({ ...own, session: 'agent-2' }, 'two', 200);
      await one.play({ tenant: 'acme-eu', session: 'agent-3', provider: 'anthropic' }, 'three', 402);
      await one.play({ tenant: 'globex', session: 'other' }, 'four', 200);
    }, alone);
    await rowOf('agent-1').getByText('blocked').waitFor();
    const seen = async (): Promise<string[]> => (await sessions()).filter((session) => session !== '–').sort();
    expect(await seen()).toEqual(['agent-1', 'agent-2', 'agent-3', 'other']);
    const held = page.getByRole('button', { name: /held$/ });
    await page.getByRole('button', { name: /blocked$/ }).click();
    await held.click();
    await settled();
    expect(await seen()).toEqual(['agent-1', 'agent-3']);
    await page.getByRole('combobox', { name: 'Tenant' }).fill('acme');
    await settled();
    expect(await seen()).toEqual(['agent-1']);
    await page.reload();
    await rowOf('agent-1').waitFor();
    expect(await seen()).toEqual(['agent-1']);
    expect(await held.getAttribute('aria-pressed')).toBe('true');
    await page.getByRole('button', { name: 'Clear the filter' }).click();
    await page.getByRole('combobox', { name: 'Provider' }).selectOption('(no provider)');
    await settled();
    expect(await seen()).toEqual(['other']);
    expect(await page.locator('#timeline').innerText()).not.toContain('agent-');
    await page.getByRole('combobox', { name: 'Provider' }).selectOption('all');
    await page.getByLabel('Session or fingerprint').fill('AGENT-3');
    await settled();
    expect(await seen()).toEqual(['agent-3']);
  });

  it('moves neither focus, nor selection, nor the row under it when others change', async () => {
    const scopes = ['a', 'b', 'c', 'd'].map((session) => ({ ...own, session }));
    await start(async (one) => {
      for (const scope of scopes) await one.play(scope, `good-${scope.session}`, 200);
    }, alone);
    const button = details('session “c” of tenant “acme”, openai');
    await button.focus();
    const place = (): Promise<number> =>
      page.locator('tbody tr').evaluateAll((rows) => rows.findIndex((row) => row.contains(row.ownerDocument.activeElement)));
    const before = await place();
    await page.evaluate(
      `getSelection().selectAllChildren([...document.querySelectorAll('tr')].find((row) => row.children[2].textContent === 'b').children[7].firstChild)`,
    );
    await server.play(scopes[3] as typeof own, 'dead', 401);
    await rowOf('d').getByText('blocked').waitFor();
    expect(await page.locator('tbody tr').first().getAttribute('data-state')).toBe('blocked');
    expect(await isFocused(button)).toBe(true);
    expect(await page.evaluate('String(getSelection()).trim()')).toBe('–');
    expect(await place()).toBe(before);
    expect(before).toBeGreaterThan(0);

    await page.setViewportSize({ width: 1280, height: 480 });
    const under = rowOf('a');
    await page.evaluate('scrollTo(0, 0)');
    await under.hover();
    const top = (await under.boundingBox())?.y;
    const pointed = server.play(scopes[1] as typeof own, 'dead-too', 401);
    await Promise.all([
      pointed,
      rowOf('b').getByText('blocked').waitFor(),
      page.getByRole('heading', { name: 'Open incidents 2' }).waitFor(),
    ]);
    expect((await under.boundingBox())?.y).toBeCloseTo(top ?? 0, 0);
  });

  it('keeps hostile names as text', async () => {
    const hostile = {
      tenant: '"><svg onload=stolen=1>',
      session: '<img src=x onerror=stolen=1>',
      provider: '</script><script>stolen=1</script>',
    };
    await start((one) => one.play(hostile, 'dead', 401), alone);
    await rowOf(hostile.session).getByText('blocked').waitFor();
    await page.getByRole('button', { name: /^Details of session “<img/ }).click();
    await dialog().getByText('would unblock').waitFor();
    await page.getByRole('button', { name: 'Evict this session…' }).click();
    await dialog().getByText(`Session “${hostile.session}” of tenant “${hostile.tenant}” is forgotten`).waitFor();
    await page.keyboard.press('Escape');
    expect(await page.locator('img, [onload], [onerror], script:not([type="module"])').count()).toBe(0);
    expect(await page.evaluate('typeof stolen')).toBe('undefined');
  });

  it('says that the connection is lost, and comes back with what is new', async () => {
    await start((one) => one.play(own, 'good', 200), alone);
    await server.leave();
    await page.getByText(/^Connection lost\. What stands here is from \d\d:\d\d:\d\d\. Trying again…$/).waitFor();
    expect(await news().innerText()).toMatch(/^Connection lost/);
    expect(await page.title()).toMatch(/^Connection lost/);
    await server.play(own, 'dead', 401);
    await server.return();
    await news().getByText('Connected again. 1 open incident.').waitFor({ timeout: 15_000 });
    await rowOf('agent-1').getByText('blocked').waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
  });

  it('goes to the login when its session is over', async () => {
    await start();
    await context.clearCookies();
    await server.leave();
    await page
      .getByText(/^Connection lost/)
      .first()
      .waitFor();
    await server.return();
    await page.getByLabel('Token').waitFor({ timeout: 15_000 });
  });

  it('can be worked by keyboard alone', async () => {
    server = await servePage(alone);
    await server.play(own, 'dead', 401);
    await open();
    await page.keyboard.press('Tab');
    await page.keyboard.type(TOKEN);
    await page.keyboard.press('Enter');
    await rowOf('agent-1').waitFor();
    await page.keyboard.press('Tab');
    expect(await isFocused(page.getByRole('link', { name: 'Skip to the scopes' }))).toBe(true);
    await page.keyboard.press('Enter');
    const button = details('session “agent-1” of tenant “acme”, openai');
    for (let presses = 0; presses < 20 && !(await isFocused(button)); presses++) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    const forgive = page.getByRole('button', { name: 'Forgive this credential…' });
    for (let presses = 0; presses < 5 && !(await isFocused(forgive)); presses++) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await news()
      .getByText(/is forgiven\.$/)
      .waitFor();
    expect(server.latchkey.canRun(own)).toBe(true);
    expect(await isFocused(button)).toBe(true);
  });
});

describe('many scopes', () => {
  it('10,000 are shown page by page, and filtered at once', async () => {
    server = await servePage({ ...alone, limits: { sessions: 12_000 } });
    for (let count = 0; count < 9_980; count++) {
      await server.play({ tenant: `tenant-${count % 20}`, session: `session-${count}`, provider: 'openai' }, `value-${count}`);
    }
    await server.play({ tenant: 'tenant-17', session: 'session-77', provider: 'openai' }, 'dead', 401);
    await open();
    await signIn();
    await page.getByText('1–50 of 10,000 scopes').waitFor();
    const shown =
      await page.evaluate(`performance.getEntriesByType('paint').map(({ name, startTime }) => name + ' ' + Math.round(startTime)).join(', ')
      + ', rows ' + Math.round(performance.now()) + ' ms'`);
    expect(await page.locator('tbody tr').first().innerText()).toContain('tenant-17');
    const timed = (value: string): Promise<unknown> =>
      page.evaluate(`new Promise((resolve) => {
        const began = performance.now();
        const shown = document.getElementById('shown');
        new MutationObserver(() => requestAnimationFrame(() => resolve(performance.now() - began))).observe(shown, { childList: true });
        const text = document.getElementById('text');
        text.value = ${JSON.stringify(value)};
        text.dispatchEvent(new Event('input'));
      })`);
    const [few, none] = [await timed('session-123'), await timed('')];
    console.log(`10,000 scopes: ${shown}; filtered in ${Math.round(few as number)} ms, unfiltered in ${Math.round(none as number)} ms`);
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByText('51–100 of 10,000 scopes').waitFor();
    expect(await page.locator('tbody tr').count()).toBe(50);
    await page.getByLabel('Session or fingerprint').fill('session-123');
    await page.getByText('1–11 of 11 scopes').waitFor();
    expect((await sessions()).every((session) => session.startsWith('session-123'))).toBe(true);
  });
});

describe.each(['light', 'dark'] as const)('accessible and readable, %s', (colorScheme) => {
  /** The rules that are broken seriously, with what breaks them. */
  async function violations(): Promise<string[]> {
    await page.evaluate(axe.source);
    const { violations } = (await page.evaluate(`axe.run({ resultTypes: ['violations'] })`)) as { violations: axe.Result[] };
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`);
  }
  const tooWide = (): Promise<unknown> => page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');

  it('the login, the page in every width, and the dialogs', async () => {
    server = await servePage({ tenancy: 'multi' });
    for (const [index, status] of [200, 401, 402, 200, 200, 200].entries()) {
      const provider = ['openai', 'anthropic', 'gemini'][index % 3] as string;
      await server.play({ tenant: index < 3 ? 'acme' : 'globex', session: `agent-${index}`, provider }, `value-${index}`, status);
    }
    await server.play({ tenant: 'acme', session: 'nightly-9f2c1be0-6a5e-4b59-a6c3-1d2f80a1c0aa', provider: 'anthropic' }, 'later', 200);
    await open({ colorScheme, bypassCSP: true });
    await shoot(`login-${colorScheme}`);
    await signIn('wrong');
    await page.getByRole('alert').waitFor();
    expect(await violations()).toEqual([]);
    await signIn();
    await rowOf('agent-1').getByText('borrowing').waitFor();
    await page.getByRole('button', { name: /ready$/ }).click();
    await page.getByRole('button', { name: /borrowing$/ }).click();
    expect(await violations()).toEqual([]);
    await page.getByRole('button', { name: 'Clear the filter' }).click();
    for (const width of [360, 640, 1280, 1720]) {
      await page.setViewportSize({ width, height: 800 });
      expect({ width, tooWide: await tooWide() }).toEqual({ width, tooWide: 0 });
      await shoot(`page-${width}-${colorScheme}`);
    }
    // The cards of a narrow window are still a table, also where a browser takes its roles from the layout.
    await page.setViewportSize({ width: 360, height: 800 });
    expect(await page.locator('table[role="table"] > tbody[role="rowgroup"] > tr[role="row"] > td[role="cell"]').count()).toBe(13 * 10);
    expect(await page.locator('table[role="table"] th[role="columnheader"]').count()).toBe(10);
    await rowOf('agent-2').getByRole('button').click();
    await dialog().getByText('would unblock').waitFor();
    expect({ tooWide: await tooWide(), violations: await violations() }).toEqual({ tooWide: 0, violations: [] });
    await shoot(`dialog-360-${colorScheme}`);
    await page.keyboard.press('Escape');
    expect(await violations()).toEqual([]);
    await page.setViewportSize({ width: 1280, height: 800 });
    await rowOf('agent-2').getByRole('button').click();
    await page.getByRole('button', { name: 'Evict the whole tenant…' }).click();
    await shoot(`confirmation-1280-${colorScheme}`);
  });
});
