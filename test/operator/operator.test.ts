import { afterEach, describe, expect, it } from 'vitest';
import { createGuard } from '../../src/guard/guard.js';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions } from '../../src/index.js';
import { createOperator } from '../../src/operator/operator.js';
import type { OperatorOptions, OperatorResponse } from '../../src/operator/options.js';
import { secretsIn } from '../support/secret-forms.js';
import { AUTHORIZED, makeOperator, postJson, type Reply, type Served, serveOperator, TOKEN } from './mounted.js';

const SECRETS = ['sk-session-secret-one', 'sk-session-secret-two'];

describe('an operator handler, over HTTP', () => {
  const servers: Served[] = [];
  const served = async (options: Partial<OperatorOptions> = {}, latchkey: Latchkey | LatchkeyOptions = {}): Promise<Served> => {
    const server = await serveOperator(makeOperator(options, latchkey));
    servers.push(server);
    return server;
  };
  const withSessions = async (options: Partial<OperatorOptions> = {}): Promise<Served> => {
    const server = await served(options);
    server.latchkey.capture({ session: 'ada', provider: 'github' }, bearer(SECRETS[0]!));
    server.latchkey.capture({ session: 'bob', provider: 'github' }, bearer(SECRETS[1]!)).settle({ status: 401 });
    return server;
  };

  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });

  it('tells anybody that it lives, and nothing else', async () => {
    const { ask } = await withSessions();
    expect(await ask('/health')).toMatchObject({ status: 200, body: '{"ok":true}' });
    expect(await ask('/health?verbose=1')).toMatchObject({ status: 200, body: '{"ok":true}' });
  });

  it.each([
    '//status',
    '/%73tatus',
    '/health/../status',
    '/status/',
    '/Status',
    '/status;a=b',
    '/./status',
    '/status#x',
    '/constructor',
    '/__proto__',
    '/nothing',
    '//health',
    '/health/',
    'http://127.0.0.1/status',
  ])('takes %s for another path, which is not there, token or no token', async (path) => {
    const { ask } = await withSessions();
    for (const headers of [{}, AUTHORIZED]) {
      expect(await ask(path, { headers })).toMatchObject({ status: 404, body: '{"error":"not found"}' });
    }
  });

  it.each([
    ['/', 'GET, HEAD'],
    ['/health', 'GET, HEAD'],
    ['/status', 'GET, HEAD'],
    ['/explain', 'GET, HEAD'],
    ['/events', 'GET, HEAD'],
    ['/metrics', 'GET, HEAD'],
    ['/login', 'GET, HEAD, POST'],
    ['/logout', 'POST'],
    ['/evict', 'POST'],
    ['/forgive', 'POST'],
  ])('answers wrong methods of %s with what is allowed: %s', async (path, allow) => {
    const { ask } = await served();
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND']) {
      // A stream does not end by itself.
      if (path === '/events' && method === 'GET') continue;
      const { status, headers } = await ask(path, { method, headers: AUTHORIZED });
      if (allow.split(', ').includes(method)) expect(status).not.toBe(405);
      else expect({ method, status, allow: headers.allow }).toEqual({ method, status: 405, allow });
    }
  });

  it('answers HEAD as GET, without the body', async () => {
    const { ask } = await withSessions();
    for (const path of ['/health', '/status', '/metrics', '/explain?session=ada', '/', '/login', '/events']) {
      const headers = { ...AUTHORIZED, accept: 'text/html' };
      const head = await ask(path, { method: 'HEAD', headers });
      expect({ path, status: head.status, body: head.body }).toEqual({ path, status: 200, body: '' });
      if (path === '/status' || path === '/events') continue;
      const get = await ask(path, { headers });
      expect(head.headers['content-length']).toBe(get.headers['content-length']);
      expect(head.headers['content-type']).toBe(get.headers['content-type']);
    }
  });

  it('tells the snapshot and the stats', async () => {
    const { ask, latchkey } = await withSessions();
    const { status, headers, body } = await ask('/status', { headers: AUTHORIZED });
    const { at, ...told } = JSON.parse(body);
    const { at: _now, ...known } = latchkey.snapshot();
    expect({ status, type: headers['content-type'] }).toEqual({ status: 200, type: 'application/json' });
    expect(at).toBeTypeOf('number');
    expect(told).toEqual(JSON.parse(JSON.stringify({ ...known, stats: latchkey.stats() })));
    expect(told.stats.sessions).toBe(2);
  });

  it('explains a scope, as data and in words', async () => {
    const { ask, latchkey } = await withSessions();
    const { status, body } = await ask('/explain?session=bob&provider=github', { headers: AUTHORIZED });
    const explanation = latchkey.explain({ session: 'bob', provider: 'github' });
    expect(status).toBe(200);
    const known = latchkey.status({ session: 'bob', provider: 'github' });
    expect(JSON.parse(body)).toEqual({ ...JSON.parse(JSON.stringify({ ...explanation, status: known })), text: String(explanation) });
    expect(JSON.parse(body).status).toMatchObject({ state: 'blocked', reason: 'rejected' });
    expect(JSON.parse(body).candidates.length).toBeGreaterThan(0);
  });

  it.each([
    ['session=', '`session` must be given once, and not be empty'],
    ['session=a&session=b', '`session` must be given once, and not be empty'],
    ['user=sk-somebodys-secret', 'unknown parameter `user`'],
    [`${'x'.repeat(100)}=1`, `unknown parameter \`${'x'.repeat(64)}…\``],
    ['se%0d%0assion=a', 'unknown parameter `se??ssion`'],
  ])('explains nothing for ?%s', async (query, error) => {
    const { ask } = await withSessions();
    const { status, body } = await ask(`/explain?${query}`, { headers: AUTHORIZED });
    expect({ status, error: JSON.parse(body).error }).toEqual({ status: 400, error });
  });

  it('passes on what the Latchkey says of a scope that it does not take', async () => {
    const { ask, audit } = await served({}, { tenancy: 'multi' });
    const error = "scope: `tenant` is required with `tenancy: 'multi'`";
    for (const answer of [
      await ask('/explain?session=ada', { headers: AUTHORIZED }),
      await ask('/evict', postJson({ session: 'ada' })),
      await ask('/forgive', postJson({ scope: { session: 'ada' } })),
    ]) {
      expect({ status: answer.status, error: JSON.parse(answer.body).error }).toEqual({ status: 400, error });
    }
    expect(audit).toEqual([]);
  });

  it('asks the store before it explains, and explains all the same if that fails', async () => {
    const latchkey = createLatchkey();
    const steps: string[] = [];
    const watched: Latchkey = {
      ...latchkey,
      load: async (scopes) => {
        steps.push(`load ${JSON.stringify(scopes)}`);
        throw new Error('the store is down');
      },
    };
    const { ask, errors } = await served({}, watched);
    expect((await ask('/explain?session=ada&tenant=t', { headers: AUTHORIZED })).status).toBe(200);
    expect(steps).toEqual(['load [{"session":"ada","tenant":"t"}]']);
    expect(errors).toHaveLength(1);
  });

  it('serves metrics', async () => {
    const { ask } = await withSessions();
    const { status, headers, body } = await ask('/metrics', { headers: AUTHORIZED });
    expect({ status, type: headers['content-type'] }).toEqual({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8' });
    expect(body).toMatch(/^latchkey_sessions 2$/m);
  });

  it('serves the page to those who are let in, named, with a policy and without a frame', async () => {
    const { ask } = await withSessions();
    const { status, headers, body } = await ask('/', { headers: AUTHORIZED });
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'referrer-policy': 'same-origin',
      'x-frame-options': 'DENY',
    });
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(body).toContain('let in by token');
  });

  it('lets no answer be kept, sniffed or read for a secret', async () => {
    const { ask } = await withSessions();
    const answers: Reply[] = [];
    for (const headers of [{}, AUTHORIZED, { authorization: `Bearer ${TOKEN}x` }]) {
      for (const path of ['/', '/health', '/status', '/explain?session=bob', '/metrics', '/login', '/nothing', '/evict']) {
        answers.push(await ask(path, { headers }));
      }
      answers.push(await ask('/evict', postJson({ session: 'nobody' }, headers)), await ask('/evict', postJson([], headers)));
    }
    for (const { headers, body } of answers) {
      expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
      expect(secretsIn(JSON.stringify(headers) + body, [...SECRETS, TOKEN])).toEqual([]);
    }
  });

  it('says nothing of an error that is not its own', async () => {
    const failure = new TypeError(`ENOENT /srv/secret/file ${SECRETS[0]}`);
    const latchkey: Latchkey = {
      ...createLatchkey(),
      snapshot: () => {
        throw failure;
      },
    };
    const { ask, errors } = await served({}, latchkey);
    expect(await ask('/status', { headers: AUTHORIZED })).toMatchObject({ status: 500, body: '{"error":"internal error"}' });
    expect(errors).toEqual([failure]);
    expect((await ask('/health')).status).toBe(200);
  });

  it('survives an `onError` that throws', async () => {
    const latchkey: Latchkey = {
      ...createLatchkey(),
      snapshot: () => {
        throw new Error('no');
      },
    };
    const throwing = (): never => {
      throw new Error('nor here');
    };
    for (const onError of [throwing, () => Promise.reject(new Error('nor here'))]) {
      const { ask } = await served({ onError }, latchkey);
      expect((await ask('/status', { headers: AUTHORIZED })).status).toBe(500);
    }
  });

  it('never rejects, whatever it is handed', async () => {
    const { operator, errors } = makeOperator();
    const response = {} as never;
    await expect(operator.handle(null as never, response)).resolves.toBeUndefined();
    await expect(operator.handle({} as never, null as never)).resolves.toBeUndefined();
    expect((await operator.fetch(null as never)).status).toBe(500);
    expect(errors).toHaveLength(3);
    operator.close();
  });

  it('takes no property of an object for a path', async () => {
    const { operator } = makeOperator();
    const statuses: number[] = [];
    const response: OperatorResponse = { headersSent: false, writeHead: (status) => statuses.push(status), write() {}, end() {}, on() {} };
    for (const url of ['constructor', '__proto__', 'toString']) await operator.handle({ method: 'GET', url, headers: {} }, response);
    expect(statuses).toEqual([404, 404, 404]);
    operator.close();
  });

  describe('below a base path', () => {
    it('leads from the path without its slash to the one with it, and nowhere else', async () => {
      const { ask } = await served({ basePath: '/gw/operator' });
      for (const method of ['GET', 'HEAD']) {
        const { status, headers } = await ask('/gw/operator?next=//evil.example', { method });
        expect({ status, location: headers.location }).toEqual({ status: 308, location: './operator/' });
      }
      expect((await ask('/gw/operator', { method: 'POST' })).status).toBe(404);
      for (const path of [
        '//gw/operator',
        '/gw//operator',
        '/gw/operator//evil.example',
        '/operator',
        '/status',
        '/',
        '/gw/operators/status',
      ]) {
        expect(await ask(path, { headers: AUTHORIZED })).toMatchObject({
          status: 404,
          headers: expect.not.objectContaining({ location: expect.anything() }),
        });
      }
    });

    it('serves everything there', async () => {
      const { ask } = await served({ basePath: '/operator/' });
      expect((await ask('/operator/health')).status).toBe(200);
      expect((await ask('/operator/status', { headers: AUTHORIZED })).status).toBe(200);
      expect((await ask('/operator/', { headers: AUTHORIZED })).status).toBe(200);
      expect((await ask('/operator/operator/status', { headers: AUTHORIZED })).status).toBe(404);
    });
  });
});

