import * as fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { resolveServerToken, type ServerTokenOptions } from '../../src/guard/server-token.js';
import { secretsIn } from '../support/secret-forms.js';
import { guardError, PORT, printed, type TokenFolder, tokenFolder } from './token-folder.js';

/** The calls of the file system that fail, and how. */
const failing = vi.hoisted(() => new Map<string, string>());

vi.mock('node:fs', async (original) => {
  const real = await original<typeof fs>();
  const breakable = <Call extends (...values: never[]) => unknown>(name: string, call: Call): Call =>
    ((...values) => {
      const code = failing.get(name);
      if (code !== undefined) throw Object.assign(new Error(`${code}: forced`), { code });
      return call(...values);
    }) as Call;
  return {
    ...real,
    fsyncSync: breakable('fsyncSync', real.fsyncSync),
    linkSync: breakable('linkSync', real.linkSync),
    lstatSync: breakable('lstatSync', real.lstatSync as never),
    renameSync: breakable('renameSync', real.renameSync),
    unlinkSync: breakable('unlinkSync', real.unlinkSync),
    writeFileSync: breakable('writeFileSync', real.writeFileSync),
  };
});

/** The end of every name that is made up. */
const SAME = '00'.repeat(8);

vi.mock('node:crypto', async (original) => {
  const real = await original<typeof import('node:crypto')>();
  return { ...real, randomBytes: (size: number) => (failing.has('randomBytes') ? Buffer.alloc(size) : real.randomBytes(size)) };
});

vi.mock('node:os', async (original) => {
  const real = await original<typeof import('node:os')>();
  const home = (): string => {
    if (failing.has('homedir')) throw new Error('no home');
    return real.homedir();
  };
  return { ...real, homedir: home };
});

let folder: TokenFolder;
beforeEach(() => {
  folder = tokenFolder();
});
afterEach(() => {
  failing.clear();
  vi.unstubAllEnvs();
  folder.remove();
});

const resolve = (options: Partial<ServerTokenOptions> = {}) => resolveServerToken({ port: PORT, configDir: folder.config, ...options });

describe('a file system that fails', () => {
  it.each([
    ['writeFileSync', 'ENOSPC'],
    ['fsyncSync', 'EIO'],
    ['linkSync', 'EPERM'],
  ])('while a token is generated (%s: %s): TOKEN_NOT_SAVED, and nothing is left', (call, code) => {
    failing.set(call, code);
    const error = guardError('TOKEN_NOT_SAVED', () => resolve());
    expect(error.message).toContain(folder.file);
    expect(error.message).toContain(code);
    expect(fs.readdirSync(folder.config)).toEqual([]);
  });

  it.each([
    ['writeFileSync', 'ENOSPC'],
    ['fsyncSync', 'EIO'],
    ['renameSync', 'EROFS'],
  ])('while a token is replaced (%s: %s): the old one stays whole, and nothing else is left', (call, code) => {
    folder.put(`latchkey/${PORT}.token`, 'old-0815');
    const tokenFile = folder.put('given', 'new-0815');
    failing.set(call, code);
    failing.set('unlinkSync', code);
    const errors = [{ regenerate: true }, { token: 'new-0815' }, { tokenFile }].map((given) =>
      guardError('TOKEN_NOT_SAVED', () => resolve(given)),
    );
    for (const error of errors) {
      expect(error.message).toContain(folder.file);
      expect(secretsIn(printed(error), ['old-0815', 'new-0815'])).toEqual([]);
    }
    expect(folder.saved()).toBe('old-0815');
    expect(fs.readdirSync(folder.config)).toEqual([`${PORT}.token`]);
  });

  it('does not stop a server with an explicit token, once the stale one is gone', () => {
    folder.put(`latchkey/${PORT}.token`, 'old-1');
    failing.set('writeFileSync', 'ENOSPC');
    expect(resolve({ token: 'new-1' })).toMatchObject({ source: 'explicit', path: undefined });
    expect(fs.readdirSync(folder.config)).toEqual([]);
  });

  it('does not stop a server whose explicit token is the one that is there', () => {
    folder.put(`latchkey/${PORT}.token`, 'same-1');
    failing.set('writeFileSync', 'EROFS');
    failing.set('unlinkSync', 'EROFS');
    expect(resolve({ token: 'same-1' })).toMatchObject({ source: 'explicit', path: folder.file });
    guardError('TOKEN_NOT_SAVED', () => resolve({ token: 'other-1' }));
  });

  it('that says of a file which is not there that it cannot be removed stops nobody', () => {
    failing.set('unlinkSync', 'EROFS');
    expect(resolve({ disabled: true }).source).toBe('disabled');
  });

  it('that cannot say whether a stale token is gone: TOKEN_NOT_SAVED', () => {
    failing.set('unlinkSync', 'EACCES');
    failing.set('lstatSync', 'EACCES');
    for (const options of [{ disabled: true }, { token: 'new-1' }]) {
      expect(guardError('TOKEN_NOT_SAVED', () => resolve(options)).message).toContain(folder.file);
    }
  });

  it('whose made-up name somebody has taken already: nothing is written through it', () => {
    const victim = folder.put('victim', 'victim-1');
    folder.put(`latchkey/.${PORT}.token.${SAME}`, { link: victim });
    failing.set('randomBytes', 'the same again');
    for (const options of [{}, { regenerate: true }]) {
      expect(guardError('TOKEN_NOT_SAVED', () => resolve(options)).message).toContain('EEXIST');
    }
    expect(fs.readFileSync(victim, 'utf8')).toBe('victim-1');
    expect(fs.existsSync(folder.file)).toBe(false);
  });

  it.each<readonly [string, (path: string) => void]>([
    ['others could write', (path) => fs.chmodSync(path, 0o666)],
    ...(process.geteuid?.() === 0 ? [['another user owns', (path: string) => fs.chownSync(path, 12_345, 12_345)] as const] : []),
  ])('keeps no file with the explicit token that %s', (_, change) => {
    change(folder.put(`latchkey/${PORT}.token`, 'same-1'));
    failing.set('writeFileSync', 'ENOSPC');
    expect(resolve({ token: 'same-1' })).toMatchObject({ source: 'explicit', path: undefined });
    expect(fs.readdirSync(folder.config)).toEqual([]);
  });

  it('cannot close a file that is open to others: TOKEN_NOT_SAVED', () => {
    fs.chmodSync(folder.put(`latchkey/${PORT}.token`, 'open-1'), 0o644);
    failing.set('renameSync', 'EROFS');
    guardError('TOKEN_NOT_SAVED', () => resolve());
  });
});

describe('a user without a home', () => {
  it('needs a folder for a token of the server itself, and for nothing else', () => {
    vi.stubEnv('XDG_CONFIG_HOME', undefined);
    failing.set('homedir', 'no home');
    expect(resolveServerToken({ port: PORT, token: 'explicit-1' })).toMatchObject({ source: 'explicit', path: undefined });
    expect(resolveServerToken({ port: PORT, disabled: true }).source).toBe('disabled');
    for (const given of [{}, { regenerate: true }]) {
      expect(guardError('TOKEN_NOT_SAVED', () => resolveServerToken({ port: PORT, ...given })).message).toContain('`configDir`');
    }
    expect(resolve().source).toBe('generated');
  });
});
