import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from '../support/built-package.js';

/** Root may do what permissions forbid. Where the tests are not root's, their own user will do. */
const NOBODY = 65_534;
const isRoot = process.geteuid?.() === 0;

export interface OrdinaryUser {
  /** A folder of that user's. */
  readonly folder: string;
  /** Runs a program of that user's in a process of its own; it may import below `src/guard`. Gives what it printed. */
  run(program: string): Promise<string>;
  remove(): void;
}

export function ordinaryUser(): OrdinaryUser {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-user-'));
  const built = mkdtempSync(join(tmpdir(), 'latchkey-user-built-'));
  chmodSync(built, 0o755);
  if (isRoot) chownSync(folder, NOBODY, NOBODY);
  return {
    folder,
    async run(program) {
      const outfile = join(built, 'program.mjs');
      const stdin = { contents: program, resolveDir: join(ROOT, 'src/guard') };
      await build({ stdin, outfile, bundle: true, platform: 'node', format: 'esm' });
      chmodSync(outfile, 0o644);
      return execFileSync(process.execPath, [outfile], { encoding: 'utf8', cwd: folder, ...(isRoot && { uid: NOBODY, gid: NOBODY }) });
    },
    remove() {
      for (const path of [folder, built]) rmSync(path, { recursive: true, force: true });
    },
  };
}
