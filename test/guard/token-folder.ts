import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { GuardError, type GuardErrorCode } from '../../src/guard/guard-error.js';

export const PORT = 8_123;

/** A folder below the temporary one; `config` is not made. */
export interface TokenFolder {
  readonly root: string;
  readonly config: string;
  /** The token file of `PORT`. */
  readonly file: string;
  /** Puts a file, or a folder, at a path below the root, and returns the path. */
  put(name: string, content: string | 'folder' | { readonly link: string }, mode?: number): string;
  /** What a saved file holds. */
  saved(port?: number): string;
  mode(path: string): string;
  remove(): void;
}

export function tokenFolder(): TokenFolder {
  const root = mkdtempSync(join(tmpdir(), 'latchkey-token-'));
  const config = join(root, 'latchkey');
  return {
    root,
    config,
    file: join(config, `${PORT}.token`),
    put(name, content, mode = 0o600) {
      const path = join(root, name);
      mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 });
      if (content === 'folder') mkdirSync(path);
      else if (typeof content === 'object') symlinkSync(content.link, path);
      else writeFileSync(path, content, { mode });
      return path;
    },
    saved: (port = PORT) => readFileSync(join(config, `${port}.token`), 'utf8').trim(),
    mode: (path) => (statSync(path).mode & 0o7777).toString(8),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** What it throws, which must be a `GuardError` of that code. */
export function guardError(code: GuardErrorCode, action: () => unknown): GuardError {
  try {
    action();
  } catch (error) {
    if (!(error instanceof GuardError)) throw error;
    expect(error.code).toBe(code);
    return error;
  }
  throw new Error(`nothing was thrown, instead of ${code}`);
}

/** Everything that a log may show of an error. */
export function printed(error: unknown): string {
  const parts: string[] = [];
  for (let one = error; one instanceof Error; one = one.cause) {
    parts.push(String(one), one.stack ?? '', JSON.stringify(one), JSON.stringify(Object.getOwnPropertyDescriptors(one)));
  }
  return parts.join('\n');
}
