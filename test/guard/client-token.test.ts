import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ClientTokenOptions, resolveClientToken } from '../../src/guard/client-token.js';
import { resolveServerToken } from '../../src/guard/server-token.js';
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

const LOCAL = `http://127.0.0.1:${PORT}/status`;

const resolve = (options: Partial<ClientTokenOptions> = {}) =>
  resolveClientToken({ url: LOCAL, env: {}, configDir: folder.config, ...options });

describe('resolveClientToken: the first that applies', () => {
  interface Row {
    readonly name: string;
    readonly token?: string;
    readonly set?: string;
    readonly saved?: string | 'folder';
    readonly gives?: string;
    readonly source?: string;
    readonly fails?: 'TOKEN_FILE' | 'TypeError';
  }
  const rows: Row[] = [
    { name: 'explicit', token: 'explicit-1', set: 'set-1', saved: 'saved-1', gives: 'explicit-1', source: 'explicit' },
    {
      name: 'explicit, before a variable that holds no token',
      token: 'explicit-1',
      set: 'no token',
      gives: 'explicit-1',
      source: 'explicit',
    },
    { name: 'explicit, before a file that cannot be read', token: 'explicit-1', saved: 'folder', gives: 'explicit-1', source: 'explicit' },
    { name: 'explicitly none', token: '', set: 'set-1', saved: 'saved-1', source: 'explicit' },
    { name: 'explicit, and no token', token: 'no token', set: 'set-1', saved: 'saved-1', fails: 'TypeError' },
    { name: 'the variable', set: 'set-1', saved: 'saved-1', gives: 'set-1', source: 'environment' },
    { name: 'the variable, before a file that cannot be read', set: 'set-1', saved: 'folder', gives: 'set-1', source: 'environment' },
    { name: 'the variable, and no token', set: 'no token', saved: 'saved-1', fails: 'TypeError' },
    { name: 'the file, if the variable is empty', set: '', saved: 'saved-1\n', gives: 'saved-1', source: 'file' },
    { name: 'the file', saved: 'saved-1', gives: 'saved-1', source: 'file' },
    { name: 'a file that cannot be read', saved: 'folder', fails: 'TOKEN_FILE' },
    { name: 'a file that holds something else', saved: 'no token', fails: 'TOKEN_FILE' },
    { name: 'none, if the file is blank', saved: ' \n', source: 'none' },
    { name: 'none', source: 'none' },
  ];

  it.each(rows)('$name', ({ token, set, saved, gives, source, fails }) => {
    if (saved !== undefined) folder.put(`latchkey/${PORT}.token`, saved);
    const attempt = () => resolve({ token, env: { LATCHKEY_TOKEN: set, LATCHKEY_OTHER: 'other-1' } });
    if (fails === 'TOKEN_FILE') expect(guardError(fails, attempt).message).toContain(folder.file);
    else if (fails === 'TypeError') expect(attempt).toThrow(TypeError);
    else {
      const result = attempt();
      expect(result.source).toBe(source);
      expect(result.credential?.reveal()).toBe(gives);
    }
  });

  it('reads another variable, and the process’s own environment', () => {
    expect(resolve({ variable: 'LATCHKEY_OTHER', env: { LATCHKEY_TOKEN: 'set-1', LATCHKEY_OTHER: 'other-1' } }).credential?.reveal()).toBe(
      'other-1',
    );
    vi.stubEnv('LATCHKEY_TOKEN', 'process-1');
    expect(resolve({ env: undefined }).credential?.reveal()).toBe('process-1');
  });

  it('finds none below a file, and none of a user without a token of the port', () => {
    expect(resolve({ configDir: join(folder.put('a-file', ''), 'config') }).source).toBe('none');
    resolveServerToken({ port: PORT + 1, configDir: folder.config });
    expect(resolve().source).toBe('none');
  });

  it('finds what the server on this machine saved, in the folder of both', () => {
    vi.stubEnv('XDG_CONFIG_HOME', folder.root);
    const server = resolveServerToken({ port: PORT });
    const client = resolveClientToken({ url: LOCAL, env: {} });
    expect(client.source).toBe('file');
    expect(client.credential?.reveal()).toBe(server.credential?.reveal());
    resolveServerToken({ port: PORT, disabled: true });
    expect(resolveClientToken({ url: LOCAL, env: {} }).source).toBe('none');
  });
});

