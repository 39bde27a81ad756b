import { describe, expect, it } from 'vitest';
import { type LoginUrlOptions, loginUrl } from '../../src/signals/index.js';

describe('loginUrl', () => {
  it.each<[LoginUrlOptions | undefined, string]>([
    [undefined, '/login'],
    [{ prefix: '/gw' }, '/gw/login'],
    [{ prefix: '/gw/' }, '/gw/login'],
    [{ prefix: '/' }, '/login'],
    [{ next: '/sessions?page=2&q=a b' }, '/login?next=%2Fsessions%3Fpage%3D2%26q%3Da%2520b'],
    [{ next: '/' }, '/login?next=%2F'],
    [{ prefix: '/gw', next: '/gw/sessions' }, '/gw/login?next=%2Fgw%2Fsessions'],
    [{ prefix: '/gw', next: '/gw/login' }, '/gw/login'],
    [{ next: '//evil.com' }, '/login'],
    [{ next: '/api/keys' }, '/login'],
    [{ next: '/x\r\nSet-Cookie: a=b' }, '/login'],
    [{ next: '/日本' }, '/login?next=%2F%25E6%2597%25A5%25E6%259C%25AC'],
    [{ loginPath: '/sign-in', next: '/sign-in/sso' }, '/sign-in'],
    [{ loginPath: '/sign-in', prefix: '/gw', next: '/gw/x' }, '/gw/sign-in?next=%2Fgw%2Fx'],
  ])('%j gives %s', (options, url) => {
    expect(loginUrl(options)).toBe(url);
  });

  it.each(['//evil.com', 'https://evil.com', '/..', '/"', '/gw\r\nX: 1', '/\\evil.com', `/${'a'.repeat(256)}`])(
    'drops a prefix %j',
    (prefix) => {
      expect(loginUrl({ prefix, next: '/x' })).toBe('/login?next=%2Fx');
    },
  );

  it('the query gives back what safeNext gave', () => {
    const url = new URL(loginUrl({ next: '/a?b=%26&c=+d' }), 'http://gateway.test');
    expect(url.searchParams.get('next')).toBe('/a?b=%26&c=+d');
  });

  it('a mistake of the caller’s is a TypeError', () => {
    expect(() => loginUrl({ nxt: '/x' } as never)).toThrow(new TypeError('loginUrl: unknown option `nxt`'));
    expect(() => loginUrl({ loginPath: 'https://idp.test/' })).toThrow("loginUrl: `loginPath` must be a path such as '/gw'");
    for (const loginPath of ['/', ''])
      expect(() => loginUrl({ loginPath })).toThrow(
        new TypeError("loginUrl: `loginPath` must be a path such as '/login', and not the root"),
      );
    expect(() => loginUrl(null as never)).toThrow('loginUrl: `options` must be an object');
  });
});
