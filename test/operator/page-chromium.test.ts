import type { Locator } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { apiKey, bearer, type Credential, type LatchkeyOptions } from '../../src/index.js';
import { deferred } from '../support/deferred.js';
import { secretsIn } from '../support/secret-forms.js';
import { TOKEN } from './page-server.js';
import { visits } from './page-visit.js';

const visit = visits();
const own = { tenant: 'acme', session: 'agent-1', provider: 'openai' };
const alone: LatchkeyOptions = { fallback: 'none', tenancy: 'multi' };

const news = (): Locator => visit.page.getByRole('status');
const details = (words: string): Locator => visit.page.getByRole('button', { name: `Details of ${words}`, exact: true });
const isFocused = (locator: Locator): Promise<boolean> => locator.evaluate((element) => element === element.ownerDocument.activeElement);
/** Whether a line goes through the word that says what has become of it, and through the fingerprint. */
const struck = (of: string): Promise<unknown> =>
  visit.page.evaluate(`[...document.querySelectorAll('${of} .fate, ${of} .code')].map((element) => {
    for (let one = element; !one.matches('tr, li'); one = one.parentElement)
      if (getComputedStyle(one).textDecorationLine === 'line-through') return true;
    return false;
  })`);
const settled = (): Promise<unknown> => visit.page.evaluate('new Promise((resolve) => setTimeout(resolve, 100))');

