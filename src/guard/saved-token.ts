import { randomBytes } from 'node:crypto';
import { closeSync, fchmodSync, fsyncSync, linkSync, lstatSync, openSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { makePrivate } from './config-folder.js';
import { GuardError } from './guard-error.js';
import { isMissing, readTokenFile } from './token-file.js';

const OWNER_ONLY = 0o600;
/** Three are enough among any number of creators; more are taken only if somebody keeps removing the file. */
const TURNS = 16;

/**
 * Writes the file whatever is there; a link is replaced, not followed.
 * @throws {GuardError} `TOKEN_NOT_SAVED`
 */
export function replaceToken(path: string, value: string): void {
  saving(path, () => {
    makePrivate(dirname(path));
    // First: it would bring back what is replaced here, as soon as the file is blank.
    remove(electionOf(path));
    replace(path, value);
  });
}

/**
 * Writes the file unless a token is there, and returns the one that is there then: all who create it at the same time end with the same.
 * @throws {GuardError} `TOKEN_NOT_SAVED`; `TOKEN_FILE` for a file that holds something else than a token.
 */
export function createToken(path: string, value: string): string {
  return saving(path, () => {
    makePrivate(dirname(path));
    for (let turn = 0; turn < TURNS; turn++) {
      const found = readTokenFile(path, 'our-own');
      if (found.state === 'token') return found.value;
      if (found.state === 'missing') createAbsent(path, value);
      else fillBlank(path, value);
    }
    throw new Error('the file is gone as often as it is written');
  });
}

/**
 * Makes sure that no token is there.
 * @throws {GuardError} `TOKEN_NOT_SAVED`
 */
export function removeToken(path: string): void {
  remove(electionOf(path));
  remove(path);
}

/**
 * Makes sure that no process which died has left a token beside the one that is there.
 * @throws {GuardError} `TOKEN_NOT_SAVED`
 */
export function removeElection(path: string): void {
  remove(electionOf(path));
}

/** A link to a complete file is there at once or not at all, and only one of several can be made. */
function createAbsent(path: string, value: string): void {
  const written = writeBeside(path, value);
  try {
    linkSync(written, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(written, { force: true });
  }
}

/**
 * A blank file can be replaced only, and the last to do that would win. So its successor is elected first, under a name of its own, and everybody
 * puts that one's token into place. A process that dies in between leaves an election that the next one completes.
 */
function fillBlank(path: string, value: string): void {
  const election = electionOf(path);
  createAbsent(election, value);
  const elected = readTokenFile(election, 'our-own');
  // In this order: an election that began after the file was filled finds it filled.
  if (elected.state === 'token' && readTokenFile(path, 'our-own').state === 'blank') replace(path, elected.value);
  rmSync(election, { force: true });
}

function electionOf(path: string): string {
  return `${path}.new`;
}

function replace(path: string, value: string): void {
  const written = writeBeside(path, value);
  try {
    renameSync(written, path);
  } catch (error) {
    rmSync(written, { force: true });
    throw error;
  }
}

function writeBeside(path: string, value: string): string {
  const written = join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}`);
  const file = openSync(written, 'wx', OWNER_ONLY);
  try {
    // The umask takes permissions away, from the owner too.
    fchmodSync(file, OWNER_ONLY);
    writeFileSync(file, `${value}\n`);
    fsyncSync(file);
  } catch (error) {
    rmSync(written, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  return written;
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    // A file system that is read-only says so even of a file that is not there. One that is there now, though it was not, is somebody else's affair.
    if (!isMissing(error) && isThere(path)) throw notSaved(`the stale token file ${path} cannot be removed`, error);
  }
}

function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    return !isMissing(error);
  }
}

function saving<T>(path: string, save: () => T): T {
  try {
    return save();
  } catch (error) {
    if (error instanceof GuardError) throw error;
    throw notSaved(`the token cannot be saved in ${path}`, error);
  }
}

function notSaved(message: string, error: unknown): GuardError {
  const { code } = error as NodeJS.ErrnoException;
  return new GuardError('TOKEN_NOT_SAVED', code === undefined ? message : `${message} (${code})`, { cause: error });
}
