import { describe, expect, it } from 'vitest';
import { createGuard, type GuardOptions } from '../../src/guard/guard.js';
import { GuardError } from '../../src/guard/guard-error.js';
import type { BulkListener } from '../../src/guard/planes.js';
import { secretsIn } from '../support/secret-forms.js';
import { AUTH, ask, authorized, guard, inShort, LAN, planesOf, SECRET, token } from './planes-setup.js';

const open = createGuard({ token: { source: 'disabled', credential: undefined, path: undefined } });

describe('where the bulk listener is said to be', () => {
  const saidBy = (host: string, headers: Record<string, string>, tls = false): string =>
    inShort(planesOf({ bulkListener: { tls, host, port: 8512 } }).control(authorized('/bulk/1', headers))).replace('404 ', '');

  it.each([
    ['192.0.2.7', 'http://192.0.2.7:8512'],
    ['fd00::7', 'http://[fd00::7]:8512'],
    ['FD00:0:0:0::7', 'http://[fd00::7]:8512'],
    ['bulk.internal', 'http://bulk.internal:8512'],
    ['my_host', 'http://my_host:8512'],
    ['127.0.0.1', 'http://127.0.0.1:8512'],
  ])('is where it is bound: %s', (host, url) => {
    expect(saidBy(host, { host: 'gw.example:8443' })).toBe(url);
    expect(saidBy(host, { host: 'gw.example:8443' }, true)).toBe(url.replace('http:', 'https:'));
  });

  const wildcards = ['0.0.0.0', '::', '', '0', '0.0', '::0', '0:0:0:0:0:0:0:0', '::ffff:0.0.0.0'];

  it.each(wildcards)('bound to every interface (%j) is the name by which the caller came', (bound) => {
    expect(saidBy(bound, { host: 'gw.example:8443' })).toBe('http://gw.example:8512');
    expect(saidBy(bound, { host: 'GW.Example' })).toBe('http://gw.example:8512');
    expect(saidBy(bound, { host: '192.0.2.9:80' })).toBe('http://192.0.2.9:8512');
    expect(saidBy(bound, { host: '[fd00::9]:8443' })).toBe('http://[fd00::9]:8512');
    expect(saidBy(bound, { ':authority': 'h2.example:8443' }, true)).toBe('https://h2.example:8512');
  });

  it.each([
    '',
    '0.0.0.0',
    '0.0.0.0:8443',
    '[::]:8443',
    '0:8443',
    'user@evil.example',
    'user:password@evil.example:80',
    'evil.example/x',
    'evil.example#',
    'evil.example?x',
    'evil.example\\x',
    'evil.example:80:80',
    'evil.example:x',
    'evil .example',
    'evil.example, gw.example',
    'evil.example\r\nX: y',
    'ev\u00eel.example',
    'ev%69l.example',
    '-evil.example',
    'evil..example',
    '999.1.1.1',
    'fd00::9',
    '[fd00::9',
    '[fe80::1%25eth0]',
    `${'a'.repeat(254)}`,
  ])('is this machine if the caller came under no name at all: %j', (host) => {
    expect(saidBy('0.0.0.0', { host })).toBe('http://127.0.0.1:8512');
    expect(saidBy('::', { host })).toBe('http://[::1]:8512');
  });

  it('is this machine if Host was sent twice, on the wire', async () => {
    const wildcard = planesOf({ bulkListener: { tls: false, host: '0.0.0.0', port: 8512 } });
    const said = async (...lines: string[]): Promise<unknown> =>
      JSON.parse((await ask('control', '/bulk/1', [AUTH, ...lines], wildcard)).body);
    expect(await said('Host: gw.example')).toMatchObject({ bulk_url: 'http://gw.example:8512' });
    expect(await said('Host: gw.example', 'Host: evil.example')).toMatchObject({ bulk_url: 'http://127.0.0.1:8512' });
  });

  it('is never what a proxy, or somebody who plays one, says', () => {
    const forwarded = { host: 'gw.example', 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example', 'x-host': 'evil.example' };
    expect(saidBy('0.0.0.0', forwarded)).toBe('http://gw.example:8512');
  });

  it('changes with the listener', () => {
    const planes = planesOf({ bulkListener: LAN });
    planes.setBulkListener({ tls: true, host: '192.0.2.8', port: 443 });
    expect(inShort(planes.control(authorized('/bulk/1')))).toBe('404 https://192.0.2.8');
    planes.setBulkListener(undefined);
    expect(inShort(planes.control(authorized('/bulk/1')))).toBe('bearer');
  });
});

describe('a token that would travel in cleartext', () => {
  const cleartext = expect.objectContaining({ name: 'GuardError', code: 'CLEARTEXT_CREDENTIAL' });
  const thrownBy = (act: () => unknown): unknown => {
    try {
      return void act();
    } catch (error) {
      return error;
    }
  };

  it.each(['192.0.2.7', '0.0.0.0', '::', '', 'bulk.internal', 'fd00::7'])('is an error at start: bulk listener on %j', (host) => {
    const bulkListener = { tls: false, host, port: 8512 };
    const error = thrownBy(() => planesOf({ bulkGuard: guard, bulkListener }));
    expect(error).toBeInstanceOf(GuardError);
    expect(error).toEqual(cleartext);
    expect(secretsIn(`${(error as Error).stack}`, [SECRET])).toEqual([]);
  });

  it('is an error once the listener is known, which changes nothing', () => {
    const planes = planesOf({ bulkGuard: guard });
    expect(thrownBy(() => planes.setBulkListener(LAN))).toEqual(cleartext);
    expect(inShort(planes.control(authorized('/bulk/1')))).toBe('bearer');
    expect(inShort(planes.bulk(authorized('/bulk/1')))).toBe('404');
  });

  it.each<[string, BulkListener, Partial<GuardOptions> | undefined]>([
    ['with TLS', { ...LAN, tls: true }, { token }],
    ['on 127.0.0.1', { ...LAN, host: '127.0.0.1' }, { token }],
    ['on ::1', { ...LAN, host: '::1' }, { token }],
    ['on localhost', { ...LAN, host: 'localhost' }, { token }],
    ['without a guard', LAN, undefined],
  ])('there is none %s', (_, bulkListener, options) => {
    expect(() => planesOf({ bulkListener, ...(options && { bulkGuard: createGuard({ token, ...options }) }) })).not.toThrow();
  });

  it('there is none where the guard asks for no token', () => {
    expect(inShort(planesOf({ bulkGuard: open, bulkListener: LAN }).bulk({ headers: {}, url: '/bulk/1' }))).toBe('disabled');
  });
});
