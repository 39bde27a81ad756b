import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Whose login it is, and where. */
export interface Owner {
  readonly tenant: string;
  readonly provider: string;
}

/** The refresh tokens of a login. */
export interface Held {
  readonly current: string;
  /** The one that `current` was got with, until the access token that came with it has worked. */
  readonly previous?: string | undefined;
}

export interface TokenStore {
  /** @throws {Error} if its file cannot be read; without a word of what is in it. */
  of(owner: Owner): Held | undefined;
  /** After a login: whatever was there is over. On disk when it returns. */
  put(owner: Owner, held: Held): void;
  /**
   * In place of `before`; does nothing if something else is there by now, such as a new login. On disk when it returns. If it throws, it is kept in memory and
   * found there, and written with the next one.
   */
  replace(owner: Owner, before: Held, held: Held): void;
}

/** A file an owner. Processes that share the folder see what each of them writes. */
export function createTokenStore(folder: string): TokenStore {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  /** What a full disk, say, has kept from being written: a refresh token that is not known any more cannot be got again. */
  const unsaved = new Map<string, Held>();

  /** No name that a tenant may have leads anywhere else. */
  function fileOf({ tenant, provider }: Owner): string {
    const digest = createHash('sha256').update(JSON.stringify([tenant, provider]));
    return join(folder, `${digest.digest('hex')}.json`);
  }

  function of(owner: Owner): Held | undefined {
    const file = fileOf(owner);
    return unsaved.get(file) ?? read(file);
  }

  function put(owner: Owner, held: Held): void {
    const file = fileOf(owner);
    unsaved.set(file, held);
    write(file, JSON.stringify(held));
    unsaved.delete(file);
  }

  /** A new login's, say; a file that is gone or broken is nobody's. */
  function isAnother(owner: Owner, before: Held): boolean {
    try {
      const now = of(owner);
      return now !== undefined && now.current !== before.current;
    } catch {
      return false;
    }
  }

  return {
    of,
    put,
    replace(owner, before, held) {
      if (!isAnother(owner, before)) put(owner, held);
    },
  };

  /** The old file or the new one is there, whole, whenever the machine stops. */
  function write(file: string, text: string): void {
    const temporary = `${file}.${randomBytes(8).toString('hex')}.tmp`;
    try {
      const descriptor = openSync(temporary, 'wx', 0o600);
      try {
        writeFileSync(descriptor, text);
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      renameSync(temporary, file);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
    // The renaming itself is in the folder, which Windows does not open.
    if (process.platform === 'win32') return;
    const descriptor = openSync(folder, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }
}

function read(file: string): Held | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const held = parsed(text);
  if (typeof held?.current !== 'string') throw new Error('a token file holds no refresh token');
  return held;
}

/** What `JSON.parse` throws quotes the text. */
function parsed(text: string): Held | undefined {
  try {
    return JSON.parse(text) as Held;
  } catch {
    return undefined;
  }
}
