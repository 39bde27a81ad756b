import { describe, expect, it } from 'vitest';
import { requiresAuth, requireVerifier } from '../../src/signals/index.js';

const OPEN = [
  '0.0.0.0',
  '::',
  '',
  '10.0.0.1',
  '172.16.0.1',
  '192.168.1.1',
  '100.64.0.1',
  '169.254.1.1',
  'fe80::1',
  'gateway.test',
  '8.8.8.8',
];
/** They lead to this machine here, and who knows where elsewhere. */
const LOOK_ALIKES = [
  '[::1]',
  'LOCALHOST',
  'localhost.',
  ' localhost',
  '127.0.0.2',
  '127.1',
  '0:0:0:0:0:0:0:1',
  '::ffff:127.0.0.1',
  'localhost.evil.com',
];

describe('requiresAuth', () => {
  it.each(['localhost', '127.0.0.1', '::1'])('is false for %s', (host) => {
    expect(requiresAuth(host)).toBe(false);
  });

  it.each([...OPEN, ...LOOK_ALIKES, undefined])('is true for %j', (host) => {
    expect(requiresAuth(host)).toBe(true);
  });
});

describe('requireVerifier', () => {
  it.each([...OPEN, undefined])('a gateway on %j without a verifier refuses to start', (host) => {
    expect(() => requireVerifier(host, undefined)).toThrow(TypeError);
    expect(() => requireVerifier(host, undefined)).toThrow(
      /^requireVerifier: `verify` must be a function: a gateway on .* can be reached by others/,
    );
    expect(() => requireVerifier(host, () => true)).not.toThrow();
  });

  it('names the host', () => {
    expect(() => requireVerifier('0.0.0.0', undefined)).toThrow('a gateway on "0.0.0.0" can');
    expect(() => requireVerifier('', undefined)).toThrow('a gateway on every interface can');
  });

  it.each(['localhost', '127.0.0.1', '::1'])('on %s none is needed', (host) => {
    expect(() => requireVerifier(host, undefined)).not.toThrow();
    expect(() => requireVerifier(host, () => true)).not.toThrow();
  });

  it.each([null, true, 'yes', {}, ''])('%j is no verifier anywhere', (verify) => {
    expect(() => requireVerifier('0.0.0.0', verify)).toThrow(TypeError);
    expect(() => requireVerifier('localhost', verify)).toThrow('requireVerifier: `verify` must be a function, or left out');
  });
});
