import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { isCredentialValue } from '../credential/credential.js';
import { GuardError } from './guard-error.js';

/** Far more than a token has; a file that never ends must not fill the memory. */
const LIMIT = 4_096;
const OTHERS = 0o077;
const OTHERS_WRITING = 0o022;
const ROOT = 0;

/** `exposed`: users other than its owner have permissions. */
export type TokenFile =
  | { readonly state: 'missing' }
  | { readonly state: 'blank' }
  | { readonly state: 'token'; readonly value: string; readonly exposed: boolean };

/**
 * `anywhere`: a file that an operator names, links included. `our-place`: where servers put theirs, so that a link, which none of them writes, is
 * refused. `our-own`: also refuses one that belongs to a user who is neither us nor root, and one that others may write: they know what is in it.
 */
export type TokenFileTrust = 'anywhere' | 'our-place' | 'our-own';

/** @throws {GuardError} `TOKEN_FILE` if it cannot be read or trusted, is no regular file, or holds something else than a token. */
export function readTokenFile(path: string, trust: TokenFileTrust): TokenFile {
  let text: string;
  let stats: Stats;
  try {
    // Opening a pipe without a writer would wait for one. Where the system lacks a flag, it is undefined, and counts as none.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | (trust === 'anywhere' ? 0 : constants.O_NOFOLLOW);
    const file = openSync(path, flags);
    try {
      stats = fstatSync(file);
      if (!stats.isFile()) throw unusable(path, 'is not a regular file');
      if (trust === 'our-own' && isForeign(stats.uid)) throw unusable(path, 'belongs to another user');
      text = readUpToLimit(file, path);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (error instanceof GuardError) throw error;
    if (isMissing(error)) return { state: 'missing' };
    const { code } = error as NodeJS.ErrnoException;
    throw unusable(path, code === 'ELOOP' ? 'is a symbolic link' : `cannot be read (${code})`, error);
  }
  const value = text.trim();
  if (value === '') return { state: 'blank' };
  if (!isCredentialValue(value)) throw unusable(path, 'holds something else than a token');
  const open = process.geteuid === undefined ? 0 : stats.mode & OTHERS;
  if (trust === 'our-own' && (open & OTHERS_WRITING) !== 0) {
    throw unusable(path, 'can be written by other users, and its token may be one of theirs: remove it, or `regenerate`');
  }
  return { state: 'token', value, exposed: open !== 0 };
}

/** A path below a file counts: nothing can be there. */
export function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

export function unusable(path: string, why: string, cause?: unknown): GuardError {
  return new GuardError('TOKEN_FILE', `the token file ${path} ${why}`, cause === undefined ? undefined : { cause });
}

function isForeign(uid: number): boolean {
  const ours = process.geteuid?.();
  return ours !== undefined && uid !== ours && uid !== ROOT;
}

function readUpToLimit(file: number, path: string): string {
  const bytes = Buffer.alloc(LIMIT + 1);
  let length = 0;
  for (let read = -1; read !== 0 && length <= LIMIT; length += read) read = readSync(file, bytes, length, bytes.length - length, null);
  if (length > LIMIT) throw unusable(path, `is larger than ${LIMIT} bytes`);
  return bytes.toString('utf8', 0, length);
}
