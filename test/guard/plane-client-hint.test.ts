import { createServer as createSecureServer } from 'node:https';
import { Agent, fetch as undiciFetch } from 'undici';
import { describe, expect, it, vi } from 'vitest';
import { createPlaneClient, type PlaneFetch } from '../../src/guard/plane-client.js';
import { createAuthority } from '../support/certificates.js';
import { isBulk, pair, SECRET, serve, text, token, urls } from './plane-pair.js';

describe('the hint', () => {
  it('is an origin: what follows it is not used', async () => {
    const { bulk, client } = await pair((url) => ({ 'X-Bulk-Url': `${url}/elsewhere/?x#y` }));
    expect(await text(client().fetch('/bulk/1'))).toBe('bulk');
    expect(urls(bulk)).toEqual(['GET /bulk/1']);
  });

  it.each<[string, (url: string) => string | string[]]>([
    ['user info', (url) => url.replace('://', '://user:password@')],
    ['a password', (url) => url.replace('://', '://:password@')],
    ['a user', (url) => url.replace('://', '://user@')],
    ['another scheme', (url) => url.replace('http:', 'ftp:')],
    ['a socket', (url) => url.replace('http:', 'ws:')],
    ['no scheme', (url) => url.replace('http:', '')],
    ['a file', () => 'file:///etc/passwd'],
    ['data', () => 'data:text/plain,x'],
    ['a script', () => 'javascript:1'],
    ['no host', () => 'http://'],
    ['nothing', () => ''],
    ['a text', () => 'bulk'],
    ['two of them', (url) => [url, url]],
    ['two in one', (url) => `${url}/,${url}`],
  ])('with %s is none', async (_, hint) => {
    const { bulk, control, client } = await pair((url) => ({ 'X-Bulk-Url': hint(url) }));
    const planes = client();
    for (const path of ['/bulk/1', '/bulk/2']) expect(await text(planes.fetch(path))).toBe('not here');
    expect([urls(control), bulk.seen]).toEqual([['GET /bulk/1', 'GET /bulk/2'], []]);
  });

  it('that is the control origin itself is none', async () => {
    const fixture = await pair();
    fixture.named.hint = { 'X-Bulk-Url': fixture.control.url };
    expect((await fixture.client().fetch('/bulk/1')).status).toBe(404);
    expect(fixture.control.seen.length).toBe(1);
  });

  it('counts on a 404 of a bulk path only, and nothing a bulk server says counts', async () => {
    const elsewhere = await serve((_, response) => response.end('elsewhere'));
    const bulk = await serve((_, response) => response.writeHead(404, { 'X-Bulk-Url': elsewhere.url }).end('gone'));
    const control = await serve((request, response) => {
      const status = Number(/\d{3}/.exec(request.url ?? '')?.[0] ?? 404);
      response.writeHead(status, { 'X-Bulk-Url': status === 404 ? bulk.url : elsewhere.url }).end('control');
    });
    const planes = createPlaneClient({ url: control.url, token, isBulk });
    for (const status of [200, 401, 403, 410, 500, 503]) {
      const answer = await planes.fetch(`/bulk/${status}`);
      expect([answer.status, await answer.text()]).toEqual([status, 'control']);
    }
    expect((await planes.fetch('/other')).status).toBe(404);
    for (const path of ['/bulk/x', '/bulk/y']) expect(await text(planes.fetch(path))).toBe('gone');
    expect(control.seen.length).toBe(8);
    expect(elsewhere.seen).toEqual([]);
  });

  it('is forgotten at each registration, and read again', async () => {
    const first = await pair();
    const second = await serve((_, response) => response.end('second'));
    let registered: Record<string, string> = { 'X-Bulk-Url': first.bulk.url };
    let status = 200;
    const control = await serve((request, response) => {
      if (request.url === '/register') response.writeHead(status, registered).end();
      else response.writeHead(200).end('control');
    });
    const planes = createPlaneClient({ url: control.url, token, isBulk });
    const fetched = async (): Promise<string> => {
      await planes.register('/register', { method: 'POST' });
      return text(planes.fetch('/bulk/1'));
    };
    expect(await text(planes.fetch('/bulk/1'))).toBe('control');
    expect(await fetched()).toBe('bulk');
    registered = { 'X-Bulk-Url': second.url };
    expect(await fetched()).toBe('second');
    registered = {};
    expect(await fetched()).toBe('control');
    registered = { 'X-Bulk-Url': second.url };
    expect(await fetched()).toBe('second');
    status = 503;
    expect(await fetched()).toBe('control');
  });

  it('of a registration that another one has overtaken does not count', async () => {
    const { bulk } = await pair();
    const second = await serve((_, response) => response.end('second'));
    const waiting: (() => void)[] = [];
    const control = await serve((request, response, count) => {
      const hint = { 'X-Bulk-Url': count === 1 ? bulk.url : second.url };
      if (request.url !== '/register') return void response.end('control');
      if (count > 1) return void response.writeHead(200, hint).end();
      waiting.push(() => response.writeHead(200, hint).end());
    });
    const planes = createPlaneClient({ url: control.url, token, isBulk });
    const overtaken = planes.register('/register');
    await vi.waitFor(() => expect(waiting.length).toBe(1), { interval: 5 });
    await planes.register('/register');
    waiting[0]?.();
    await overtaken;
    expect(await text(planes.fetch('/bulk/1'))).toBe('second');
  });

  it('of a call that was on its way when the client registered serves that call and is not kept', async () => {
    const { bulk } = await pair();
    const waiting: (() => void)[] = [];
    const control = await serve((request, response) => {
      if (request.url !== '/bulk/early') return void response.end('control');
      waiting.push(() => response.writeHead(404, { 'X-Bulk-Url': bulk.url }).end());
    });
    const planes = createPlaneClient({ url: control.url, token, isBulk });
    const early = text(planes.fetch('/bulk/early'));
    await vi.waitFor(() => expect(waiting.length).toBe(1), { interval: 5 });
    await planes.register('/register');
    waiting[0]?.();
    expect(await early).toBe('bulk');
    expect(await text(planes.fetch('/bulk/late'))).toBe('control');
  });

  it('may lead from a control plane with TLS to a bulk listener without, where no credential goes', async () => {
    const authority = await createAuthority();
    const bulk = await serve((_, response) => response.end('bulk'));
    const control = await serve(
      (_, response) => response.writeHead(404, { 'X-Bulk-Url': bulk.url }).end(),
      createSecureServer(await authority.issue('localhost')) as never,
    );
    const agent = new Agent({ connect: { ca: authority.cert } });
    const trusting = ((url: string, init: object) => undiciFetch(url, { ...init, dispatcher: agent })) as unknown as PlaneFetch;
    const planes = createPlaneClient({
      url: control.url,
      token,
      isBulk,
      fetchFor: (origin) => (origin === control.url ? trusting : fetch),
    });
    try {
      expect(await text(planes.fetch('/bulk/1'))).toBe('bulk');
      expect(control.seen[0]?.authorization).toBe(`Bearer ${SECRET}`);
      expect(bulk.seen[0]?.authorization).toBeUndefined();
    } finally {
      await agent.close();
    }
  });
});
