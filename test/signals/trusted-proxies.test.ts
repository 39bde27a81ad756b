import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { forwardedPrefix, forwardedProto, loginUrl, type TrustedProxies, trustedProxies } from '../../src/signals/index.js';

const from = (remoteAddress: string | undefined, headers: Record<string, string | string[]> = {}, encrypted?: boolean) => ({
  headers,
  url: '/',
  socket: { remoteAddress, encrypted },
});
const prefixed = (prefix: string | string[]): string =>
  forwardedPrefix(from('10.0.0.1', { 'x-forwarded-prefix': prefix }), trustedProxies(['10.0.0.1']));

describe('trustedProxies', () => {
  const proxies = trustedProxies(['192.0.2.7', '10.0.0.0/8', '2001:db8::1', 'fd00::/8', '::ffff:172.16.0.0/108']);

  it.each([
    '192.0.2.7',
    '10.1.2.3',
    '::ffff:10.1.2.3',
    '::ffff:0a01:0203',
    '::FFFF:192.0.2.7',
    '2001:db8::1',
    '2001:0db8:0:0:0:0:0:1',
    'fd12::9',
    'fd12::9%eth0',
    '172.16.3.4',
  ])('trusts %s', (address) => {
    expect(proxies.trusts(address)).toBe(true);
  });

  it.each([
    '192.0.2.8',
    '11.0.0.1',
    '::ffff:11.0.0.1',
    '2001:db8::2',
    'fe80::1',
    '172.32.0.1',
    '127.0.0.1',
    '::1',
    '',
    'localhost',
    '10.1.2.3:80',
    ' 10.1.2.3',
    undefined,
  ])('does not trust %s', (address) => {
    expect(proxies.trusts(address)).toBe(false);
  });

  it('an empty list trusts nobody, /0 everybody', () => {
    expect(trustedProxies([]).trusts('127.0.0.1')).toBe(false);
    expect(trustedProxies(['0.0.0.0/0']).trusts('203.0.113.9')).toBe(true);
    expect(trustedProxies(['::/0']).trusts('2001:db8::2')).toBe(true);
  });

  it.each([
    '',
    'localhost',
    '10.0.0',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/x',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    ' 10.0.0.1',
    'fe80::1%eth0',
    7,
    null,
    {},
  ])('an entry %j is a TypeError that names it', (entry) => {
    expect(() => trustedProxies(['10.0.0.1', entry as string])).toThrow(
      new TypeError('trustedProxies: `list[1]` must be an address or a CIDR range'),
    );
  });

  it('so is something else than a list', () => {
    expect(() => trustedProxies('10.0.0.1' as never)).toThrow('trustedProxies: `list` must be a list');
  });
});

