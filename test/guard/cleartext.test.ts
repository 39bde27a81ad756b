import { describe, expect, it } from 'vitest';
import { apiKey, bearer } from '../../src/credential/credential.js';
import { assertNoCleartextCredential, type CleartextOptions } from '../../src/guard/cleartext.js';
import type { ServerToken } from '../../src/guard/token.js';
import { secretsIn } from '../support/secret-forms.js';
import { guardError, printed } from './token-folder.js';

const SECRET = 'cleartext-0815';
const TOKEN = bearer(SECRET);
const SERVER: ServerToken = { source: 'explicit', credential: TOKEN, path: undefined };
const DISABLED: ServerToken = { source: 'disabled', credential: undefined, path: undefined };
const OPEN = [undefined, '', '0.0.0.0', '::', '192.168.0.7', 'gateway.example', '127.0.0.2', '[::1]', 'LOCALHOST'];

describe('assertNoCleartextCredential', () => {
  it.each(OPEN)('a token on %j without TLS: CLEARTEXT_CREDENTIAL, with what to do', (bindHost) => {
    for (const token of [TOKEN, SERVER, apiKey(SECRET)]) {
      const error = guardError('CLEARTEXT_CREDENTIAL', () => assertNoCleartextCredential({ bindHost, tls: false, token }));
      for (const advice of ['serve TLS', 'bind to 127.0.0.1', 'proxy on this machine']) expect(error.message).toContain(advice);
      expect(error.message).toContain(bindHost ? JSON.stringify(bindHost) : 'every interface');
      expect(secretsIn(printed(error), [SECRET])).toEqual([]);
    }
  });

  it.each(OPEN)('nothing is wrong with TLS on %j, nor without a token', (bindHost) => {
    for (const token of [TOKEN, SERVER]) assertNoCleartextCredential({ bindHost, tls: true, token });
    for (const token of [DISABLED, undefined]) assertNoCleartextCredential({ bindHost, tls: false, token });
  });

  it.each(['localhost', '127.0.0.1', '::1'])('nothing is wrong on %s', (bindHost) => {
    for (const token of [TOKEN, SERVER]) assertNoCleartextCredential({ bindHost, tls: false, token });
  });

  it.each<readonly [string, unknown, RegExp]>([
    ['nothing', undefined, /`options` must be an object/],
    ['an unknown option', { bindHost: '::', tls: true, token: TOKEN, url: 'x' }, /unknown option `url`/],
    ['no word about TLS', { bindHost: '::', token: TOKEN }, /`tls` must be true or false/],
    ['a host that is no text', { bindHost: 5, tls: false, token: TOKEN }, /`bindHost` must be a string/],
    ['a token as text', { bindHost: '::', tls: false, token: SECRET }, /`token` must be a credential/],
    ['a token as text, with TLS', { bindHost: '::', tls: true, token: SECRET }, /`token` must be a credential/],
  ])('%s: a TypeError that names it', (_, options, message) => {
    const attempt = (): void => assertNoCleartextCredential(options as CleartextOptions);
    expect(attempt).toThrow(TypeError);
    expect(attempt).toThrow(message);
  });
});
