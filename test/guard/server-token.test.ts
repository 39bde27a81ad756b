import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { apiKey, bearer } from '../../src/credential/credential.js';
import { resolveServerToken, type ServerTokenOptions } from '../../src/guard/server-token.js';
import { secretsIn } from '../support/secret-forms.js';
import { guardError, PORT, printed, type TokenFolder, tokenFolder } from './token-folder.js';

const HEX = /^[0-9a-f]{64}$/;

let folder: TokenFolder;
beforeEach(() => {
  folder = tokenFolder();
});
afterEach(() => folder.remove());

const resolve = (options: Partial<ServerTokenOptions> = {}) => resolveServerToken({ port: PORT, configDir: folder.config, ...options });

/** What an option, or a file, brings: a token of its own, or nothing that could be read. */
type Given = 'good' | 'bad';
interface Row {
  readonly name: string;
  readonly disabled?: true;
  readonly token?: true;
  readonly tokenFile?: Given;
  readonly regenerate?: true;
  readonly saved?: Given | 'blank';
  readonly gives: string | RegExp | undefined;
  readonly source?: string;
  readonly fails?: 'TOKEN_FILE' | 'TOKEN_NOT_SAVED';
}

describe('resolveServerToken: the first that applies', () => {
  const rows: Row[] = [
    {
      name: 'disabled, before all',
      disabled: true,
      token: true,
      tokenFile: 'good',
      regenerate: true,
      saved: 'good',
      gives: undefined,
      source: 'disabled',
    },
    { name: 'disabled, and a token file that cannot be read', disabled: true, tokenFile: 'bad', gives: undefined, source: 'disabled' },
    {
      name: 'explicit, before a file',
      token: true,
      tokenFile: 'good',
      regenerate: true,
      saved: 'good',
      gives: 'explicit-1',
      source: 'explicit',
    },
    { name: 'explicit, and a token file that cannot be read', token: true, tokenFile: 'bad', gives: 'explicit-1', source: 'explicit' },
    { name: 'a token file, before regenerating', tokenFile: 'good', regenerate: true, saved: 'good', gives: 'in-file-1', source: 'file' },
    { name: 'a token file that cannot be read', tokenFile: 'bad', regenerate: true, saved: 'good', gives: undefined, fails: 'TOKEN_FILE' },
    { name: 'regenerated, before a saved one', regenerate: true, saved: 'good', gives: HEX, source: 'regenerated' },
    { name: 'regenerated, with nothing saved', regenerate: true, gives: HEX, source: 'regenerated' },
    { name: 'regenerated, where it cannot be saved', regenerate: true, saved: 'bad', gives: undefined, fails: 'TOKEN_NOT_SAVED' },
    { name: 'a saved one', saved: 'good', gives: 'saved-1', source: 'persisted' },
    { name: 'a saved one that cannot be read', saved: 'bad', gives: undefined, fails: 'TOKEN_FILE' },
    { name: 'generated, over a blank one', saved: 'blank', gives: HEX, source: 'generated' },
    { name: 'generated', gives: HEX, source: 'generated' },
  ];

  it.each(rows)('$name', ({ disabled, token, tokenFile, regenerate, saved, gives, source, fails }) => {
    if (saved === 'bad') folder.put(`latchkey/${PORT}.token/in-the-way`, 'a folder in place of the file');
    else if (saved !== undefined) folder.put(`latchkey/${PORT}.token`, saved === 'blank' ? ' \n' : 'saved-1\n');
    const given = {
      disabled,
      token: token && 'explicit-1',
      tokenFile: tokenFile && folder.put('given', tokenFile === 'bad' ? 'folder' : '\n in-file-1 \n'),
      regenerate,
    };
    if (fails !== undefined) {
      guardError(fails, () => resolve(given));
      return;
    }
    const result = resolve(given);
    expect(result.source).toBe(source);
    const value = result.credential?.reveal();
    if (gives === undefined) expect(value).toBeUndefined();
    else expect(value).toMatch(gives);
    // Clients on this machine find what callers have to present, and nothing if they have to present nothing.
    expect(result.path).toBe(value === undefined ? undefined : folder.file);
    if (value === undefined) expect(existsSync(folder.file)).toBe(false);
    else expect(folder.saved()).toBe(value);
  });

  it('a saved token is the same at the next start, and that of another port is another', () => {
    const first = resolve();
    expect(resolve()).toMatchObject({ source: 'persisted', path: folder.file });
    expect(resolve().credential?.reveal()).toBe(first.credential?.reveal());
    expect(resolve({ port: PORT + 1 }).credential?.reveal()).not.toBe(first.credential?.reveal());
    expect(resolve({ regenerate: true }).credential?.reveal()).not.toBe(first.credential?.reveal());
    expect(readdirSync(folder.config).sort()).toEqual([`${PORT}.token`, `${PORT + 1}.token`]);
  });

  it('a credential that is given stays what it is', () => {
    const given = bearer('given-1', { expiresAt: new Date('2020-01-01') });
    expect(resolve({ token: given }).credential).toBe(given);
    expect(folder.saved()).toBe('given-1');
  });

  it('a server on port 0 has its token before the first request is handled', async () => {
    let expected: string | undefined;
    const server = createServer((request, response) => {
      response.statusCode = request.headers.authorization === `Bearer ${expected}` ? 204 : 401;
      response.end();
    });
    const port = await new Promise<number>((listening) => {
      server.listen(0, '127.0.0.1', () => {
        const own = (server.address() as AddressInfo).port;
        expected = resolve({ port: own }).credential?.reveal();
        listening(own);
      });
    });
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { authorization: `Bearer ${folder.saved(port)}` } });
    expect(answer.status).toBe(204);
    await new Promise((closed) => server.close(closed));
  });
});

