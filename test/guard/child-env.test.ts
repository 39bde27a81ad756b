import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { apiKey, bearer } from '../../src/credential/credential.js';
import { childEnvWithToken } from '../../src/guard/child-env.js';
import { resolveClientToken } from '../../src/guard/client-token.js';
import { resolveServerToken } from '../../src/guard/server-token.js';
import { secretsIn } from '../support/secret-forms.js';
import { PORT, printed, type TokenFolder, tokenFolder } from './token-folder.js';

const TOKEN = bearer('child-0815');

let folder: TokenFolder;
beforeEach(() => {
  folder = tokenFolder();
});
afterEach(() => {
  vi.unstubAllEnvs();
  folder.remove();
});

describe('childEnvWithToken', () => {
  it.each<readonly [string, Record<string, string | undefined>, Record<string, string>]>([
    ['adds the token', { PATH: '/bin' }, { PATH: '/bin', LATCHKEY_TOKEN: 'child-0815' }],
    ['keeps what an operator has set', { LATCHKEY_TOKEN: 'operator-1' }, { LATCHKEY_TOKEN: 'operator-1' }],
    ['counts an empty value as unset', { LATCHKEY_TOKEN: '' }, { LATCHKEY_TOKEN: 'child-0815' }],
    ['leaves out what is undefined', { A: undefined, LATCHKEY_TOKEN: undefined, B: '' }, { B: '', LATCHKEY_TOKEN: 'child-0815' }],
  ])('%s', (_, env, expected) => {
    const before = { ...env };
    expect(childEnvWithToken(TOKEN, { env })).toEqual(expected);
    expect(env).toEqual(before);
    expect(Object.keys(childEnvWithToken(TOKEN, { env })).sort()).toEqual(Object.keys(expected).sort());
  });

  it('names another variable', () => {
    expect(childEnvWithToken(apiKey('key-1'), { env: { LATCHKEY_TOKEN: 'operator-1' }, variable: 'UPSTREAM_KEY' })).toEqual({
      LATCHKEY_TOKEN: 'operator-1',
      UPSTREAM_KEY: 'key-1',
    });
  });

  it.each(['__proto__', 'constructor', 'toString'])('a variable may be called what objects have by themselves: %s', (variable) => {
    for (const env of [{ A: '1' }, JSON.parse(`{ "A": "1", "${variable}": "" }`)]) {
      expect(Object.entries(childEnvWithToken(TOKEN, { env, variable }))).toEqual([
        ['A', '1'],
        [variable, 'child-0815'],
      ]);
    }
    const taken = JSON.parse(`{ "${variable}": "operator-1" }`) as Record<string, string>;
    expect(Object.entries(childEnvWithToken(TOKEN, { env: taken, variable }))).toEqual([[variable, 'operator-1']]);
    const script = `process.stdout.write(process.env[${JSON.stringify(variable)}])`;
    const env = childEnvWithToken(TOKEN, { env: {}, variable });
    expect(execFileSync(process.execPath, ['-e', script], { env, encoding: 'utf8' })).toBe('child-0815');
    // Nobody has set it.
    expect(resolveClientToken({ url: 'http://localhost', env: {}, variable }).source).toBe('none');
    expect(resolveClientToken({ url: 'http://localhost', env: taken, variable }).source).toBe('environment');
  });

  it('takes what resolveServerToken gives, and adds nothing if that is disabled', () => {
    const server = resolveServerToken({ port: PORT, configDir: folder.config });
    expect(childEnvWithToken(server, { env: {} })).toEqual({ LATCHKEY_TOKEN: server.credential?.reveal() });
    const disabled = resolveServerToken({ port: PORT, configDir: folder.config, disabled: true });
    expect(childEnvWithToken(disabled, { env: { A: '1', LATCHKEY_TOKEN: '' } })).toEqual({ A: '1', LATCHKEY_TOKEN: '' });
  });

  it('hands the token to a real child, and leaves this process as it is', () => {
    vi.stubEnv('LATCHKEY_TOKEN', undefined);
    const script = 'process.stdout.write(JSON.stringify([process.env.LATCHKEY_TOKEN, ...process.argv.slice(1)]))';
    const output = execFileSync(process.execPath, ['-e', script, 'argument'], { env: childEnvWithToken(TOKEN), encoding: 'utf8' });
    expect(JSON.parse(output)).toEqual(['child-0815', 'argument']);
    expect(process.env['LATCHKEY_TOKEN']).toBeUndefined();
  });

  it.each<readonly [string, unknown, unknown, RegExp]>([
    ['no token', undefined, {}, /`token` must be a credential/],
    ['a token as text', 'child-0815', {}, /`token` must be a credential/],
    ['a null token', null, {}, /`token`/],
    ['something else with a credential', { credential: 'child-0815' }, {}, /`token`/],
    ['null options', TOKEN, null, /`options` must be an object/],
    ['an unknown option', TOKEN, { name: 'A' }, /unknown option `name`/],
    ['an empty variable', TOKEN, { variable: '' }, /`variable`/],
    ['a variable with a null', TOKEN, { variable: 'A\0' }, /`variable`/],
    ['an environment that is none', TOKEN, { env: null }, /`env` must be an object/],
  ])('%s: a TypeError that names it', (_, token, options, message) => {
    const attempt = (): unknown => childEnvWithToken(token as never, options as never);
    expect(attempt).toThrow(TypeError);
    expect(attempt).toThrow(message);
    try {
      attempt();
    } catch (error) {
      expect(secretsIn(printed(error), ['child-0815'])).toEqual([]);
    }
  });
});
