import { join } from 'node:path';
import axe from 'axe-core';
import { describe, expect, it } from 'vitest';
import { apiKey, bearer, type Lease } from '../../src/index.js';
import { visits } from './page-visit.js';

const visit = visits();

async function shoot(name: string): Promise<void> {
  const folder = process.env['LATCHKEY_SCREENSHOTS'];
  if (folder !== undefined && folder !== '') await visit.page.screenshot({ path: join(folder, `${name}.png`) });
}

describe('many scopes', () => {
  it('10,000 are shown page by page, and filtered at once', async () => {
    await visit.serve({ fallback: 'none', tenancy: 'multi', limits: { sessions: 12_000 } });
    for (let count = 0; count < 9_980; count++) {
      await visit.server.play({ tenant: `tenant-${count % 20}`, session: `session-${count}`, provider: 'openai' }, `value-${count}`);
    }
    await visit.server.play({ tenant: 'tenant-17', session: 'session-77', provider: 'openai' }, 'dead', 401);
    await visit.open();
    await visit.signIn();
    await visit.page.getByText('1–50 of 10,000 scopes').waitFor();
    const shown =
      await visit.page.evaluate(`performance.getEntriesByType('paint').map(({ name, startTime }) => name + ' ' + Math.round(startTime)).join(', ')
      + ', rows ' + Math.round(performance.now()) + ' ms'`);
    expect(await visit.page.locator('tbody tr').first().innerText()).toContain('tenant-17');
    const timed = (value: string): Promise<unknown> =>
      visit.page.evaluate(`new Promise((resolve) => {
        const began = performance.now();
        const shown = document.getElementById('shown');
        new MutationObserver(() => requestAnimationFrame(() => resolve(performance.now() - began))).observe(shown, { childList: true });
        const text = document.getElementById('text');
        text.value = ${JSON.stringify(value)};
        text.dispatchEvent(new Event('input'));
      })`);
    const [few, none] = [await timed('session-123'), await timed('')];
    console.log(`10,000 scopes: ${shown}; filtered in ${Math.round(few as number)} ms, unfiltered in ${Math.round(none as number)} ms`);
    await visit.page.getByRole('button', { name: 'Next' }).click();
    await visit.page.getByText('51–100 of 10,000 scopes').waitFor();
    expect(await visit.page.locator('tbody tr').count()).toBe(50);
    await visit.page.getByLabel('Session, fingerprint or incident').fill('session-123');
    await visit.page.getByText('1–11 of 11 scopes').waitFor();
    expect((await visit.sessions()).every((session) => session.startsWith('session-123'))).toBe(true);
  });
});

