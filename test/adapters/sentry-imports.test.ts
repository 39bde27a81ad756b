import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);

/** Prints the URL of each module that is loaded, in a process of its own. */
const HOOKS = `
import { writeSync } from 'node:fs';
export async function load(url, context, next) {
  writeSync(1, url + '\\n');
  return next(url, context);
}`;
const dataUrl = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;
const REGISTER = dataUrl(`import { register } from 'node:module'; register(${JSON.stringify(dataUrl(HOOKS))});`);

/** Every module that importing `specifier` loads, itself included. */
async function loadedBy(specifier: string): Promise<string[]> {
  const code = `await import(${JSON.stringify(specifier)});`;
  const { stdout } = await run(process.execPath, ['--import', 'tsx', '--import', REGISTER, '--input-type=module', '-e', code]);
  return stdout.split('\n').filter((url) => url !== '' && !url.startsWith('data:'));
}

describe('latchkey/sentry', () => {
  it('loads no Sentry, nor anything else from outside of the package', async () => {
    const adapter = new URL('../../src/adapters/sentry.ts', import.meta.url).href;
    const source = new URL('../../src/', import.meta.url).href;
    const loaded = await loadedBy(adapter);
    expect(loaded.some((url) => url.startsWith(adapter))).toBe(true);
    expect(loaded.filter((url) => !url.startsWith(source) && !url.startsWith('node:') && !url.includes('[eval'))).toEqual([]);
  });

  it('would be seen to, if it did', async () => {
    expect((await loadedBy('@sentry/node')).some((url) => url.includes('/node_modules/@sentry/'))).toBe(true);
  });
});
