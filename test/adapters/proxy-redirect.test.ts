import { describe, expect, it } from 'vitest';
import { redirectTarget } from '../../src/adapters/proxy.js';

describe('what a transparent proxy may follow', () => {
  it.each([
    ['http://api.example/v1', '/v2', 'http://api.example/v2'],
    ['http://api.example/v1/a', 'b?c=d', 'http://api.example/v1/b?c=d'],
    ['https://api.example/v1', 'https://API.example:443/v2', 'https://api.example/v2'],
    ['http://api.example:8080/v1', '//api.example:8080/v2', 'http://api.example:8080/v2'],
    ['http://[::1]:8080/v1', 'http://[0:0::1]:8080/v2', 'http://[::1]:8080/v2'],
    ['https://user:pass@api.example/v1', '/v2', 'https://user:pass@api.example/v2'],
  ])('the same host: %s -> %s', (from, location, target) => {
    expect(redirectTarget(from, location)?.href).toBe(target);
    expect(redirectTarget(new URL(from), location)?.href).toBe(target);
  });

  it('an upgrade of the same host name on the default ports', () => {
    expect(redirectTarget('http://api.example/v1', 'https://api.example/v1')?.href).toBe('https://api.example/v1');
    expect(redirectTarget('http://api.example:80/v1', 'https://api.example:443/v1')?.href).toBe('https://api.example/v1');
  });

  it.each([
    ['another host', 'https://api.example/', 'https://evil.example/'],
    ['a sub-domain', 'https://api.example/', 'https://a.api.example/'],
    ['the same name with a dot', 'https://api.example/', 'https://api.example./'],
    ['another port', 'https://api.example/', 'https://api.example:8443/'],
    ['an upgrade to another port', 'http://api.example/', 'https://api.example:8443/'],
    ['an upgrade from another port', 'http://api.example:8080/', 'https://api.example/'],
    ['an upgrade of another host', 'http://api.example/', 'https://evil.example/'],
    ['https to http', 'https://api.example/', 'http://api.example/'],
    ['https to http on one port', 'https://api.example:8080/', 'http://api.example:8080/'],
    ['a host without scheme', 'https://api.example/', '//evil.example/v1'],
    ['a backslash', 'https://api.example/', '/\\evil.example/v1'],
    ['a tab between the slashes', 'https://api.example/', '/\t/evil.example/v1'],
    ['user information', 'https://api.example/', 'https://user:pass@api.example/'],
    ['a host in the user information', 'https://api.example/', 'https://api.example@evil.example/'],
    ['another scheme', 'https://api.example/', 'ftp://api.example/'],
    ['a script', 'https://api.example/', 'javascript:alert(1)'],
    ['nothing', 'https://api.example/', ''],
    ['what is no address', 'https://api.example/', 'https://'],
    ['a start that is no address', '/v1', '/v2'],
    ['a start that is not on the web', 'ftp://api.example/', '/v2'],
  ])('(hole) never %s', (_, from, location) => {
    expect(redirectTarget(from, location)).toBeUndefined();
  });

  it('no header, no target', () => {
    expect(redirectTarget('https://api.example/', undefined as never)).toBeUndefined();
  });
});
