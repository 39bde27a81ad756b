import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { configFolder } from '../../src/guard/config-folder.js';
import { createToken, replaceToken } from '../../src/guard/saved-token.js';
import { resolveServerToken, type ServerTokenOptions } from '../../src/guard/server-token.js';
import { secretsIn } from '../support/secret-forms.js';
import { guardError, PORT, printed, type TokenFolder, tokenFolder } from './token-folder.js';

let folder: TokenFolder;
beforeEach(() => {
  folder = tokenFolder();
});
afterEach(() => {
  vi.unstubAllEnvs();
  folder.remove();
});

const resolve = (options: Partial<ServerTokenOptions> = {}) => resolveServerToken({ port: PORT, configDir: folder.config, ...options });

/** Every way to a file of its own. */
const WAYS: readonly (readonly [string, Partial<ServerTokenOptions>])[] = [
  ['generated', {}],
  ['regenerated', { regenerate: true }],
  ['explicit', { token: 'explicit-1' }],
];

describe('the config folder', () => {
  it.each<readonly [string, Record<string, string | undefined>, string]>([
    ['$XDG_CONFIG_HOME', { XDG_CONFIG_HOME: '/xdg', HOME: '/home/h' }, '/xdg/latchkey'],
    ['~/.config without it', { XDG_CONFIG_HOME: undefined, HOME: '/home/h' }, '/home/h/.config/latchkey'],
    ['~/.config if it is empty', { XDG_CONFIG_HOME: '', HOME: '/home/h' }, '/home/h/.config/latchkey'],
    ['~/.config if it is relative', { XDG_CONFIG_HOME: 'xdg', HOME: '/home/h' }, '/home/h/.config/latchkey'],
  ])('is below %s', (_, env, expected) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    expect(configFolder(undefined)).toBe(expected);
    expect(configFolder('/elsewhere')).toBe('/elsewhere');
  });

  it('is that of the user whom the system knows, without a usable HOME', () => {
    vi.stubEnv('XDG_CONFIG_HOME', undefined);
    vi.stubEnv('HOME', undefined);
    const known = configFolder(undefined);
    expect(known).toMatch(/^\/.*\.config\/latchkey$/);
    vi.stubEnv('HOME', '');
    expect(configFolder(undefined)).toBe(known);
  });

  it('is where a server saves its token, wherever it is at the time of the call', () => {
    vi.stubEnv('XDG_CONFIG_HOME', folder.root);
    expect(resolveServerToken({ port: PORT }).path).toBe(folder.file);
    expect(folder.saved()).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each(WAYS)('is closed to others, though it was open before: %s', (_, options) => {
    for (const name of ['latchkey', 'other-name']) {
      const configDir = join(folder.root, name);
      mkdirSync(configDir);
      chmodSync(configDir, 0o777);
      resolve({ ...options, configDir });
      expect(folder.mode(configDir)).toBe('700');
      expect(folder.mode(join(configDir, `${PORT}.token`))).toBe('600');
    }
  });

  it('is closed to others whatever is in it, if its name is ours', () => {
    folder.put('latchkey/a-file', '');
    chmodSync(folder.config, 0o755);
    resolve();
    expect(folder.mode(folder.config)).toBe('700');
  });

  it('stays as it is if others keep something in it', () => {
    const configDir = join(folder.put('shared/of-others', ''), '..');
    chmodSync(configDir, 0o1777);
    resolve({ configDir });
    expect(folder.mode(configDir)).toBe('1777');
    expect(folder.mode(join(configDir, `${PORT}.token`))).toBe('600');
  });

  it.runIf(process.geteuid?.() === 0)('stays as it is if it belongs to another user', () => {
    mkdirSync(folder.config);
    chmodSync(folder.config, 0o755);
    chownSync(folder.config, 12_345, 12_345);
    resolve();
    expect(folder.mode(folder.config)).toBe('755');
  });
});

describe('the token file', () => {
  it.each(['000', '077', '777'])('is for its owner alone under a umask of %s', (umask) => {
    const script = `
      import { resolveServerToken } from ${JSON.stringify(new URL('../../src/guard/server-token.ts', import.meta.url).href)};
      process.umask(0o${umask});
      const configDir = process.argv[1];
      resolveServerToken({ port: 1, configDir });
      resolveServerToken({ port: 2, configDir, regenerate: true });
      resolveServerToken({ port: 3, configDir, token: 'explicit-1' });`;
    execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, folder.config], { stdio: 'pipe' });
    const files = readdirSync(folder.config);
    expect(files.sort()).toEqual(['1.token', '2.token', '3.token']);
    expect(files.map((name) => folder.mode(join(folder.config, name)))).toEqual(['600', '600', '600']);
    expect(folder.mode(folder.config)).toBe('700');
  });

  it.each(WAYS)('is for its owner alone over one that was open to others: %s', (_, options) => {
    chmodSync(folder.put(`latchkey/${PORT}.token`, options.regenerate || options.token ? 'old-1' : ''), 0o644);
    resolve(options);
    expect(folder.mode(folder.file)).toBe('600');
    expect(folder.saved()).not.toBe('old-1');
  });

  it.each([0o640, 0o604, 0o610, 0o601])(
    'keeps its token if it was open to others (%o), and is another file for its owner alone',
    (mode) => {
      chmodSync(folder.put(`latchkey/${PORT}.token`, 'saved-1'), mode);
      const before = statSync(folder.file).ino;
      expect(resolve()).toMatchObject({ source: 'persisted' });
      expect(folder.saved()).toBe('saved-1');
      expect(folder.mode(folder.file)).toBe('600');
      expect(statSync(folder.file).ino).not.toBe(before);
      // Once closed, it is left alone.
      const closed = statSync(folder.file).ino;
      resolve();
      expect(statSync(folder.file).ino).toBe(closed);
    },
  );

  it.each([0o620, 0o602, 0o666, 0o777])(
    'that others could write is refused, since the token may be theirs (%o): another is needed',
    (mode) => {
      const plant = (): void => chmodSync(folder.put(`latchkey/${PORT}.token`, 'planted-0815'), mode);
      plant();
      const error = guardError('TOKEN_FILE', () => resolve());
      expect(error.message).toContain(`${folder.file} can be written by other users`);
      expect(error.message).toMatch(/remove it, or `regenerate`$/);
      expect(secretsIn(printed(error), ['planted-0815'])).toEqual([]);
      expect(folder.mode(folder.file)).toBe(mode.toString(8));
      guardError('TOKEN_FILE', () => createToken(folder.file, 'new-1'));
      for (const options of [{ regenerate: true }, { token: 'explicit-1' }]) {
        plant();
        expect(resolve(options).credential?.reveal()).toBe(folder.saved());
        expect(folder.saved()).not.toBe('planted-0815');
        expect(folder.mode(folder.file)).toBe('600');
      }
      // One that an operator names may be written by whom they like.
      plant();
      expect(resolve({ tokenFile: folder.file }).credential?.reveal()).toBe('planted-0815');
    },
  );

  it.each(WAYS)('that is a link is not written through: %s', (way, options) => {
    const target = folder.put('target', way === 'generated' ? '' : 'victim-1');
    folder.put(`latchkey/${PORT}.token`, { link: target });
    // A link is not one of ours to read either.
    if (way === 'generated') expect(guardError('TOKEN_FILE', () => resolve(options)).message).toContain('symbolic link');
    else resolve(options);
    expect(readFileSync(target, 'utf8')).toBe(way === 'generated' ? '' : 'victim-1');
    expect(lstatSync(folder.file).isSymbolicLink()).toBe(way === 'generated');
  });

  it('that is a link is removed, not what it leads to, if the server is disabled', () => {
    const target = folder.put('target', 'victim-1');
    folder.put(`latchkey/${PORT}.token`, { link: target });
    resolve({ disabled: true });
    expect(() => lstatSync(folder.file)).toThrow('ENOENT');
    expect(readFileSync(target, 'utf8')).toBe('victim-1');
  });

  it('that is a pipe is refused at once', () => {
    mkdirSync(folder.config);
    execFileSync('sh', ['-c', 'mkfifo "$1"', 'sh', folder.file]);
    expect(guardError('TOKEN_FILE', () => resolve()).message).toContain('not a regular file');
    expect(guardError('TOKEN_FILE', () => resolve({ tokenFile: folder.file })).message).toContain('not a regular file');
  });

  it.runIf(process.geteuid?.() === 0)('that another user has put there is refused: that user knows the token', () => {
    chownSync(folder.put(`latchkey/${PORT}.token`, 'planted-1'), 12_345, 12_345);
    expect(guardError('TOKEN_FILE', () => resolve()).message).toContain('another user');
    // One that an operator names may be anybody's.
    expect(resolve({ tokenFile: folder.file }).credential?.reveal()).toBe('planted-1');
    expect(statSync(folder.file).uid).toBe(0);
  });

  it('is not harmed by what a process left behind that died while it wrote', () => {
    const left = [`.${PORT}.token.0123456789abcdef`, `.${PORT}.token.fedcba9876543210`];
    for (const name of left) folder.put(`latchkey/${name}`, 'half-a-tok');
    const first = resolve();
    expect(resolve().credential?.reveal()).toBe(first.credential?.reveal());
    expect(resolve({ regenerate: true }).credential?.reveal()).toBe(folder.saved());
    expect(readdirSync(folder.config).sort()).toEqual([...left, `${PORT}.token`].sort());
  });
});