describe('forwardedPrefix', () => {
  it.each([
    ['/gw', '/gw'],
    ['/gw/', '/gw'],
    ['/team/gw-1', '/team/gw-1'],
    ['/', ''],
    ['', ''],
    ['/caf%C3%A9', '/caf%C3%A9'],
    [`/${'a'.repeat(255)}`, `/${'a'.repeat(255)}`],
  ])('%j gives %j', (sent, prefix) => {
    expect(prefixed(sent)).toBe(prefix);
  });

  it.each([
    '//evil.com',
    '/gw//x',
    '/gw//',
    '/gw/..',
    '/../gw',
    '/a..b',
    '/./gw',
    '/gw"',
    "/gw'",
    '/gw`',
    '/<gw',
    '/gw>',
    '/g w',
    '/gw\t',
    '/gw\n',
    '/gw\0',
    '/gw\x7f',
    '/gw\\x',
    '/%2Fevil.com',
    '/%2e%2e/x',
    '/%22',
    '/%0d%0ax',
    '/%zz',
    '/gw;Domain=evil.com',
    '/gw?x',
    '/gw#x',
    '/é',
    'gw',
    'https://evil.com',
    `/${'a'.repeat(256)}`,
  ])('drops %j', (sent) => {
    expect(prefixed(sent)).toBe('');
  });

  it('drops one that was sent twice', () => {
    expect(prefixed(['/gw', '/other'])).toBe('');
    expect(prefixed('/gw, /other')).toBe('');
    expect(prefixed('/gw,/other')).toBe('');
  });

  it('honours it only from a trusted proxy, over HTTP', async () => {
    let proxies: TrustedProxies | undefined;
    const server = createServer((incoming, outgoing) => outgoing.end(loginUrl({ prefix: forwardedPrefix(incoming, proxies) })));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const loginFor = async (list: string[] | undefined): Promise<string> => {
      proxies = list && trustedProxies(list);
      return (await fetch(`http://127.0.0.1:${port}/`, { headers: { 'X-Forwarded-Prefix': '/gw' } })).text();
    };
    try {
      expect(await loginFor(['127.0.0.0/8'])).toBe('/gw/login');
      expect(await loginFor(['10.0.0.0/8'])).toBe('/login');
      expect(await loginFor([])).toBe('/login');
      expect(await loginFor(undefined)).toBe('/login');
      // What Node makes of a header that came twice.
      proxies = trustedProxies(['127.0.0.1']);
      const answer = await new Promise<string>((resolve, reject) => {
        const asking = request(
          { port, host: '127.0.0.1', headers: { 'X-Forwarded-Prefix': ['/gw', '/evil'] }, agent: false },
          (incoming) => {
            incoming.setEncoding('utf8').once('data', resolve);
          },
        );
        asking.on('error', reject).end();
      });
      expect(answer).toBe('/login');
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('of a Request, the peer is told by option', () => {
    const given = new Request('http://gateway.test/', { headers: { 'X-Forwarded-Prefix': '/gw' } });
    const proxies = trustedProxies(['10.0.0.1']);
    expect(forwardedPrefix(given, proxies, { peer: '10.0.0.1' })).toBe('/gw');
    expect(forwardedPrefix(given, proxies, { peer: '10.0.0.2' })).toBe('');
    expect(forwardedPrefix(given, proxies)).toBe('');
    expect(() => forwardedPrefix(given, proxies, { ip: '10.0.0.1' } as never)).toThrow('forwardedPrefix: unknown option `ip`');
  });

  it('a rule of the user’s own that fails trusts nobody', () => {
    const trusts = (): boolean => {
      throw new Error('no');
    };
    expect(forwardedPrefix(from('10.0.0.1', { 'x-forwarded-prefix': '/gw' }), { trusts })).toBe('');
  });
});

describe('forwardedProto', () => {
  const proxies = trustedProxies(['10.0.0.1']);

  it.each<[string, Parameters<typeof forwardedProto>[0], 'http' | 'https']>([
    ['what a trusted proxy says', from('10.0.0.1', { 'x-forwarded-proto': 'https' }), 'https'],
    ['in any case', from('10.0.0.1', { 'x-forwarded-proto': ' HTTPS ' }), 'https'],
    ['http, though the hop is encrypted', from('10.0.0.1', { 'x-forwarded-proto': 'http' }, true), 'http'],
    ['the last value, which the proxy added', from('10.0.0.1', { 'x-forwarded-proto': 'https, http' }), 'http'],
    ['the connection, when the proxy says nonsense', from('10.0.0.1', { 'x-forwarded-proto': 'gopher' }, true), 'https'],
    ['the connection, for everybody else', from('10.0.0.2', { 'x-forwarded-proto': 'https' }), 'http'],
    ['the connection, encrypted', from('10.0.0.2', { 'x-forwarded-proto': 'http' }, true), 'https'],
    ['the connection, whatever the request line says', { ...from('10.0.0.2'), url: 'https://gateway.test/' }, 'http'],
    ['the URL of a Request', new Request('https://gateway.test/'), 'https'],
    ['the URL of a Request', new Request('http://gateway.test/'), 'http'],
  ])('%s', (_, given, proto) => {
    expect(forwardedProto(given, proxies)).toBe(proto);
  });
});
