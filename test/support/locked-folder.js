// For folders with a package.json and a lock file of their own, which keep what only one command needs out of the main install. Plain JavaScript, since
// one of those commands runs without anything that reads TypeScript.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

/**
 * Installs what a folder's lock file names, where that was never done or another lock file was installed. Says so on stderr, and nothing on stdout.
 *
 * @param {string} folder
 * @throws `Error` if npm fails.
 */
export function ensureInstalled(folder) {
  if (isInstalled(folder)) return;
  console.error(`${folder}: not installed as its package-lock.json says; running \`npm ci\` there.`);
  // Its own output must not end up in a document on stdout.
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`${folder}: npm ci failed`);
}

/**
 * Whether `node_modules` is what the lock file says, and the lock file what package.json asks for. npm writes down what it has installed once all of it is
 * there.
 *
 * @param {string} folder
 */
export function isInstalled(folder) {
  try {
    const { '': root, ...locked } = read(folder, 'package-lock.json').packages;
    const installed = read(folder, 'node_modules/.package-lock.json').packages;
    return (
      isAskedFor(root, read(folder, 'package.json')) &&
      Object.keys(installed).every((path) => Object.hasOwn(locked, path)) &&
      Object.entries(locked).every(([path, entry]) => isThere(installed[path], entry))
    );
  } catch {
    return false;
  }
}

/** @param {string} folder @param {string} file */
function read(folder, file) {
  return JSON.parse(readFileSync(join(folder, file), 'utf8'));
}

/** What differs here makes `npm ci` fail, and say why. */
function isAskedFor(root, manifest) {
  return ['dependencies', 'devDependencies'].every((kind) => isDeepStrictEqual(root[kind] ?? {}, manifest[kind] ?? {}));
}

/** What is optional is left out on machines that it is not for. */
function isThere(installed, { version, integrity, optional }) {
  return installed === undefined ? optional === true : installed.version === version && installed.integrity === integrity;
}
