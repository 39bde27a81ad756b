import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const BUILT = new URL('../../dist/index.js', import.meta.url).href;

/** What is measured is the package as it is shipped. */
export function importBuilt(): Promise<typeof import('../../src/index.js')> {
  return import(BUILT);
}

/** Builds the package if that was never done, or its sources have changed since. */
export function ensureBuilt(): void {
  const builtAt = statSync(fileURLToPath(BUILT), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const changedAt = Math.max(...sources().map((file) => statSync(file).mtimeMs));
  if (builtAt > changedAt) return;
  // Its own output must not end up in the document on stdout.
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (status === 0) return;
  // The compiler writes what it can, which must not pass for a build the next time.
  rmSync(fileURLToPath(BUILT), { force: true });
  throw new Error('the package could not be built');
}

function sources(): string[] {
  const folder = `${ROOT}src/`;
  return (readdirSync(folder, { recursive: true }) as string[]).filter((file) => file.endsWith('.ts')).map((file) => folder + file);
}
