import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { ROOT } from './built.js';

const FOLDER = `${ROOT}bench/peers/`;

/** The exact versions that the peers' own package.json asks for, by name. */
export function peerVersions(): Readonly<Record<string, string>> {
  return (readJson(`${FOLDER}package.json`) as { dependencies: Record<string, string> }).dependencies;
}

/** Installs the peers where that was never done, or their versions have changed since. */
export function ensurePeers(): void {
  if (Object.entries(peerVersions()).every(([name, version]) => installed(name) === version)) return;
  console.error('The peers are not installed: running `npm ci` in bench/peers.');
  // Its own output must not end up in the document on stdout.
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: FOLDER, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('the peers could not be installed');
}

function installed(name: string): string | undefined {
  try {
    return (readJson(`${FOLDER}node_modules/${name}/package.json`) as { version: string }).version;
  } catch {
    return undefined;
  }
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}
