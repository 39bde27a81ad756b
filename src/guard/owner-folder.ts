import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

const OWNER_ONLY = 0o700;

/**
 * Makes a folder, and those above it that are missing, for the owner alone. One by one: a umask may take permissions from the owner too, who then
 * could make nothing in what `mkdir` has made.
 * @throws what the file system says.
 */
export function makeOwnerFolder(folder: string): void {
  try {
    make(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(folder) === folder) throw error;
    makeOwnerFolder(dirname(folder));
    make(folder);
  }
}

function make(folder: string): void {
  try {
    mkdirSync(folder, OWNER_ONLY);
  } catch (error) {
    // EEXIST as a rule, but a file system that is read-only says that instead, even of a folder that is there.
    if (isFolder(folder)) return;
    throw error;
  }
  chmodSync(folder, OWNER_ONLY);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
