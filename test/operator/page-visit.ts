import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import type { LatchkeyOptions } from '../../src/index.js';
import { launchChromium } from '../support/chromium.js';
import { type PageServer, servePage, TOKEN } from './page-server.js';

interface Visit {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly server: PageServer;
  serve(options?: LatchkeyOptions): Promise<PageServer>;
  /** Goes to the page, and is led to the login. */
  open(options?: Parameters<Browser['newContext']>[0]): Promise<Page>;
  signIn(token?: string): Promise<void>;
  /** All of it, with some sessions. */
  start(fill?: (server: PageServer) => unknown, options?: LatchkeyOptions): Promise<Page>;
  rowOf(session: string): Locator;
  dialog(): Locator;
  /** The sessions that are shown, in order. */
  sessions(): Promise<string[]>;
}

/** A browser for the tests of a file; each has a gateway and a visitor of its own. Whatever the browser complains about fails the test. */
export function visits(): Visit {
  let browser: Browser | undefined;
  let context: BrowserContext | undefined;
  let page: Page | undefined;
  let server: PageServer | undefined;
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
    context = undefined;
    server = undefined;
    expect(complaints.splice(0)).toEqual([]);
  });

  const visit: Visit = {
    get context() {
      return context as BrowserContext;
    },
    get page() {
      return page as Page;
    },
    get server() {
      return server as PageServer;
    },
    async serve(options) {
      server = await servePage(options);
      return server;
    },
    async open(options) {
      const { url } = visit.server;
      context = await (browser as Browser).newContext({ viewport: { width: 1280, height: 800 }, ...options });
      context.setDefaultTimeout(10_000);
      page = await context.newPage();
      page.on('request', (request) => {
        if (!request.url().startsWith(url) && !request.url().startsWith('data:')) complaints.push(request.url());
      });
      page.on('console', (message) => {
        if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) complaints.push(message.text());
      });
      page.on('pageerror', (error) => complaints.push(String(error)));
      await page.goto(url);
      return page;
    },
    async signIn(token = TOKEN) {
      await visit.page.getByLabel('Token').fill(token);
      await visit.page.getByRole('button', { name: 'Sign in' }).click();
    },
    async start(fill, options) {
      const own = await visit.serve(options);
      await fill?.(own);
      const opened = await visit.open();
      await visit.signIn();
      await opened.getByText('Live', { exact: true }).waitFor();
      return opened;
    },
    rowOf: (session) => visit.page.getByRole('row').filter({ has: visit.page.getByRole('cell', { name: session, exact: true }) }),
    dialog: () => visit.page.getByRole('dialog'),
    sessions: () =>
      visit.page
        .locator('tbody tr:not(.gone) td[data-label="Session"]')
        .evaluateAll((cells) => cells.map((cell) => cell.textContent ?? '')),
  };
  return visit;
}
