import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

/** Builds the package into a folder of its own and packs it there: the checkout's `dist` may be in use. Returns the tarball's path. */
function packPackage(): string {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-pack-'));
  for (const file of ['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE', 'src'])
    cpSync(join(ROOT, file), join(folder, file), { recursive: true });
  execFileSync(process.execPath, [TSC, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(folder, 'dist')], { stdio: 'pipe' });
  execFileSync('npm', ['pack', '--ignore-scripts', '--silent'], { cwd: folder, stdio: 'pipe' });
  const tarball = readdirSync(folder).find((file) => file.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack made no tarball');
  return join(folder, tarball);
}

/** An empty project with the packed package, and nothing else, installed. */
export function installedProject(): string {
  const project = mkdtempSync(join(tmpdir(), 'latchkey-user-'));
  execFileSync('npm', ['init', '-y', '--silent'], { cwd: project, stdio: 'pipe' });
  execFileSync('npm', ['install', '--omit=peer', '--no-audit', '--no-fund', '--prefer-offline', packPackage()], {
    cwd: project,
    stdio: 'pipe',
  });
  return project;
}
