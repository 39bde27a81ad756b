import { describe, expect, it, vi } from 'vitest';
import { createGuard } from '../../src/guard/guard.js';
import type { GuardedRequest } from '../../src/guard/request.js';
import { AUTH, ask, authorized, guard, inShort, LAN, planesOf, rules, SECRET, token } from './planes-setup.js';

describe('the control plane', () => {
  it('serves control paths to those who are let in', async () => {
    const reply = await ask('control', '/status?x=1', [AUTH], planesOf());
    expect([reply.status, JSON.parse(reply.body)]).toEqual([200, { ok: true, path: '/status', by: 'bearer' }]);
  });

  it('first: a path of neither is a 404, for whoever asks', async () => {
    for (const lines of [[], [AUTH]]) {
      const reply = await ask('control', '/nothing', lines, planesOf({ bulkListener: LAN }));
      expect([reply.status, reply.body]).toEqual([404, '{"error":"not_found"}']);
      expect(reply.head).toContain('Cache-Control: no-store');
      expect(reply.head).not.toMatch(/x-bulk-url|www-authenticate/i);
    }
  });

  it('second: who is not let in gets a 401, and no hint', async () => {
    for (const lines of [[], [`${AUTH}x`], ['Authorization: Basic eDp5'], [AUTH, AUTH]]) {
      for (const target of ['/status', '/bulk/1']) {
        const reply = await ask('control', target, lines, planesOf({ bulkListener: LAN }));
        expect([reply.status, reply.body]).toEqual([401, '{"error":"unauthorized","realm":"latchkey"}']);
        expect(reply.head).not.toMatch(/bulk|8512/i);
      }
    }
  });

  it('third: a bulk path is a 404 that says where the bulk listener is', async () => {
    const reply = await ask('control', '/bulk/1?x', [AUTH], planesOf({ bulkListener: LAN }), 'POST');
    expect([reply.status, reply.body]).toEqual([404, '{"error":"served_by_bulk_listener","bulk_url":"http://192.0.2.7:8512"}']);
    expect(reply.head.split('\r\n')).toContain('X-Bulk-Url: http://192.0.2.7:8512');
    expect(reply.head).toContain('Cache-Control: no-store');
  });

  it('without a bulk listener serves bulk paths itself', async () => {
    expect((await ask('control', '/bulk/1', [AUTH], planesOf())).status).toBe(200);
    expect((await ask('control', '/bulk/1', [], planesOf())).status).toBe(401);
  });

  it('tells a client that registers where the bulk listener is', () => {
    expect(planesOf({ bulkListener: LAN }).control(authorized('/v1/register'))).toMatchObject({
      ok: true,
      bulkUrl: 'http://192.0.2.7:8512',
    });
    expect(planesOf().control(authorized('/v1/register'))).toMatchObject({ ok: true, bulkUrl: undefined });
  });

  it('gives no hint to those who ask for the health path, who are nobody, not even if that is a bulk path', () => {
    const asking = { method: 'GET', url: '/health', headers: {} };
    for (const bulk of [rules.bulk, () => true]) {
      for (const control of [rules.control, (path: string) => path === '/status']) {
        const decision = planesOf({ control, bulk, bulkListener: LAN }).control(asking);
        expect(JSON.stringify(decision)).not.toContain('8512');
      }
    }
    expect(planesOf({ bulkListener: LAN }).control(asking)).toEqual({ ok: true, path: '/health', by: 'health' });
  });

  it.each([
    '//status',
    '/%73tatus',
    '/status/',
    '/./status',
    '/x/../status',
    '/Status',
    '/status;x',
    'http://127.0.0.1/status',
    '/%62ulk/1',
  ])('reads paths as they were sent: %s is another', async (target) => {
    for (const lines of [[], [AUTH]]) expect((await ask('control', target, lines, planesOf({ bulkListener: LAN }))).status).toBe(404);
  });

  it.each([
    '/bulk/../status',
    '/bulk/..',
    '/bulk/./1',
    '/bulk/.',
    '/bulk/%2e%2e/status',
    '/bulk/%2E./status',
    '/bulk/.%2e',
    '/bulk/%2e/1',
    '/bulk/..%2Fstatus',
    '/bulk%2f../status',
    '/bulk/..\\status',
    '/bulk/\\x',
    '/bulk/..%5cstatus',
    '/bulk/x%5C1',
    '//evil.example/status',
    '/status#/bulk/',
  ])('a path that routes may read otherwise is a 404 on both planes, and no rule is asked: %s', async (target) => {
    const rule = vi.fn(() => true);
    const no = vi.fn(() => false);
    for (const listeners of [{ bulkListener: LAN }, {}]) {
      const control = planesOf({ control: rule, bulk: rule, ...listeners });
      const bulk = planesOf({ control: no, bulk: rule, ...listeners });
      expect(await ask('control', target, [AUTH], control)).toMatchObject({ status: 404, body: '{"error":"not_found"}' });
      expect(await ask('bulk', target, [AUTH], bulk)).toMatchObject({ status: 404, body: '{"error":"not_found"}' });
    }
    expect([rule.mock.calls, no.mock.calls]).toEqual([[], []]);
  });

  it.each([
    '/bulk/...',
    '/bulk/.x',
    '/bulk/x.',
    '/bulk/..x',
    '/bulk/%2e%2ex',
    '/bulk/a..b/c',
    '/bulk/a%2fb',
    '/bulk/%5d',
    '/bulk/a//b',
    '/bulk/1?x=../y\\',
  ])('dots that are no segments make no difference: %s', async (target) => {
    expect((await ask('bulk', target, [], planesOf({ bulkListener: LAN }))).status).toBe(200);
  });

  it('has no path for what is none', async () => {
    const all = planesOf({ control: () => true });
    expect((await ask('control', '*', [AUTH], all, 'OPTIONS')).status).toBe(404);
    for (const request of [{ headers: {} }, { headers: {}, url: '' }, undefined, null]) {
      expect(inShort(all.control(request as GuardedRequest))).toBe('404');
    }
  });

  it('serves `Request`s too', () => {
    const headers = { Authorization: `Bearer ${SECRET}` };
    expect(inShort(planesOf().control(new Request('https://gw.example/status?x', { headers })))).toBe('bearer');
    expect(planesOf({ control: () => true }).control(authorized('https://gw.example'))).toMatchObject({ ok: true, path: '/' });
    const wildcard = planesOf({ bulkListener: { ...LAN, host: '' } });
    expect(inShort(wildcard.control(new Request('https://gw.example:8443/bulk/1', { headers })))).toBe('404 http://gw.example:8512');
  });
});

