import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { apiKey, bearer, credentialFromHeaders } from '../../src/index.js';

const SECRET = 'sk-secret-0123456789';

describe('a credential', () => {
  it('has the first 16 hex digits of SHA-256 over scheme, header and value for its fingerprint', () => {
    const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);
    expect(bearer(SECRET).fingerprint).toBe(digest(`bearer\nauthorization\n${SECRET}`));
    expect(apiKey(SECRET).fingerprint).toBe(digest(`api-key\nx-api-key\n${SECRET}`));
    expect(apiKey(SECRET, { header: 'Api-Key' }).fingerprint).toBe(digest(`api-key\napi-key\n${SECRET}`));
  });

  it('case 6: is another one under another scheme or header, and the same one again otherwise', () => {
    expect(bearer(SECRET).fingerprint).toBe(bearer(SECRET).fingerprint);
    expect(apiKey(SECRET, { header: 'X-API-Key' }).fingerprint).toBe(apiKey(SECRET).fingerprint);
    const all = [bearer(SECRET), apiKey(SECRET), apiKey(SECRET, { header: 'authorization' }), apiKey(SECRET, { header: 'api-key' })];
    expect(new Set(all.map((one) => one.fingerprint)).size).toBe(all.length);
  });

  it('does not count its expiry into its fingerprint', () => {
    expect(bearer(SECRET, { expiresAt: 2e12 }).fingerprint).toBe(bearer(SECRET).fingerprint);
  });

  it('reveals its value, and gives a fresh header object each time', () => {
    const credential = apiKey(SECRET, { header: 'X-Goog-Api-Key' });
    expect(credential.reveal()).toBe(SECRET);
    const headers = credential.headers();
    expect(headers).toEqual({ 'x-goog-api-key': SECRET });
    headers['x-goog-api-key'] = 'changed';
    expect(credential.headers()).toEqual({ 'x-goog-api-key': SECRET });
  });

  it('case 64: prints scheme and fingerprint only, however it is printed', () => {
    const credential = bearer(SECRET);
    const shown = `bearer:${credential.fingerprint}`;
    expect(String(credential)).toBe(shown);
    expect(`${credential}`).toBe(shown);
    expect(JSON.stringify({ credential })).toBe(`{"credential":"${shown}"}`);
    expect(inspect(credential)).toBe(shown);
    for (const options of [
      { showHidden: true },
      { depth: Number.POSITIVE_INFINITY },
      { showHidden: true, customInspect: false, getters: true },
    ]) {
      expect(inspect({ credential, list: [credential] }, options)).not.toContain(SECRET);
    }
    expect(Object.values(credential).map(String).join()).not.toContain(SECRET);
    expect(JSON.stringify(structuredClone({ ...credential }))).not.toContain(SECRET);
  });

  it('takes an expiry as a Date or in milliseconds', () => {
    const at = Date.UTC(2030, 0, 1);
    expect(bearer(SECRET, { expiresAt: at }).expiresAt).toBe(at);
    expect(apiKey(SECRET, { expiresAt: new Date(at) }).expiresAt).toBe(at);
    expect(bearer(SECRET).expiresAt).toBeUndefined();
    expect(bearer(SECRET, { expiresAt: undefined }).expiresAt).toBeUndefined();
    expect(credentialFromHeaders({ 'x-api-key': SECRET })?.expiresAt).toBeUndefined();
  });

  it('takes an expiry below 1e11 for seconds, which is a TypeError', () => {
    const seconds = Math.floor(Date.UTC(2030, 0, 1) / 1000);
    expect(() => bearer(SECRET, { expiresAt: seconds })).toThrow(new TypeError('bearer: `expiresAt` is in seconds; give milliseconds'));
    expect(() => apiKey(SECRET, { expiresAt: 1e11 - 1 })).toThrow(/seconds/);
    expect(bearer(SECRET, { expiresAt: 1e11 }).expiresAt).toBe(1e11);
  });

  it.each<[string, () => unknown, RegExp]>([
    ['an empty bearer', () => bearer(''), /^bearer: the value is empty$/],
    ['an empty key', () => apiKey(''), /^apiKey: the value is empty$/],
    ['no value', () => bearer(undefined as never), /^bearer: the value must be a string$/],
    ['null', () => apiKey(null as never), /^apiKey: the value must be a string$/],
    ['a blank', () => bearer(`${SECRET} x`), /^bearer: the value holds/],
    ['a line break', () => apiKey(`${SECRET}\r\nx-evil: 1`), /^apiKey: the value holds/],
    ['a trailing line break', () => bearer(`${SECRET}\n`), /^bearer: the value holds/],
    ['NUL', () => apiKey(`${SECRET}\0`), /^apiKey: the value holds/],
    ['beyond ASCII', () => bearer(`${SECRET}é`), /^bearer: the value holds/],
    ['a header with a blank', () => apiKey(SECRET, { header: 'x key' }), /`header`/],
    ['a header with a line break', () => apiKey(SECRET, { header: 'x-key\r\nx-evil' }), /`header`/],
    ['an empty header', () => apiKey(SECRET, { header: '' }), /`header`/],
    ['a header that is no string', () => apiKey(SECRET, { header: 5 as never }), /`header`/],
    ['an invalid Date', () => bearer(SECRET, { expiresAt: new Date(Number.NaN) }), /`expiresAt`/],
    ['NaN', () => bearer(SECRET, { expiresAt: Number.NaN }), /`expiresAt`/],
    ['infinity', () => bearer(SECRET, { expiresAt: Number.POSITIVE_INFINITY }), /`expiresAt`/],
    ['a date as text', () => bearer(SECRET, { expiresAt: '2030-01-01' as never }), /`expiresAt`/],
    ['a null expiry', () => apiKey(SECRET, { expiresAt: null as never }), /`expiresAt`/],
    ['an unknown option', () => bearer(SECRET, { header: 'x' } as never), /`header`/],
    ['an unknown option of a key', () => apiKey(SECRET, { expires: 1 } as never), /`expires`/],
    ['null options', () => bearer(SECRET, null as never), /`options`/],
    ['options that are a string', () => apiKey(SECRET, 'x-api-key' as never), /`options`/],
  ])('%s is a TypeError that names it and never quotes the value', (_, make, message) => {
    let thrown: unknown;
    try {
      make();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(TypeError);
    expect((thrown as Error).message).toMatch(message);
    expect(inspect(thrown, { showHidden: true, depth: Number.POSITIVE_INFINITY }).split('\n')[0]).not.toContain(SECRET);
    expect((thrown as Error).message).not.toContain('evil');
  });
});