describe('createToken', () => {
  it('gives what is there, and what it wrote if nothing was', () => {
    expect(createToken(folder.file, 'first-1')).toBe('first-1');
    expect(createToken(folder.file, 'second-1')).toBe('first-1');
    replaceToken(folder.file, 'third-1');
    expect(createToken(folder.file, 'fourth-1')).toBe('third-1');
    expect(readdirSync(folder.config)).toEqual([`${PORT}.token`]);
  });

  it.each<readonly [string, Partial<ServerTokenOptions>]>([
    ['regenerated', { regenerate: true }],
    ['given', { token: 'explicit-1' }],
    ['disabled', { disabled: true }],
    ['the same', {}],
  ])('does not bring back what a process left behind that died once it had filled the file, after a start that was %s', (_, options) => {
    for (const content of ['revoked-1\n', '']) {
      folder.put(`latchkey/${PORT}.token`, content);
      folder.put(`latchkey/${PORT}.token.new`, 'revoked-1\n');
      resolve(options);
      expect(readdirSync(folder.config).filter((name) => name.endsWith('.new'))).toEqual([]);
      // An operator empties it: a new one is wanted.
      folder.put(`latchkey/${PORT}.token`, '');
      expect(resolve()).toMatchObject({ source: 'generated' });
      expect(folder.saved()).not.toBe('revoked-1');
    }
  });

  it.runIf(process.geteuid?.() === 0)('takes no successor that another user has put there', () => {
    folder.put(`latchkey/${PORT}.token`, '\n');
    chownSync(folder.put(`latchkey/${PORT}.token.new`, 'planted-1\n'), 12_345, 12_345);
    expect(guardError('TOKEN_FILE', () => createToken(folder.file, 'own-1')).message).toContain('another user');
    expect(folder.saved()).toBe('');
  });

  it('completes what a process began that died while it filled a blank file', () => {
    folder.put(`latchkey/${PORT}.token`, '\n');
    folder.put(`latchkey/${PORT}.token.new`, 'elected-1\n');
    expect(createToken(folder.file, 'late-1')).toBe('elected-1');
    expect(folder.saved()).toBe('elected-1');
    expect(readdirSync(folder.config)).toEqual([`${PORT}.token`]);
  });
});
