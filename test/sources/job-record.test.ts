import { describe, expect, it } from 'vitest';
import { type JobRecord, matchesRecord } from '../../src/sources/job-record.js';

const record = (over: Partial<JobRecord> = {}): JobRecord => ({
  state: 'running',
  scheme: 'http',
  port: 8080,
  bindHost: '127.0.0.1',
  ...over,
});

describe('matchesRecord', () => {
  it.each<[string, Partial<JobRecord>, string]>([
    ['its own address', {}, 'http://127.0.0.1:8080/v1?x=1'],
    ['another name of loopback', {}, 'http://LOCALHOST:8080'],
    ['loopback in IPv6', {}, 'http://[::1]:8080'],
    ['another spelling of loopback', {}, 'http://[0:0:0:0:0:0:0:1]:8080'],
    ['an IPv4-mapped loopback', {}, 'http://[::ffff:127.0.0.1]:8080'],
    ['loopback written as a number', {}, 'http://2130706433:8080'],
    ['loopback and a bind by name', { bindHost: 'LocalHost' }, 'http://127.0.0.1:8080'],
    ['loopback and a bind in brackets', { bindHost: '[::1]' }, 'http://localhost:8080'],
    ['loopback and a bind in another spelling', { bindHost: '0:0::1' }, 'http://localhost:8080'],
    ['loopback and a bind everywhere', { bindHost: '0.0.0.0' }, 'http://127.0.0.1:8080'],
    ['loopback and a bind everywhere in IPv6', { bindHost: '::' }, 'http://[::1]:8080'],
    ['loopback and a bind everywhere in brackets', { bindHost: '[0::0]' }, 'http://localhost:8080'],
    ['its routable name', { bindHost: '0.0.0.0', routableHost: 'Box.Example' }, 'http://box.example:8080'],
    ['its routable name with a dot at its end', { bindHost: '0.0.0.0', routableHost: 'box.example' }, 'http://box.example.:8080'],
    ['its routable name in Unicode', { bindHost: '0.0.0.0', routableHost: 'bücher.example' }, 'http://xn--bcher-kva.example:8080'],
    ['its routable address', { bindHost: '0.0.0.0', routableHost: '2001:DB8::0:1' }, 'http://[2001:db8::1]:8080'],
    ['the address it listens on', { bindHost: '10.0.0.5' }, 'http://10.0.0.5:8080'],
    ['the IPv6 address it listens on', { bindHost: '[FD00::1]' }, 'http://[fd00:0::1]:8080'],
    ['a default port', { port: 80 }, 'http://127.0.0.1/'],
    ['a default port of https, written out', { port: 443, scheme: 'https' }, 'https://127.0.0.1:443/'],
    ['a URL in capitals', {}, 'HTTP://127.0.0.1:8080'],
  ])('%s', (_, over, url) => {
    expect(matchesRecord(record(over), url)).toBe(true);
    expect(matchesRecord(record(over), new URL(url))).toBe(true);
  });

  it.each<[string, Partial<JobRecord>, string]>([
    ['one that is stopped', { state: 'stopped' }, 'http://127.0.0.1:8080'],
    ['one that is starting', { state: 'Running' }, 'http://127.0.0.1:8080'],
    ['another port', {}, 'http://127.0.0.1:8081'],
    ['a longer port', {}, 'http://127.0.0.1:18080'],
    ['a default port that is not its', {}, 'http://127.0.0.1/'],
    ['the default port of the other scheme', { port: 80 }, 'https://127.0.0.1/'],
    ['another scheme', {}, 'https://127.0.0.1:8080'],
    ['another scheme of the same port', { scheme: 'https', port: 443 }, 'http://127.0.0.1:443'],
    ['a scheme of something else', { scheme: 'ftp' as never, port: 21 }, 'gopher://127.0.0.1:21'],
    ['a port that is a text', { port: '8080' as never }, 'http://127.0.0.1:8080'],
    ['another host', {}, 'http://10.0.0.5:8080'],
    ['another host, and a bind everywhere', { bindHost: '0.0.0.0' }, 'http://10.0.0.5:8080'],
    ['loopback, and a bind to the network', { bindHost: '10.0.0.5' }, 'http://127.0.0.1:8080'],
    ['a name that begins like loopback', {}, 'http://localhost.example:8080'],
    ['a name that begins like its own', { routableHost: 'box' }, 'http://box.example:8080'],
    ['a bind with more than a host', { bindHost: 'box.example/x' }, 'http://box.example:8080'],
    ['a routable host with a user', { routableHost: 'a@box.example' }, 'http://box.example:8080'],
    ['a routable host with a port', { routableHost: 'box.example:8080' }, 'http://box.example:8080'],
    ['no bind at all', { bindHost: undefined as never }, 'http://127.0.0.1:8080'],
    ['an empty bind', { bindHost: '' }, 'http://127.0.0.1:8080'],
  ])('not %s', (_, over, url) => {
    expect(matchesRecord(record(over), url)).toBe(false);
  });

  it('names what is none', () => {
    expect(() => matchesRecord(null as never, 'http://h')).toThrow(new TypeError('matchesRecord: `record` must be an object'));
    expect(() => matchesRecord(record(), '//h')).toThrow(new TypeError('matchesRecord: `url` must be a URL'));
  });
});
