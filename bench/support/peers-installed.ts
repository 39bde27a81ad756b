import { readFileSync } from 'node:fs';
import { ensureInstalled } from '../../test/support/locked-folder.js';
import { ROOT } from './built.js';

const FOLDER = `${ROOT}bench/peers/`;

/** The exact versions that the peers' own package.json asks for, by name. */
export function peerVersions(): Readonly<Record<string, string>> {
  return (JSON.parse(readFileSync(`${FOLDER}package.json`, 'utf8')) as { dependencies: Record<string, string> }).dependencies;
}

/** Installs the peers where that was never done, or their versions have changed since. */
export function ensurePeers(): void {
  ensureInstalled(FOLDER);
}
