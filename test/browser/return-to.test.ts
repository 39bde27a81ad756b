import { describe, expect, it, vi } from 'vitest';
import { createFetchJson, takeReturnTo } from '../../src/browser/index.js';
import { envelope, fakeWindow } from './fake-window.js';

const KEY = 'latchkey:return-to';

function saved(value: string) {
  const window = fakeWindow(() => expect.fail('nothing is sent'));
  window.stored.set(KEY, value);
  return window;
}

describe('takeReturnTo', () => {
  it('gives the place that a 401 took the user from, hash and all, once', async () => {
    const window = fakeWindow(() => envelope());
    void createFetchJson({ window })('/api/sessions');
    await vi.waitFor(() => expect(window.visited).toHaveLength(1));
    expect(takeReturnTo({ window })).toBe('/sessions?page=2#row-7');
    expect(takeReturnTo({ window })).toBe('');
    expect(window.stored.size).toBe(0);
  });

  it.each(['', '/', '/sessions', '/sessions?page=2', '/sessions#a#b', '/sessions#//evil.example', '/#/login'])('accepts %j', (place) => {
    expect(takeReturnTo({ window: saved(place) })).toBe(place);
  });

  it.each([
    '//evil.example',
    '//evil.example#x',
    '/\\evil.example',
    '/\t/evil.example',
    '/.//evil.example#x',
    'https://evil.example/',
    'javascript:alert(1)',
    '/login',
    '/login#x',
    '/api/sessions',
    '#row-7',
    '/%zz',
  ])('refuses %j, hash and all, and forgets it', (place) => {
    const window = saved(place);
    expect(takeReturnTo({ window })).toBe('');
    expect(window.stored.size).toBe(0);
  });

  it('refuses the login pages below the prefix', () => {
    expect(takeReturnTo({ window: saved('/gw/login'), prefix: '/gw' })).toBe('');
    expect(takeReturnTo({ window: saved('/gw/sessions#x'), prefix: '/gw' })).toBe('/gw/sessions#x');
  });

  it('leaves out a hash that is longer than a path may be', () => {
    expect(takeReturnTo({ window: saved(`/sessions#${'x'.repeat(2_047)}`) })).toHaveLength(9 + 2_048);
    expect(takeReturnTo({ window: saved(`/sessions#${'x'.repeat(2_048)}`) })).toBe('/sessions');
  });

  it('gives nothing where the storage is forbidden', () => {
    const window = {
      get sessionStorage(): never {
        throw new DOMException('denied', 'SecurityError');
      },
    };
    expect(takeReturnTo({ window })).toBe('');
  });
});