describe('resolveClientToken: whose token a URL may get', () => {
  const found: (string | URL)[] = [
    `http://127.0.0.1:${PORT}`,
    `https://127.0.0.1:${PORT}/`,
    `http://localhost:${PORT}/a?b#c`,
    `HTTP://LOCALHOST:${PORT}`,
    `http://[::1]:${PORT}/`,
    `http://[0:0:0:0:0:0:0:1]:${PORT}/`,
    `http://user:${PORT}@localhost:${PORT}/`,
    new URL(`http://127.0.0.1:${PORT}`),
  ];
  it.each(found)('%s: that of its port', (url) => {
    folder.put(`latchkey/${PORT}.token`, 'saved-1');
    expect(resolve({ url }).source).toBe('file');
  });

  const defaults: [string, number][] = [
    ['http://localhost:80/', 80],
    ['http://127.0.0.1:80', 80],
    ['http://127.0.0.1:80?a', 80],
    ['http://127.0.0.1:80#a', 80],
    ['http:\\\\localhost:80\\a', 80],
    ['http:localhost:80', 80],
    [' http://local\thost:8\n0/ ', 80],
    ['http://[::1]:0080/', 80],
    ['https://localhost:443/', 443],
    ['https://localhost:80/', 80],
  ];
  it.each(defaults)('%j: that of port %i, which is written out', (url, port) => {
    for (const other of [80, 443]) folder.put(`latchkey/${other}.token`, `saved-${other}`);
    expect(resolve({ url }).credential?.reveal()).toBe(`saved-${port}`);
  });

  const none: (string | URL)[] = [
    'http://localhost/',
    'https://127.0.0.1',
    'http://localhost:/',
    'http://user:80@localhost/',
    'http://localhost/:80',
    'http://localhost?:80',
    'http://localhost#:80',
    'http://[::1]/',
    new URL('http://localhost:80/'),
    `http://localhost:${PORT}@evil.example/`,
    `http://127.0.0.1:${PORT}@evil.example:${PORT}/`,
    `http://localhost.evil.example:${PORT}/`,
    `http://127.0.0.1.evil.example:${PORT}/`,
    `http://evil.example:${PORT}/`,
    `http://127.0.0.2:${PORT}/`,
    `http://0.0.0.0:${PORT}/`,
    `http://[::]:${PORT}/`,
    `http://[::ffff:127.0.0.1]:${PORT}/`,
    `http://localhost.:${PORT}/`,
    `http://192.168.0.7:${PORT}/`,
    `ws://localhost:${PORT}/`,
    `ftp://localhost:${PORT}/`,
    `localhost:${PORT}`,
    'http://localhost:0/',
  ];
  it.each(none)('%s: none', (url) => {
    for (const port of [0, 80, 443, PORT]) folder.put(`latchkey/${port}.token`, 'saved-1');
    expect(resolve({ url })).toEqual({ credential: undefined, source: 'none' });
    // What is no file is for any server.
    expect(resolve({ url, env: { LATCHKEY_TOKEN: 'set-1' } }).credential?.reveal()).toBe('set-1');
  });
});

describe('resolveClientToken: what it is given, and what it shows', () => {
  it.each<readonly [string, unknown, RegExp]>([
    ['nothing', undefined, /`options` must be an object/],
    ['an unknown option', { url: LOCAL, tokn: 'x' }, /unknown option `tokn`/],
    ['no URL', {}, /`url` must be a URL/],
    ['no URL, but a text', { url: 'status' }, /`url` must be a URL/],
    ['a URL that only looks like one', { url: { toString: () => LOCAL } }, /`url` must be a URL/],
    ['a token that is none', { url: LOCAL, token: 'se cret-0815' }, /`token` must be a string without blanks/],
    ['a null token', { url: LOCAL, token: null }, /`token`/],
    ['a variable that holds none', { url: LOCAL, env: { LATCHKEY_TOKEN: 'cret-0815\n' } }, /the variable LATCHKEY_TOKEN must/],
    ['an empty variable name', { url: LOCAL, variable: '' }, /`variable`/],
    ['a variable name that sets another', { url: LOCAL, variable: 'A=B' }, /`variable`/],
    ['an environment that is none', { url: LOCAL, env: 'A=B' }, /`env` must be an object/],
    ['an empty folder', { url: LOCAL, configDir: '' }, /`configDir`/],
  ])('%s: a TypeError that names it', (_, options, message) => {
    const attempt = (): unknown => resolveClientToken(options as ClientTokenOptions);
    expect(attempt).toThrow(TypeError);
    expect(attempt).toThrow(message);
    try {
      attempt();
    } catch (error) {
      expect(secretsIn(printed(error), ['cret-0815'])).toEqual([]);
    }
  });

  it('no value, neither of what it gives nor of what it refuses', () => {
    folder.put(`latchkey/${PORT}.token`, 'in-file-0815');
    const result = resolve();
    expect(secretsIn(`${inspect(result, { depth: 9, showHidden: true })} ${JSON.stringify(result)}`, ['in-file-0815'])).toEqual([]);
    folder.put(`latchkey/${PORT}.token`, 'in-file-0815 in-file-4711');
    const error = guardError('TOKEN_FILE', () => resolve());
    expect(secretsIn(printed(error), ['in-file-0815', 'in-file-4711'])).toEqual([]);
  });

  it('a link is no file that a server has saved', () => {
    folder.put(`latchkey/${PORT}.token`, { link: folder.put('target', 'in-file-1') });
    expect(guardError('TOKEN_FILE', () => resolve()).message).toContain('symbolic link');
  });
});
