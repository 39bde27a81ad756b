import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { safeNext } from '../../src/signals/index.js';

const ORIGIN = 'http://gateway.test';

describe('safeNext', () => {
  it.each([
    '/sessions',
    '/sessions?page=2',
    '/',
    '/apidocs',
    '/api-keys',
    '/authors',
    '/login-history',
    '/sessions/42/steps?sort=-date&to=/login',
    '/search?q=a%20b%26c',
    '/search?url=https://other.test/x//y',
    '/files/a%2Fb',
    '/caf%C3%A9',
    '/x//y',
    '/100%25',
  ])('accepts %s as it is', (target) => {
    expect(safeNext(target)).toBe(target);
  });

  it.each([
    ['nothing', ''],
    ['no slash at the start', 'sessions'],
    ['a URL', 'https://evil.com/sessions'],
    ['a scheme', 'javascript:alert(1)'],
    ['a query alone', '?page=2'],
    ['a blank in front', ' /sessions'],
    ['two slashes', '//evil.com'],
    ['two slashes alone', '//'],
    ['three slashes', '///evil.com'],
    ['user info', '//user@evil.com/'],
    ['the login', '/login'],
    ['the login, with a query', '/login?next=/x'],
    ['the login, with a fragment', '/login#x'],
    ['below the login', '/login/sso'],
    ['the login in capitals', '/LOGIN'],
    ['the login with parameters', '/login;v=1'],
    ['auth', '/auth'],
    ['below auth', '/auth/callback?code=1'],
    ['the API', '/api'],
    ['the API, with a slash', '/api/'],
    ['below the API', '/api/sessions'],
    ['the auth API', '/api/auth/refresh'],
    ['a backslash', '/sessions\\x'],
    ['a backslash in the query', '/sessions?x=\\'],
    ['NUL', '/sessions\0'],
    ['DEL', '/sessions\x7f'],
    ['an escaped DEL', '/sessions%7F'],
    ['an escaped NUL', '/sessions%00'],
    ['an escaped login', '/%6Cogin'],
    ['an escaped end of the login', '/login%3Fx'],
    ['a login behind an escaped question mark', '/x%3F%2F..%2F..%2Flogin%3F'],
    ['escaped dots', '/x/%2e%2e/login'],
    ['escaped slashes and dots', '/x%2F%2E%2E%2Fapi%2Fkeys'],
    ['dots to the API', '/x/../api/keys'],
    ['dots to two slashes', '/x/..//evil.com'],
    ['escaped dots to two slashes', '/x%2F..%2F%2Fevil.com'],
    ['2,049 characters', `/${'a'.repeat(2_048)}`],
    ['more than 2,048 once it is escaped', `/${'é'.repeat(400)}`],
  ])('refuses %s', (_, target) => {
    expect(safeNext(target)).toBe('');
  });

  it.each([
    '/\\evil.com',
    '/%5Cevil.com',
    '/%5cevil.com',
    '/\t/evil.com',
    '/%09/evil.com',
    '/\n/evil.com',
    '%2F%2Fevil.com',
    '/%2Fevil.com',
    '/.//evil.com',
    '/%2E//evil.com',
    '/x/../login',
    '/x\r\nSet-Cookie: a=b',
    '/x%0D%0ASet-Cookie:%20a=b',
    '/%zz',
    '/sessions?x=%zz',
    '/%',
  ])('(hole) refuses %j', (target) => {
    expect(safeNext(target)).toBe('');
  });

  it('(hole) a double-encoded form is only what it says when the browser gets it as it is', () => {
    for (const target of ['/%255Cevil.com', '/%252F%252Fevil.com', '/%2509/evil.com']) {
      expect(safeNext(target)).toBe(target);
      expect(new URL(target, ORIGIN).href).toBe(ORIGIN + target);
    }
    // One decoding further, the next check refuses it.
    expect(safeNext(decodeURIComponent('/%255Cevil.com'))).toBe('');
    // Dots that are dots after one decoding are dots to a server that decodes before it resolves.
    expect(safeNext('/x/%252e%252e/login')).toBe('');
  });

  it('takes 2,048 characters', () => {
    const target = `/${'a'.repeat(2_047)}`;
    expect(safeNext(target)).toBe(target);
  });

  it('gives what a browser would make of it, without a fragment, in ASCII', () => {
    expect(safeNext('/a/./b/../c')).toBe('/a/c');
    expect(safeNext('/sessions?page=2#row-7')).toBe('/sessions?page=2');
    expect(safeNext('/日本 x?q=ü')).toBe('/%E6%97%A5%E6%9C%AC%20x?q=%C3%BC');
    expect(safeNext('/\ud800')).toBe('/%EF%BF%BD');
  });

  it('(hole) what it accepts can be a Location header', async () => {
    const server = createServer((request, response) => {
      const next = new URL(request.url ?? '', ORIGIN).searchParams.get('next');
      response.writeHead(302, { Location: safeNext(next) || '/' }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const locationFor = async (next: string): Promise<[number, string | null]> => {
      const answer = await fetch(`${base}/done?next=${encodeURIComponent(next)}`, { redirect: 'manual' });
      return [answer.status, answer.headers.get('location')];
    };
    try {
      expect(await locationFor('/日本')).toEqual([302, '/%E6%97%A5%E6%9C%AC']);
      expect(await locationFor('/x\r\nX-Evil: 1')).toEqual([302, '/']);
      expect(await locationFor('/%0d%0aX-Evil: 1')).toEqual([302, '/']);
      expect(await locationFor('/\\evil.com')).toEqual([302, '/']);
      expect(await locationFor('/sessions?page=2')).toEqual([302, '/sessions?page=2']);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it.each([undefined, null, 0, 7n, true, Symbol('x'), {}, ['/sessions'], () => '/sessions', new URL('/x', ORIGIN), Number.NaN])(
    'refuses %s, which is no string',
    (target) => {
      expect(safeNext(target)).toBe('');
    },
  );

  describe('below a prefix', () => {
    it.each([
      ['/gw/login', ''],
      ['/gw/Login?x', ''],
      ['/GW/login', ''],
      ['/gw/api/keys', ''],
      ['/gw/auth', ''],
      ['/gw//evil.com', ''],
      ['/gw/%2Fevil.com', ''],
      ['/gw%2Flogin', ''],
      ['/%67w/login', ''],
      ['/x/../gw/login', ''],
      ['/login', ''],
      ['/gw', '/gw'],
      ['/gw/', '/gw/'],
      ['/gw?page=2', '/gw?page=2'],
      ['/gw/sessions?page=2', '/gw/sessions?page=2'],
      ['/gw/login-history', '/gw/login-history'],
      ['/gwx/login', '/gwx/login'],
      ['/other/login', '/other/login'],
    ])('%s gives %j', (target, next) => {
      expect(safeNext(target, { prefix: '/gw' })).toBe(next);
      expect(safeNext(target, { prefix: '/gw/' })).toBe(next);
    });

    it('a prefix that is none is as good as none', () => {
      for (const prefix of ['', '/', 'gw', undefined, null, 7]) {
        expect(safeNext('/gw/login', { prefix: prefix as string })).toBe('/gw/login');
        expect(safeNext('/login', { prefix: prefix as string })).toBe('');
      }
    });
  });

  it('a login page of another name is refused, too', () => {
    expect(safeNext('/sign-in', { loginPath: '/sign-in' })).toBe('');
    expect(safeNext('/gw/sign-in/sso', { loginPath: '/sign-in', prefix: '/gw' })).toBe('');
    expect(safeNext('/login', { loginPath: '/sign-in' })).toBe('');
    expect(safeNext('/sign-in-help', { loginPath: '/sign-in' })).toBe('/sign-in-help');
  });
});