describe('the operator’s page in Chromium', () => {
  it('lets in who has the token, and out again', async () => {
    await visit.serve();
    await visit.open();
    await visit.signIn('not-the-token');
    await visit.page.getByRole('alert').getByText('not the token').waitFor();
    await visit.signIn();
    await visit.page.getByText('No client has presented a credential yet.').waitFor();
    expect(visit.page.url()).toBe(visit.server.url);
    await visit.page.getByRole('button', { name: 'Sign out' }).click();
    await visit.page.getByLabel('Token').waitFor();
    await visit.page.goto(visit.server.url);
    await visit.page.getByLabel('Token').waitFor();
  });

  it('shows a session that is blocked and goes on, live, and says so aloud', async () => {
    const values = { good: 'value-that-worked-81', dead: 'value-that-is-dead-82', fresh: 'value-that-is-fresh-83' };
    await visit.start((one) => one.play(own, values.good, 200), alone);
    await visit.rowOf('agent-1').getByText('ready').waitFor();
    const fingerprint = await visit.server.play(own, values.dead, 401);
    await visit.server.latchkey.run(own, () => 'not sent').catch(() => {});
    await visit.rowOf('agent-1').getByText('blocked').waitFor();
    expect(await visit.rowOf('agent-1').innerText()).toMatch(/401/);
    await news().getByText(`Incident opened: openai, status 401, credential ${fingerprint}.`).waitFor();
    await visit.page.getByRole('listitem').filter({ hasText: '1 call not sent' }).getByText('openai 401').waitFor();
    expect(await visit.page.title()).toBe('1 incident – Latchkey');
    expect(await visit.page.getByRole('button', { name: '2 blocked' }).count()).toBe(1);

    await visit.server.play(own, values.fresh, 200);
    await visit.rowOf('agent-1').getByText('ready').waitFor();
    await news().getByText('Incident over').waitFor();
    await visit.page.getByText('a fresh credential').first().waitFor();
    expect(await visit.page.title()).toBe('Latchkey');
    expect(secretsIn(await visit.page.content(), [values.good, values.dead, values.fresh, TOKEN])).toEqual([]);
  });

  it('shows a session whose token is being refreshed: refreshing, auth retrying, ready, live', async () => {
    const values = { dead: 'value-that-is-over-91', fresh: 'value-that-is-new-92' };
    const clock = { ahead: 0, now: () => Date.now() + clock.ahead };
    const [first, second] = [deferred<Credential>(), deferred<Credential>()];
    const asked: string[] = [];
    const refresh = ({ credential }: { credential: Credential }): Promise<Credential> => {
      asked.push(credential.fingerprint);
      return (asked.length === 1 ? first : second).promise;
    };
    await visit.start((one) => one.play(own, values.dead, 200), { ...alone, clock, refresh });
    const row = visit.rowOf('agent-1');
    await row.getByText('ready').waitFor();
    const run = visit.server.play(own, values.dead, 401);
    await row.getByText('refreshing').waitFor();
    await visit.page.getByRole('button', { name: '2 refreshing' }).waitFor();
    await row.getByRole('button').click();
    await visit.dialog().getByText('The gateway has been fetching another credential since').waitFor();

    // The short tries take five minutes, which nobody waits for here.
    clock.ahead = 6 * 60_000;
    first.reject({ status: 503, message: values.dead });
    await run;
    await visit.dialog().getByText('without success so far').waitFor();
    await visit.page.keyboard.press('Escape');
    await row.getByText('auth retrying').waitFor();
    expect(await row.innerText()).toMatch(/next try at \d\d:\d\d:\d\d/);
    await visit.page.getByRole('button', { name: '2 auth retrying' }).click();
    expect(new URL(visit.page.url()).hash).toBe('#state=auth_retrying');
    expect(await visit.sessions()).toContain('agent-1');
    await visit.page.getByRole('button', { name: 'Clear the filter' }).click();
    const timeline = visit.page.getByRole('list', { name: 'Timeline' });
    await timeline.getByText('for now, next try at').waitFor();
    await timeline.getByText('auth retrying, was refreshing').waitFor();

    await visit.server.play(own, values.fresh, 200);
    await row.getByText('ready').waitFor();
    await timeline.getByText('ready, was auth retrying').waitFor();
    for (const name of ['refreshes', 'refreshesFailed']) await visit.page.locator(`#stat-${name}`, { hasText: /^1$/ }).waitFor();
    expect(asked).toHaveLength(1);
    expect(secretsIn(await visit.page.content(), [values.dead, values.fresh, TOKEN])).toEqual([]);
  });

  it('shows what a refresh brought, and what is put to the test', async () => {
    const clock = { ahead: 0, now: () => Date.now() + clock.ahead };
    const refresh = async (): Promise<Credential> => bearer('value-refreshed-93');
    await visit.start((one) => one.play(own, 'value-over-94', 200), { ...alone, clock, refresh });
    await visit.server.play(own, 'value-over-94', 401);
    const timeline = visit.page.getByRole('list', { name: 'Timeline' });
    await timeline.getByText('usable, refreshed').waitFor();
    await timeline
      .getByText(`credential ${bearer('value-refreshed-93').fingerprint} · in place of ${bearer('value-over-94').fingerprint}`)
      .waitFor();

    const work = { ...own, session: 'agent-2' };
    visit.server.latchkey.capture(work, apiKey('value-of-a-key-95')).settle(401);
    await visit.server.latchkey.run(work, () => 'not sent').catch(() => {});
    const row = visit.rowOf('agent-2');
    await row.getByText('blocked').waitFor();
    await row.getByText('next try at').waitFor();
    clock.ahead = 20 * 60_000;
    await row.getByText('ready, as a test').waitFor();
    await row.getByRole('button').click();
    await visit.dialog().getByText('As a test, one call tries its own credential again.').waitFor();
    await visit.dialog().getByText('ready, as a test').waitFor();
    await visit.dialog().getByRole('button', { name: 'Forgive this credential…' }).waitFor();
  });

  it('explains a scope, again when it has changed', async () => {
    await visit.start((one) => one.play(own, 'dead', 401), alone);
    await details('session “agent-1” of tenant “acme”, openai').click();
    await visit.dialog().getByText('What would help: a fresh credential').waitFor();
    await visit.server.play(own, 'fresh', 200);
    await visit.dialog().getByText('It works with its own credential.').waitFor();
    await visit.page.keyboard.press('Escape');
    expect(await visit.dialog().count()).toBe(0);
    expect(await isFocused(details('session “agent-1” of tenant “acme”, openai'))).toBe(true);
  });

  it('evicts a session after a confirmation that names it, and stays where it was', async () => {
    await visit.start(async (one) => {
      await one.play(own, 'one', 200);
      await one.play({ ...own, session: 'agent-2' }, 'two', 200);
    }, alone);
    const button = details('session “agent-1” of tenant “acme”, openai');
    await button.click();
    await visit.page.getByRole('button', { name: 'Evict this session…' }).click();
    await visit.dialog().getByText('Session “agent-1” of tenant “acme” is forgotten').waitFor();
    expect(await isFocused(visit.page.getByRole('button', { name: 'Cancel' }))).toBe(true);
    await visit.page.getByRole('button', { name: 'Cancel' }).click();
    expect(visit.server.audited.map(({ event }) => event)).toEqual(['operator.login']);

    await button.click();
    await visit.page.getByRole('button', { name: 'Evict this session…' }).click();
    await visit.page.getByRole('button', { name: 'Evict session' }).click();
    await news().getByText('Evicted session “agent-1” of tenant “acme”.').waitFor();
    await visit.page.locator('tr.gone').getByText('gone').waitFor();
    expect(await struck('tr.gone')).toEqual([false, true]);
    expect(await visit.page.locator('tr.gone .shape').count()).toBe(0);
    expect(await isFocused(button)).toBe(true);
    expect(await visit.sessions()).toContain('agent-2');
    expect(visit.server.latchkey.canRun(own)).toBe(false);
    expect(visit.server.audited.at(-1)).toMatchObject({ event: 'operator.evict', fields: { tenant: 'acme', session: 'agent-1' } });
    await visit.page.keyboard.press('Tab');
    await visit.page.locator('tr.gone').waitFor({ state: 'detached' });
  });

  it('forgives a credential from its incident, and says what the server answers if it says no', async () => {
    let fingerprint = '';
    await visit.start(async (one) => {
      fingerprint = await one.play(own, 'dead', 401);
    }, alone);
    await visit.page.getByRole('button', { name: `Forgive credential ${fingerprint}…` }).click();
    await visit.dialog().getByText('2 scopes here').waitFor();
    await visit.page.route('**/forgive', (route) => route.fulfill({ status: 400, json: { error: 'not today' } }));
    await visit.page.getByRole('button', { name: 'Forgive credential', exact: true }).click();
    await visit.page.getByRole('alert').getByText('The server said no (400): not today').waitFor();
    await visit.page.unroute('**/forgive');
    expect(visit.server.latchkey.canRun(own)).toBe(false);
    await visit.page.getByRole('button', { name: 'Forgive credential', exact: true }).click();
    await news().getByText(`Credential ${fingerprint} is forgiven.`).waitFor();
    await visit.rowOf('agent-1').getByText('ready').waitFor();
    expect(visit.server.latchkey.canRun(own)).toBe(true);
    expect(visit.server.audited.at(-1)).toMatchObject({ event: 'operator.forgive', fields: { fingerprint } });
  });

  it('shows the scopes that an incident stops, and says of one that is over that it is', async () => {
    await visit.start(async (one) => {
      await one.play({ ...own, session: 'agent-2' }, 'good', 200);
      await one.play(own, 'dead', 401);
    }, alone);
    await visit.page.getByRole('button', { name: 'Show scopes stopped by' }).click();
    await visit.rowOf('agent-1').getByText('blocked').waitFor();
    expect(await visit.sessions()).not.toContain('agent-2');
    const ready = visit.page.getByRole('button', { name: /of 2 ready$|of 1 ready$/ });
    expect(await ready.count()).toBe(1);
    const gap = await visit.page.evaluate(`(() => {
      const [, , whole, word] = document.querySelector('button[data-state="ready"]').children;
      return word.getBoundingClientRect().left - whole.getBoundingClientRect().right;
    })()`);
    expect(gap).toBeGreaterThan(2);
    expect((await visit.page.locator('.incident').innerText()).match(/openai/g)).toHaveLength(1);

    const forgive = visit.page.getByRole('button', { name: 'Forgive credential' });
    await forgive.focus();
    await visit.server.play(own, 'fresh', 200);
    await visit.page.locator('.incident.gone').getByText('Over:').waitFor();
    expect(await struck('.incident.gone')).toEqual([false, true]);
    expect(await forgive.getAttribute('aria-disabled')).toBe('true');
    await visit.page.keyboard.press('Enter');
    expect(await visit.dialog().count()).toBe(0);
  });

  it('filters by state, tenant, provider and text, and still does after a reload', async () => {
    await visit.start(async (one) => {
      await one.play(own, 'dead', 401);
      await one.play({ ...own, session: 'agent-2' }, 'two', 200);
      await one.play({ tenant: 'acme-eu', session: 'agent-3', provider: 'anthropic' }, 'three', 402);
      await one.play({ tenant: 'globex', session: 'other' }, 'four', 200);
    }, alone);
    await visit.rowOf('agent-1').getByText('blocked').waitFor();
    const seen = async (): Promise<string[]> => (await visit.sessions()).filter((session) => session !== '–').sort();
    expect(await seen()).toEqual(['agent-1', 'agent-2', 'agent-3', 'other']);
    const held = visit.page.getByRole('button', { name: /held$/ });
    await visit.page.getByRole('button', { name: /blocked$/ }).click();
    await held.click();
    await settled();
    expect(await seen()).toEqual(['agent-1', 'agent-3']);
    await visit.page.getByRole('combobox', { name: 'Tenant' }).fill('acme');
    await settled();
    expect(await seen()).toEqual(['agent-1']);
    await visit.page.reload();
    await visit.rowOf('agent-1').waitFor();
    expect(await seen()).toEqual(['agent-1']);
    expect(await held.getAttribute('aria-pressed')).toBe('true');
    await visit.page.getByRole('button', { name: 'Clear the filter' }).click();
    await visit.page.getByRole('combobox', { name: 'Provider' }).selectOption('(no provider)');
    await settled();
    expect(await seen()).toEqual(['other']);
    expect(await visit.page.locator('#timeline').innerText()).not.toContain('agent-');
    await visit.page.getByRole('combobox', { name: 'Provider' }).selectOption('all');
    await visit.page.getByLabel('Session, fingerprint or incident').fill('AGENT-3');
    await settled();
    expect(await seen()).toEqual(['agent-3']);
  });

  it('moves neither focus, nor selection, nor the row under it when others change', async () => {
    const scopes = ['a', 'b', 'c', 'd'].map((session) => ({ ...own, session }));
    await visit.start(async (one) => {
      for (const scope of scopes) await one.play(scope, `good-${scope.session}`, 200);
    }, alone);
    const button = details('session “c” of tenant “acme”, openai');
    await button.focus();
    const place = (): Promise<number> =>
      visit.page.locator('tbody tr').evaluateAll((rows) => rows.findIndex((row) => row.contains(row.ownerDocument.activeElement)));
    const before = await place();
    await visit.page.evaluate(
      `getSelection().selectAllChildren([...document.querySelectorAll('tr')].find((row) => row.children[2].textContent === 'b').children[7].firstChild)`,
    );
    await visit.server.play(scopes[3] as typeof own, 'dead', 401);
    await visit.rowOf('d').getByText('blocked').waitFor();
    expect(await visit.page.locator('tbody tr').first().getAttribute('data-state')).toBe('blocked');
    expect(await isFocused(button)).toBe(true);
    expect(await visit.page.evaluate('String(getSelection()).trim()')).toBe('–');
    expect(await place()).toBe(before);
    expect(before).toBeGreaterThan(0);

    await visit.page.setViewportSize({ width: 1280, height: 540 });
    const under = visit.rowOf('a');
    await visit.page.evaluate('scrollTo(0, 0)');
    await under.hover();
    const top = (await under.boundingBox())?.y;
    const pointed = visit.server.play(scopes[1] as typeof own, 'dead-too', 401);
    await Promise.all([
      pointed,
      visit.rowOf('b').getByText('blocked').waitFor(),
      visit.page.getByRole('heading', { name: 'Open incidents 2' }).waitFor(),
    ]);
    expect((await under.boundingBox())?.y).toBeCloseTo(top ?? 0, 0);
  });

  it('keeps hostile names as text', async () => {
    const hostile = {
      tenant: '"><svg onload=stolen=1>',
      session: '<img src=x onerror=stolen=1>',
      provider: '</script><script>stolen=1</script>',
    };
    await visit.start((one) => one.play(hostile, 'dead', 401), alone);
    await visit.rowOf(hostile.session).getByText('blocked').waitFor();
    await visit.page.getByRole('button', { name: /^Details of session “<img/ }).click();
    await visit.dialog().getByText('What would help').waitFor();
    await visit.page.getByRole('button', { name: 'Evict this session…' }).click();
    await visit.dialog().getByText(`Session “${hostile.session}” of tenant “${hostile.tenant}” is forgotten`).waitFor();
    await visit.page.keyboard.press('Escape');
    expect(await visit.page.locator('img, [onload], [onerror], script:not([type="module"])').count()).toBe(0);
    expect(await visit.page.evaluate('typeof stolen')).toBe('undefined');
  });

  it('says that the connection is lost, and comes back with what is new', async () => {
    await visit.start((one) => one.play(own, 'good', 200), alone);
    await visit.server.leave();
    await visit.page.getByText(/^Connection lost\. What stands here is from \d\d:\d\d:\d\d\. Trying again…$/).waitFor();
    expect(await news().innerText()).toMatch(/^Connection lost/);
    await expect.poll(() => visit.page.title()).toMatch(/^Connection lost/);
    await visit.server.play(own, 'dead', 401);
    await visit.server.return();
    await news().getByText('Connected again. 1 open incident.').waitFor({ timeout: 15_000 });
    await visit.rowOf('agent-1').getByText('blocked').waitFor();
    await visit.page.getByText('Live', { exact: true }).waitFor();
  });

  it('goes to the login when its session is over', async () => {
    await visit.start();
    await visit.context.clearCookies();
    await visit.server.leave();
    await visit.page
      .getByText(/^Connection lost/)
      .first()
      .waitFor();
    await visit.server.return();
    await visit.page.getByLabel('Token').waitFor({ timeout: 15_000 });
  });

  it('can be worked by keyboard alone', async () => {
    await visit.serve(alone);
    await visit.server.play(own, 'dead', 401);
    await visit.open();
    await visit.page.keyboard.press('Tab');
    await visit.page.keyboard.type(TOKEN);
    await visit.page.keyboard.press('Enter');
    await visit.rowOf('agent-1').waitFor();
    await visit.page.keyboard.press('Tab');
    expect(await isFocused(visit.page.getByRole('link', { name: 'Skip to the scopes' }))).toBe(true);
    await visit.page.keyboard.press('Enter');
    const button = details('session “agent-1” of tenant “acme”, openai');
    for (let presses = 0; presses < 20 && !(await isFocused(button)); presses++) await visit.page.keyboard.press('Tab');
    await visit.page.keyboard.press('Enter');
    const forgive = visit.page.getByRole('button', { name: 'Forgive this credential…' });
    for (let presses = 0; presses < 5 && !(await isFocused(forgive)); presses++) await visit.page.keyboard.press('Tab');
    await visit.page.keyboard.press('Enter');
    await visit.page.keyboard.press('Tab');
    await visit.page.keyboard.press('Enter');
    await news()
      .getByText(/is forgiven\.$/)
      .waitFor();
    expect(visit.server.latchkey.canRun(own)).toBe(true);
    expect(await isFocused(button)).toBe(true);
  });
});
