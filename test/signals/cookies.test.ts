import { describe, expect, it } from 'vitest';
import { type SessionCookieOptions, sessionCookies } from '../../src/signals/index.js';

const SECRET = 'very secret token';

describe('sessionCookies', () => {
  it.each<[string, SessionCookieOptions, string[]]>([
    ['bare on http', { https: false }, ['session=s1; Path=/; HttpOnly; SameSite=Lax', 'refresh=r1; Path=/; HttpOnly; SameSite=Lax']],
    [
      'bare on http under a prefix',
      { https: false, prefix: '/gw' },
      ['session=s1; Path=/gw; HttpOnly; SameSite=Lax', 'refresh=r1; Path=/gw; HttpOnly; SameSite=Lax'],
    ],
    [
      '__Host- on https at /',
      { https: true },
      ['__Host-session=s1; Path=/; HttpOnly; SameSite=Lax; Secure', '__Host-refresh=r1; Path=/; HttpOnly; SameSite=Lax; Secure'],
    ],
    [
      '__Host- on https at /, spelt out',
      { https: true, prefix: '/', name: 'gw-s', refreshName: 'gw-r' },
      ['__Host-gw-s=s1; Path=/; HttpOnly; SameSite=Lax; Secure', '__Host-gw-r=r1; Path=/; HttpOnly; SameSite=Lax; Secure'],
    ],
    [
      '__Secure- on https under a prefix',
      { https: true, prefix: '/gw/', maxAgeS: 900, refreshMaxAgeS: 86_400 },
      [
        '__Secure-session=s1; Path=/gw; Max-Age=900; HttpOnly; SameSite=Lax; Secure',
        '__Secure-refresh=r1; Path=/gw; Max-Age=86400; HttpOnly; SameSite=Lax; Secure',
      ],
    ],
  ])('%s', (_, options, written) => {
    const cookies = sessionCookies(options);
    expect(cookies.set('s1', 'r1')).toEqual(written);
    // What it sets, it reads.
    const header = written.map((cookie) => cookie.split(';')[0]).join('; ');
    expect(cookies.read(header)).toEqual({ session: ['s1'], refresh: ['r1'] });
  });

  it('an empty refresh token writes no refresh cookie', () => {
    const cookies = sessionCookies({ https: true });
    expect(cookies.set('s1', '')).toEqual(['__Host-session=s1; Path=/; HttpOnly; SameSite=Lax; Secure']);
    expect(cookies.set('s1')).toHaveLength(1);
    expect(cookies.set('s1', undefined)).toHaveLength(1);
  });

  it.each<[string, SessionCookieOptions, string, string]>([
    ['https at /', { https: true }, '/', '; Secure'],
    ['https under a prefix', { https: true, prefix: '/gw' }, '/gw', '; Secure'],
    ['http', { https: false }, '/', ''],
    ['http under a prefix', { https: false, prefix: '/gw' }, '/gw', ''],
  ])('(hole) on %s clearing takes all three variants away, with the attributes that a browser demands', (_, options, path, bareSecure) => {
    expect(sessionCookies(options).clear()).toEqual(
      ['session', 'refresh'].flatMap((name) => [
        `${name}=; Path=${path}; Max-Age=0; HttpOnly; SameSite=Lax${bareSecure}`,
        `__Host-${name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure`,
        `__Secure-${name}=; Path=${path}; Max-Age=0; HttpOnly; SameSite=Lax; Secure`,
      ]),
    );
  });

  describe('read', () => {
    const all = 'session=bare; __Host-session=host; __Secure-session=secure; __host-session=lower; Session=upper; xsession=x';

    it.each<[SessionCookieOptions, string]>([
      [{ https: false }, 'bare'],
      [{ https: true }, 'host'],
      [{ https: true, prefix: '/gw' }, 'secure'],
    ])('%j looks at its own variant only', (options, value) => {
      expect(sessionCookies(options).read(all).session).toEqual([value]);
    });

    it('gives all values of one name, each once, up to 8', () => {
      const { read } = sessionCookies({ https: false });
      expect(read('session=a; other=x; session=b;session=a').session).toEqual(['a', 'b']);
      expect(read(['session=a', 'session=b']).session).toEqual(['a', 'b']);
      const many = Array.from({ length: 1_000 }, (_, index) => `session=${index}`).join('; ');
      expect(read(many).session).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
    });

    it.each<[unknown, string[]]>([
      [undefined, []],
      [null, []],
      ['', []],
      [';;;', []],
      ['session', []],
      ['=x', []],
      ['session=', []],
      ['session=   ', []],
      ['session=a=b==', ['a=b==']],
      ['  session  =  a  ', ['a']],
      ['session="quoted"', ['"quoted"']],
      ['session=%zz; other', ['%zz']],
      ['session=\0\xff', ['\0\xff']],
      ['other=1; session2=x', []],
      [7, []],
      [{}, []],
      [[null, 7, 'session=a'], ['a']],
      [`${'x'.repeat(100_000)};session=a`, ['a']],
    ])('%j never throws', (header, values) => {
      expect(sessionCookies({ https: false }).read(header as string).session).toEqual(values);
    });
  });

  it.each([SECRET, 'a;b', 'a,b', 'a"b', 'a\\b', 'a\r\nSet-Cookie: x=y', 'é', 'a\0', '', 7, null])(
    'a value that no cookie can hold is a TypeError that does not quote it: %j',
    (value) => {
      const cookies = sessionCookies({ https: true });
      for (const write of [() => cookies.set(value as string), () => cookies.set('s', `${value as string} ${SECRET}`)]) {
        expect(write).toThrow(TypeError);
        expect(write).toThrow(/^sessionCookies: a value for `__Host-(session|refresh)` holds what no cookie can$/);
        expect(write).not.toThrow(SECRET);
      }
    },
  );

  it.each<[unknown, string]>([
    [undefined, 'options'],
    [null, 'options'],
    [{}, 'https'],
    [{ https: 'yes' }, 'https'],
    [{ https: true, secure: true }, 'secure'],
    [{ https: true, prefix: 'gw' }, 'prefix'],
    [{ https: true, prefix: '/gw;Domain=evil.com' }, 'prefix'],
    [{ https: true, prefix: '//gw' }, 'prefix'],
    [{ https: true, prefix: null }, 'prefix'],
    [{ https: true, name: '' }, 'name'],
    [{ https: true, name: 'a b' }, 'name'],
    [{ https: true, name: 'a=b' }, 'name'],
    [{ https: true, name: '__Host-session' }, 'name'],
    [{ https: true, name: '__secure-session' }, 'name'],
    [{ https: true, refreshName: 'a;b' }, 'refreshName'],
    [{ https: true, refreshName: 'session' }, 'refreshName'],
    [{ https: true, maxAgeS: 0 }, 'maxAgeS'],
    [{ https: true, maxAgeS: 1.5 }, 'maxAgeS'],
    [{ https: true, refreshMaxAgeS: '1' }, 'refreshMaxAgeS'],
  ])('%j is a TypeError that names it', (options, name) => {
    expect(() => sessionCookies(options as SessionCookieOptions)).toThrow(TypeError);
    expect(() => sessionCookies(options as SessionCookieOptions)).toThrow(`\`${name}\``);
  });
});
