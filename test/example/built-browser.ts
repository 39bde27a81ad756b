import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from '../support/built-package.js';

/** The browser module as the package would have it, file by file, in a folder of its own. */
export async function builtBrowserModule(): Promise<string> {
  const src = join(ROOT, 'src');
  const outdir = mkdtempSync(join(tmpdir(), 'latchkey-browser-'));
  const files = readdirSync(join(src, 'browser')).map((name) => join(src, 'browser', name));
  await build({ entryPoints: [...files, join(src, 'signals/safe-next.ts')], outbase: src, outdir, format: 'esm', target: 'es2022' });
  return outdir;
}
