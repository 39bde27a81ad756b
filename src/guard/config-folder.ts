import { chmodSync, readdirSync, statSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { makeOwnerFolder } from './owner-folder.js';

const NAME = 'latchkey';
const OWNER_ONLY = 0o700;
const PERMISSIONS = 0o7777;
/** Token files, and what is left of one that was being written. */
const OURS = /^\.?\d+\.token(\.|$)/;

/**
 * Where the token files are: `configDir`, else `$XDG_CONFIG_HOME/latchkey` (XDG Base Directory Specification: a path that is not absolute counts as
 * unset), else `~/.config/latchkey`. Undefined for a user without a home.
 */
export function configFolder(configDir: string | undefined): string | undefined {
  if (configDir !== undefined) return resolve(configDir);
  const base = process.env['XDG_CONFIG_HOME'] ?? '';
  if (isAbsolute(base)) return join(base, NAME);
  const home = homeFolder();
  return home === undefined ? undefined : join(home, '.config', NAME);
}

export function portFile(port: number, configDir: string | undefined): string | undefined {
  const folder = configFolder(configDir);
  return folder === undefined ? undefined : join(folder, `${port}.token`);
}

/**
 * Makes it, and closes it to other users if it is ours, by its name or because nothing but token files is in it: any other `configDir` may be one that
 * they have to read.
 */
export function makePrivate(folder: string): void {
  makeOwnerFolder(folder);
  const { uid, mode } = statSync(folder);
  // Windows has no owner to compare with, and no modes.
  if (uid !== process.geteuid?.() || (mode & PERMISSIONS) === OWNER_ONLY) return;
  if (basename(folder) !== NAME && !readdirSync(folder).every((name) => OURS.test(name))) return;
  chmodSync(folder, OWNER_ONLY);
}

export function requireConfigDir(where: string, configDir: unknown): void {
  if (configDir === undefined || (typeof configDir === 'string' && configDir !== '')) return;
  throw new TypeError(`${where}: \`configDir\` must be the path of a folder`);
}

function homeFolder(): string | undefined {
  try {
    // An empty HOME would be the folder that the process happens to be in. A user whom the system has no record of may still have one.
    const home = isAbsolute(homedir()) ? homedir() : userInfo().homedir;
    return isAbsolute(home) ? home : undefined;
  } catch {
    return undefined;
  }
}