describe('createOperator', () => {
  const latchkey = createLatchkey();
  const guard = createGuard({ token: bearer(TOKEN) });
  const audit = { record: () => true };
  const disabled = createGuard({ token: { source: 'disabled', credential: undefined, path: undefined } });

  it.each<[of: unknown, options: unknown, message: string]>([
    [undefined, { guard, audit }, '`latchkey` must come from createLatchkey()'],
    [{}, { guard, audit }, '`latchkey` must come from createLatchkey()'],
    [latchkey, undefined, '`options` must be an object'],
    [latchkey, { guard, audit, path: '/x' }, 'unknown option `path`'],
    [latchkey, { audit }, '`guard` or `authorize` must be given: it is not mounted unguarded'],
    [latchkey, { guard, authorize: () => true, audit }, '`guard` and `authorize` must not both be given: one of them decides'],
    [latchkey, { guard: disabled, audit }, '`guard` must ask for a token, and its own is disabled: it is not mounted unguarded'],
    [latchkey, { guard: {}, audit }, '`guard` must be what createGuard() gives'],
    [latchkey, { guard: null, audit }, '`guard` must be what createGuard() gives'],
    [latchkey, { authorize: true, audit }, '`authorize` must be a function'],
    [latchkey, { guard }, '`audit` must be what openAuditLog() gives, or have a function `record`'],
    [latchkey, { guard, audit: {} }, '`audit` must be what openAuditLog() gives, or have a function `record`'],
    [latchkey, { guard, audit, basePath: 'operator' }, "`basePath` must be a path such as '/gw'"],
    [latchkey, { guard, audit, basePath: '//evil.example' }, "`basePath` must be a path such as '/gw'"],
    [latchkey, { guard, audit, https: 'yes' }, '`https` must be true or false'],
    [latchkey, { guard, audit, onError: 1 }, '`onError` must be a function'],
  ])('refuses: $2', (of, options, message) => {
    expect(() => createOperator(of as Latchkey, options as OperatorOptions)).toThrow(new TypeError(`createOperator: ${message}`));
  });
});