describe('the bulk plane', () => {
  it('serves bulk paths and nothing else', async () => {
    const planes = planesOf({ bulkListener: LAN });
    const reply = await ask('bulk', '/bulk/1?x', [], planes);
    expect([reply.status, JSON.parse(reply.body)]).toEqual([200, { ok: true, path: '/bulk/1', by: 'unguarded' }]);
    for (const target of ['/status', '/v1/x', '/health', '/nothing', '//bulk/1', '/%62ulk/1']) {
      for (const lines of [[], [AUTH]]) expect((await ask('bulk', target, lines, planes)).status).toBe(404);
    }
  });

  it('then asks its guard, if it has one', async () => {
    const planes = planesOf({ bulkGuard: createGuard({ token, realm: 'bulk' }), bulkListener: { ...LAN, tls: true } });
    expect((await ask('bulk', '/bulk/1', [], planes)).body).toBe('{"error":"unauthorized","realm":"bulk"}');
    expect((await ask('bulk', '/bulk/1', [AUTH], planes)).status).toBe(200);
    expect((await ask('bulk', '/status', [], planes)).status).toBe(404);
  });

  it('serves nothing as long as there is no bulk listener: nobody could tell whether it is cleartext', () => {
    const planes = planesOf({ bulkGuard: guard });
    expect(inShort(planes.bulk(authorized('/bulk/1')))).toBe('404');
    planes.setBulkListener({ ...LAN, tls: true });
    expect(inShort(planes.bulk(authorized('/bulk/1')))).toBe('bearer');
  });

  it('never serves a path that is a control path too; the control plane does, in any case', () => {
    const planes = planesOf({ bulk: () => true, bulkListener: LAN });
    expect(inShort(planes.bulk(authorized('/status')))).toBe('404');
    expect(inShort(planes.control(authorized('/status')))).toBe('bearer');
  });
});

describe("the user's rules", () => {
  const failing = vi.fn((): boolean => {
    throw new Error('no');
  });
  const promising = (async () => {
    throw new Error('no');
  }) as never;
  const truthy = (() => 'yes') as never;

  it.each([failing, promising, truthy])('say no if they fail or answer something else (%#)', async (rule) => {
    const planes = planesOf({ control: rule, bulk: rule, bulkListener: LAN });
    for (const url of ['/status', '/bulk/1']) {
      expect(inShort(planes.control(authorized(url)))).toBe('404');
      expect(inShort(planes.bulk(authorized(url)))).toBe('404');
    }
  });

  it.each([failing, promising, truthy])('a control rule that fails makes no bulk path of a control path (%#)', (rule) => {
    const planes = planesOf({ control: rule, bulk: () => true, bulkListener: LAN });
    expect(inShort(planes.bulk({ headers: {}, url: '/status' }))).toBe('404');
  });
});

describe('createPlanes', () => {
  const listener = (changes: object): object => ({ bulkListener: { ...LAN, ...changes } });

  it.each<[RegExp, object]>([
    [/unknown option `paths`/, { paths: [] }],
    [/`guard` must be what createGuard gives/, { guard: undefined }],
    [/`guard` must be what createGuard gives/, { guard: token }],
    [/`bulkGuard` must be what createGuard gives/, { bulkGuard: {} }],
    [/`control` must be a function/, { control: ['/status'] }],
    [/`bulk` must be a function/, { bulk: undefined }],
    [/`bulkListener` must be an object/, { bulkListener: null }],
    [/`bulkListener`: unknown option `path`/, listener({ path: '/run/x' })],
    [/`bulkListener.tls` must be true or false/, listener({ tls: undefined })],
    [/`bulkListener.port` must be the port that it listens on, 1 to 65535/, listener({ port: 0 })],
    [/`bulkListener.port` must be/, listener({ port: 65_536 })],
    [/`bulkListener.port` must be/, listener({ port: '8512' })],
    [/`bulkListener.host` must be a host name or an address, without a port/, listener({ host: undefined })],
    [/`bulkListener.host` must be/, listener({ host: 'bulk.internal:8512' })],
    [/`bulkListener.host` must be/, listener({ host: 'http://bulk.internal' })],
    [/`bulkListener.host` must be/, listener({ host: 'fe80::1%eth0' })],
  ])('says %s', (message, options) => {
    expect(() => planesOf(options)).toThrow(TypeError);
    expect(() => planesOf(options)).toThrow(/^createPlanes: /);
    expect(() => planesOf(options)).toThrow(message);
  });

  it('setBulkListener says its own name', () => {
    expect(() => planesOf().setBulkListener({ ...LAN, port: 0 })).toThrow(/^setBulkListener: `bulkListener.port` must be/);
  });
});
