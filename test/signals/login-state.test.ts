import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type LoginStateOptions, loginState } from '../../src/signals/index.js';
import { manualClock, START } from '../support/clock.js';

const KEY = 'k'.repeat(32);
const OTHER = 'o'.repeat(32);

const pairOf = (setCookie: string): string => setCookie.split(';')[0] as string;
const signedValueOf = (setCookie: string): string => pairOf(setCookie).split('=').slice(1).join('=');

describe('loginState', () => {
  it('brings a next through the login', () => {
    const state = loginState({ keys: [KEY], https: true });
    expect(state.read(`a=1; ${pairOf(state.issue('/sessions?page=2'))}; b=2`)).toBe('/sessions?page=2');
  });

  it.each<[Partial<LoginStateOptions>, RegExp]>([
    [{ https: true }, /^__Host-login-state=[\w.-]+; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/],
    [{ https: true, prefix: '/gw' }, /^__Secure-login-state=[\w.-]+; Path=\/gw; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/],
    [{ https: false, name: 'st', maxAgeMs: 1_500 }, /^st=[\w.-]+; Path=\/; Max-Age=2; HttpOnly; SameSite=Lax$/],
  ])('%j: the cookie is named and kept as it should be', (options, shape) => {
    const state = loginState({ keys: [KEY], https: true, ...options });
    expect(state.issue('/x')).toMatch(shape);
    expect(state.clear()).toMatch(/^[\w-]+=; Path=\/(gw)?; Max-Age=0; HttpOnly; SameSite=Lax(; Secure)?$/);
    expect(pairOf(state.clear())).toBe(`${pairOf(state.issue('/x')).split('=')[0]}=`);
  });

  it('expires, whatever the browser makes of Max-Age', () => {
    const clock = manualClock();
    const state = loginState({ keys: [KEY], https: true, maxAgeMs: 60_000, clock });
    const cookie = pairOf(state.issue('/x'));
    clock.advance(59_999);
    expect(state.read(cookie)).toBe('/x');
    clock.advance(1);
    expect(state.read(cookie)).toBe('');
  });

  it('the expiry is inside the signature, and so are the next and the name', () => {
    const state = loginState({ keys: [KEY], https: true, clock: manualClock() });
    const [expires = '', next = '', signed = ''] = signedValueOf(state.issue('/x')).split('.');
    const other = Buffer.from('/other').toString('base64url');
    const cookie = (value: string): string => state.read(`__Host-login-state=${value}`);
    expect(cookie(`${expires}.${next}.${signed}`)).toBe('/x');
    expect(Number(expires)).toBe(START + 600_000);
    for (const forged of [
      `${Number(expires) + 1}.${next}.${signed}`,
      `Infinity.${next}.${signed}`,
      `${expires}.${other}.${signed}`,
      `${expires}.${next}.`,
      `${expires}.${next}`,
      `${expires}.${next}.${signed}.x`,
      `${expires}.${next}.${signed.slice(0, -2)}`,
      `${expires}.${next}.${'A'.repeat(43)}`,
      `${expires}.${next}.${signed}${signed}`,
      `${expires}.${next}.é`,
      '',
      '...',
      'x',
    ]) {
      expect(cookie(forged), forged).toBe('');
    }
    const renamed = loginState({ keys: [KEY], https: true, name: 'other', clock: manualClock() });
    expect(renamed.read(`__Host-other=${expires}.${next}.${signed}`)).toBe('');
  });

  it('the first key signs, all verify', () => {
    const before = loginState({ keys: [KEY], https: true });
    const rotated = loginState({ keys: [OTHER, KEY], https: true });
    const after = loginState({ keys: [OTHER], https: true });
    expect(rotated.read(pairOf(before.issue('/x')))).toBe('/x');
    expect(after.read(pairOf(rotated.issue('/x')))).toBe('/x');
    expect(after.read(pairOf(before.issue('/x')))).toBe('');
    const bytes = loginState({ keys: [new TextEncoder().encode(KEY)], https: true });
    expect(bytes.read(pairOf(before.issue('/x')))).toBe('/x');
  });

  it('a key changed by its owner afterwards changes nothing', () => {
    const key = new Uint8Array(32).fill(7);
    const state = loginState({ keys: [key], https: true });
    const cookie = pairOf(state.issue('/x'));
    key.fill(0);
    expect(state.read(cookie)).toBe('/x');
  });

  it.each(['//evil.com', '/\\evil.com', '/login', '/api/keys', 'https://evil.com', '', undefined])(
    'a next %j is stored as none',
    (next) => {
      const state = loginState({ keys: [KEY], https: true });
      expect(state.read(pairOf(state.issue(next)))).toBe('');
    },
  );

  it('(hole) the next is checked again when it is read, even with a valid signature', () => {
    const clock = manualClock();
    const state = loginState({ keys: [KEY], https: true, clock });
    const signed = (next: string): string => {
      const text = `${clock.now() + 1_000}.${Buffer.from(next).toString('base64url')}`;
      return `__Host-login-state=${text}.${createHmac('sha256', KEY).update(`__Host-login-state\n${text}`).digest('base64url')}`;
    };
    expect(state.read(signed('/sessions'))).toBe('/sessions');
    for (const evil of ['//evil.com', '/\\evil.com', '/%5Cevil.com', '/x/../login', 'https://evil.com'])
      expect(state.read(signed(evil))).toBe('');
  });

  it('a next below the prefix is judged as the browser sees it', () => {
    const state = loginState({ keys: [KEY], https: true, prefix: '/gw', loginPath: '/sign-in' });
    expect(state.read(pairOf(state.issue('/gw/sessions')))).toBe('/gw/sessions');
    expect(state.read(pairOf(state.issue('/gw/sign-in')))).toBe('');
  });

  it('one bad cookie beside a good one does no harm, one of another variant is not looked at', () => {
    const state = loginState({ keys: [KEY], https: true });
    const good = state.issue('/x');
    expect(state.read(`__Host-login-state=tossed; ${pairOf(good)}`)).toBe('/x');
    expect(state.read(`login-state=${signedValueOf(good)}`)).toBe('');
    expect(state.read(`__Secure-login-state=${signedValueOf(good)}`)).toBe('');
    for (const nothing of [undefined, null, '', ';', 7 as never]) expect(state.read(nothing)).toBe('');
  });

  it('the longest next fits into a cookie', () => {
    const next = `/${'a'.repeat(2_047)}`;
    const state = loginState({ keys: [KEY], https: true });
    const cookie = pairOf(state.issue(next));
    expect(cookie.length).toBeLessThan(4_096);
    expect(state.read(cookie)).toBe(next);
  });

  it('a clock that fails makes nothing valid', () => {
    let works = true;
    const clock = {
      now: () => {
        if (works) return START;
        throw new Error('no time');
      },
    };
    const state = loginState({ keys: [KEY], https: true, clock });
    const good = pairOf(state.issue('/x'));
    expect(state.read(good)).toBe('/x');
    works = false;
    expect(state.read(good)).toBe('');
    const timeless = pairOf(state.issue('/x'));
    works = true;
    expect(state.read(timeless)).toBe('');
  });

  it.each<[unknown, string]>([
    [undefined, 'options'],
    [{ https: true }, 'keys'],
    [{ https: true, keys: [] }, 'keys'],
    [{ https: true, keys: KEY }, 'keys'],
    [{ https: true, keys: ['k'.repeat(31)] }, 'keys[0]'],
    [{ https: true, keys: [KEY, new Uint8Array(31)] }, 'keys[1]'],
    [{ https: true, keys: [KEY, 7] }, 'keys[1]'],
    [{ keys: [KEY] }, 'https'],
    [{ https: true, keys: [KEY], ttl: 1 }, 'ttl'],
    [{ https: true, keys: [KEY], maxAgeMs: 0 }, 'maxAgeMs'],
    [{ https: true, keys: [KEY], prefix: '//x' }, 'prefix'],
    [{ https: true, keys: [KEY], name: '__Host-x' }, 'name'],
    [{ https: true, keys: [KEY], loginPath: 'x' }, 'loginPath'],
    [{ https: true, keys: [KEY], loginPath: '/' }, 'loginPath'],
    [{ https: true, keys: [KEY], loginPath: '' }, 'loginPath'],
    [{ https: true, keys: [KEY], clock: {} }, 'clock.now'],
  ])('%j is a TypeError that names it and quotes no key', (options, name) => {
    const make = (): unknown => loginState(options as LoginStateOptions);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(`\`${name}\``);
    expect(make).not.toThrow(/kkkk/);
  });
});