describe.each(['light', 'dark'] as const)('accessible and readable, %s', (colorScheme) => {
  /** The rules that are broken seriously, with what breaks them. */
  async function violations(): Promise<string[]> {
    await visit.page.evaluate(axe.source);
    const { violations } = (await visit.page.evaluate(`axe.run({ resultTypes: ['violations'] })`)) as { violations: axe.Result[] };
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`);
  }
  const tooWide = (): Promise<unknown> =>
    visit.page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');

  it('rows that are refreshed, retried and put to the test', async () => {
    const clock = { ahead: 0, now: () => Date.now() + clock.ahead };
    const refresh = ({ scope }: Lease): Promise<never> =>
      scope.session === 'asked' ? new Promise(() => {}) : Promise.reject({ status: 503 });
    await visit.serve({ fallback: 'none', clock, refresh });
    visit.server.latchkey.capture({ session: 'tested', provider: 'openai' }, apiKey('value-tested')).settle(401);
    visit.server.latchkey.capture({ session: 'retried', provider: 'gemini' }, bearer('value-retried')).settle(401);
    const run = visit.server.latchkey.run({ session: 'retried', provider: 'gemini' }, () => 'never');
    clock.ahead = 20 * 60_000;
    await run.catch(() => {});
    visit.server.latchkey.capture({ session: 'asked', provider: 'anthropic' }, bearer('value-asked')).settle(401);
    visit.server.latchkey.run({ session: 'asked', provider: 'anthropic' }, () => 'never').catch(() => {});
    await visit.open({ colorScheme, bypassCSP: true });
    await visit.signIn();
    await visit.rowOf('asked').getByText('refreshing').waitFor();
    await visit.rowOf('retried').getByText('auth retrying').waitFor();
    await visit.rowOf('tested').getByText('ready, as a test').waitFor();
    for (const state of ['refreshing', 'auth retrying'])
      await visit.page.getByRole('button', { name: new RegExp(`\\d ${state}$`) }).click();
    await visit.page.getByText('What do these words mean?').click();
    expect(await violations()).toEqual([]);
    await visit.page.getByRole('button', { name: 'Clear the filter' }).click();
    for (const width of [360, 640, 1280, 1720]) {
      await visit.page.setViewportSize({ width, height: 800 });
      expect({ width, tooWide: await tooWide(), violations: await violations() }).toEqual({ width, tooWide: 0, violations: [] });
      await shoot(`refresh-${width}-${colorScheme}`);
    }
    await visit.rowOf('retried').getByRole('button').click();
    await visit.dialog().getByText('without success so far').waitFor();
    expect(await violations()).toEqual([]);
    await shoot(`refresh-dialog-${colorScheme}`);
  });

  it('the login, the page in every width, and the dialogs', async () => {
    await visit.serve({ tenancy: 'multi' });
    for (const [index, status] of [200, 401, 402, 200, 200, 200].entries()) {
      const provider = ['openai', 'anthropic', 'gemini'][index % 3] as string;
      await visit.server.play({ tenant: index < 3 ? 'acme' : 'globex', session: `agent-${index}`, provider }, `value-${index}`, status);
    }
    await visit.server.play(
      { tenant: 'acme', session: 'nightly-9f2c1be0-6a5e-4b59-a6c3-1d2f80a1c0aa', provider: 'anthropic' },
      'later',
      200,
    );
    await visit.open({ colorScheme, bypassCSP: true });
    await shoot(`login-${colorScheme}`);
    await visit.signIn('wrong');
    await visit.page.getByRole('alert').waitFor();
    expect(await violations()).toEqual([]);
    await visit.signIn();
    await visit.rowOf('agent-1').getByText('borrowing').waitFor();
    await visit.page.getByRole('button', { name: /ready$/ }).click();
    await visit.page.getByRole('button', { name: /borrowing$/ }).click();
    expect(await violations()).toEqual([]);
    await visit.page.getByRole('button', { name: 'Clear the filter' }).click();
    for (const width of [360, 640, 1280, 1720]) {
      await visit.page.setViewportSize({ width, height: 800 });
      expect({ width, tooWide: await tooWide() }).toEqual({ width, tooWide: 0 });
      await shoot(`page-${width}-${colorScheme}`);
    }
    // The cards of a narrow window are still a table, also where a browser takes its roles from the layout.
    await visit.page.setViewportSize({ width: 360, height: 800 });
    expect(await visit.page.locator('table[role="table"] > tbody[role="rowgroup"] > tr[role="row"] > td[role="cell"]').count()).toBe(
      13 * 10,
    );
    expect(await visit.page.locator('table[role="table"] th[role="columnheader"]').count()).toBe(10);
    await visit.rowOf('agent-2').getByRole('button').click();
    await visit.dialog().getByText('What would help').waitFor();
    expect({ tooWide: await tooWide(), violations: await violations() }).toEqual({ tooWide: 0, violations: [] });
    await shoot(`dialog-360-${colorScheme}`);
    await visit.page.keyboard.press('Escape');
    expect(await violations()).toEqual([]);
    await visit.page.setViewportSize({ width: 1280, height: 800 });
    await visit.rowOf('agent-2').getByRole('button').click();
    await visit.page.getByRole('button', { name: 'Evict the whole tenant…' }).click();
    await shoot(`confirmation-1280-${colorScheme}`);
  });
});
