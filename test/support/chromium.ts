import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** `LATCHKEY_CHROMIUM`, or the first of the usual names in PATH. */
function findChromium(): string | undefined {
  const named = process.env['LATCHKEY_CHROMIUM'];
  if (named !== undefined && named !== '') return named;
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin'].filter((folder) => folder !== '');
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * A Chromium of its own, with an empty profile and the back-forward cache on. Undefined, said loudly, where there is none: then its tests
 * are skipped, unless somebody insists (`LATCHKEY_REQUIRE_SERVICES=1`).
 */
export async function launchChromium(): Promise<Browser | undefined> {
  const executablePath = findChromium();
  if (executablePath === undefined) {
    const missing = 'no Chromium in PATH, and LATCHKEY_CHROMIUM names none';
    if (process.env['LATCHKEY_REQUIRE_SERVICES'] === '1') throw new Error(missing);
    console.warn(`SKIPPED: ${missing}: what runs in a browser is not tested`);
    return undefined;
  }
  return chromium.launch({ executablePath, args: FLAGS, ignoreDefaultArgs: ['--disable-back-forward-cache'] });
}