describe('resolveServerToken: what must not stop a server, and what must', () => {
  it('an explicit token where nothing can be written and nothing is stale', () => {
    const below = join(folder.put('a-file', ''), 'config');
    for (const given of [{ token: 'explicit-1' }, { tokenFile: folder.put('given', 'explicit-1') }]) {
      const result = resolve({ ...given, configDir: below });
      expect(result.credential?.reveal()).toBe('explicit-1');
      expect(result.path).toBeUndefined();
    }
    expect(resolve({ disabled: true, configDir: below }).source).toBe('disabled');
  });

  it('an explicit token, or none, while something stays behind in the place of its file', () => {
    folder.put(`latchkey/${PORT}.token/in-the-way`, '');
    expect(guardError('TOKEN_NOT_SAVED', () => resolve({ token: 'explicit-1' })).message).toContain(folder.file);
    expect(guardError('TOKEN_NOT_SAVED', () => resolve({ disabled: true })).message).toContain(folder.file);
  });

  it('a new token that cannot be saved', () => {
    const below = join(folder.put('a-file', ''), 'config');
    for (const given of [{}, { regenerate: true }]) {
      const error = guardError('TOKEN_NOT_SAVED', () => resolve({ ...given, configDir: below }));
      expect(error.message).toContain(join(below, `${PORT}.token`));
      expect(error.message).toContain('ENOTDIR');
    }
  });

  it.each<readonly [string, string | undefined]>([
    ['is missing', undefined],
    ['is empty', ''],
    ['is blank', ' \r\n\t'],
    ['holds two words', 'secret-1 secret-2'],
    ['holds two lines', 'secret-1\nsecret-2\n'],
    ['holds a character that no header can carry', 'secret-1é'],
    ['holds a null', 'secret-1\0'],
    ['holds more than 4 KiB', 'secret-1'.repeat(513)],
  ])('a token file that %s: TOKEN_FILE', (_, content) => {
    const path = content === undefined ? join(folder.root, 'given') : folder.put('given', content);
    const error = guardError('TOKEN_FILE', () => resolve({ tokenFile: path }));
    expect(error.message).toContain(path);
    expect(secretsIn(printed(error), ['secret-1', 'secret-2'])).toEqual([]);
    expect(readdirSync(folder.root)).not.toContain('latchkey');
  });

  it('a saved file that holds something else is left for its operator to look at', () => {
    folder.put(`latchkey/${PORT}.token`, 'secret-1 secret-2');
    const error = guardError('TOKEN_FILE', () => resolve());
    expect(error.message).toContain(folder.file);
    expect(secretsIn(printed(error), ['secret-1', 'secret-2'])).toEqual([]);
    expect(folder.saved()).toBe('secret-1 secret-2');
  });

  it('a token file of exactly 4 KiB is one, and so is a link to one: secrets are mounted so', () => {
    const path = folder.put('given', 'k'.repeat(4_096));
    expect(resolve({ tokenFile: folder.put('link', { link: path }) }).credential?.reveal()).toBe('k'.repeat(4_096));
    expect(lstatSync(join(folder.root, 'link')).isSymbolicLink()).toBe(true);
  });
});

describe('resolveServerToken: what it is given', () => {
  const secret = 'se cret-0815';
  it.each<readonly [string, unknown, RegExp]>([
    ['nothing', undefined, /`options` must be an object/],
    ['an unknown option', { port: 1, tokn: 'x' }, /unknown option `tokn`/],
    ['no port', {}, /`port` must be a whole number from 1 to 65535/],
    ['port 0', { port: 0, token: 'x' }, /listen first/],
    ['a negative port', { port: -1 }, /`port`/],
    ['too large a port', { port: 65_536 }, /`port`/],
    ['half a port', { port: 80.5 }, /`port`/],
    ['a port of text', { port: '80' }, /`port`/],
    ['an empty token', { port: 1, token: '' }, /`token` must not be empty/],
    ['an empty token, though disabled', { port: 1, token: '', disabled: true }, /`token` must not be empty/],
    ['a token that no header can carry', { port: 1, token: secret }, /`token` must be a string without blanks/],
    ['a token that is no text', { port: 1, token: 5 }, /`token`/],
    ['a null token', { port: 1, token: null }, /`token`/],
    ['an API key', { port: 1, token: apiKey('k-1') }, /bearer\(\)/],
    ['an empty token file', { port: 1, tokenFile: '' }, /`tokenFile`/],
    ['an empty folder', { port: 1, configDir: '' }, /`configDir`/],
    ['disabled by a word', { port: 1, disabled: 'false' }, /`disabled` must be true or false/],
    ['regenerate by a word', { port: 1, regenerate: 'no' }, /`regenerate` must be true or false/],
  ])('%s: a TypeError that names it', (_, options, message) => {
    const attempt = (): unknown => resolveServerToken(options as ServerTokenOptions);
    expect(attempt).toThrow(TypeError);
    expect(attempt).toThrow(message);
    try {
      attempt();
    } catch (error) {
      expect(secretsIn(printed(error), [secret, 'cret-0815'])).toEqual([]);
    }
  });

  it('shows no value of what it gives', () => {
    const shown = [{}, { token: 'explicit-0815' }, { tokenFile: folder.put('given', 'in-file-0815') }].map((given) => {
      const result = resolve(given);
      return {
        text: `${inspect(result, { depth: 9, showHidden: true })} ${JSON.stringify(result)}`,
        value: result.credential?.reveal() ?? '',
      };
    });
    for (const { text, value } of shown) expect(secretsIn(text, [value])).toEqual([]);
  });
});
