import { build } from 'esbuild';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchChromium } from '../support/chromium.js';
import { BLOCKS } from '../support/readme-project.js';
import { scriptedUpstream } from '../support/upstream.js';

/** The README's example, bundled as an application bundles it. */
async function bundledExample(): Promise<string> {
  const contents = BLOCKS.find((code) => code.includes("from 'latchkey/browser'")) ?? '';
  const alias = { 'latchkey/browser': './src/browser/index.ts' };
  const { outputFiles } = await build({
    stdin: { contents, loader: 'ts', resolveDir: '.' },
    alias,
    bundle: true,
    format: 'esm',
    write: false,
  });
  return outputFiles[0]?.text ?? '';
}

let browser: Browser | undefined;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

it('the README’s example shows an upstream’s 401 in its panel, and the models of one that works', async ({ skip }) => {
  if (browser === undefined) return skip();
  const script = await bundledExample();
  const gateway = await scriptedUpstream(({ path }) => {
    if (path === '/') return { status: 200, headers: { 'content-type': 'text/html' }, body: '<!doctype html><title>panel</title>' };
    if (path === '/example.js') return { status: 200, headers: { 'content-type': 'text/javascript' }, body: script };
    if (path === '/api/panels/works/models') return { status: 200, body: '{"models":["small","large"]}' };
    if (path === '/api/panels/fails/models') return { status: 401, headers: { 'x-upstream-auth-failed': '1' }, body: '{}' };
    return path === '/favicon.ico' ? { status: 404 } : undefined;
  });
  const page = await browser.newPage();
  await page.goto(gateway.url);
  const shown = await page.evaluate(`import('/example.js').then(async ({ panelText, placeAfterLogin }) =>
    [await panelText('works'), await panelText('fails'), placeAfterLogin(), location.pathname])`);
  expect(shown).toEqual(['small, large', 'upstream auth failed: fails', `${gateway.url}/`, '/']);
  await page.close();
  await gateway.close();
});
