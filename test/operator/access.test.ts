import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createGuard } from '../../src/guard/guard.js';
import { bearer } from '../../src/index.js';
import type { OperatorOptions } from '../../src/operator/options.js';
import { type Authority, createAuthority, type IssuedCertificate, selfSigned } from '../support/certificates.js';
import { freezeTime } from '../support/clock.js';
import { AUTHORIZED, COOKIE, makeOperator, postForm, postJson, type Served, serveOperator, TOKEN } from './mounted.js';

describe('access with a guard', () => {
  const servers: Served[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });

  it('takes the token, and answers everybody else as the guard does', async () => {
    const refused: unknown[] = [];
    const guard = createGuard({ token: bearer(TOKEN), realm: 'gateway', onRefused: (refusal) => refused.push(refusal) });
    const server = await serveOperator(makeOperator({ guard }));
    servers.push(server);
    expect((await server.ask('/status', { headers: AUTHORIZED })).status).toBe(200);
    expect(refused).toEqual([]);
    for (const [headers, reason] of [
      [{}, 'missing'],
      [{ authorization: 'Bearer wrong' }, 'mismatch'],
      [{ authorization: 'Basic eDp5' }, 'malformed'],
      [{ cookie: `${COOKIE}=1.2` }, 'missing'],
    ] as const) {
      const answer = await server.ask('/status?secret=1', { headers });
      expect(answer).toMatchObject({ status: 401, body: '{"error":"unauthorized","realm":"gateway"}' });
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="gateway"');
      expect(refused.pop()).toEqual({ reason, peer: '127.0.0.1', method: 'GET', path: '/status' });
    }
  });

  it('does not count a cookie that is good as a refusal', async () => {
    const refused: unknown[] = [];
    const guard = createGuard({ token: bearer(TOKEN), onRefused: (refusal) => refused.push(refusal) });
    const server = await serveOperator(makeOperator({ guard }));
    servers.push(server);
    const [cookie = ''] = (await server.ask('/login', postForm(`token=${TOKEN}`))).headers['set-cookie'] ?? [];
    expect((await server.ask('/status', { headers: { cookie: cookie.split(';')[0]! } })).status).toBe(200);
    expect(refused).toEqual([]);
  });

  it('opens no path of its own because the guard calls it healthy', async () => {
    const guard = createGuard({ token: bearer(TOKEN), healthPath: '/status' });
    const server = await serveOperator(makeOperator({ guard }));
    servers.push(server);
    expect((await server.ask('/status')).status).toBe(401);
  });

  it.each(['/status', '/metrics', '/explain'])('lets in as anywhere else where the guard calls %s healthy', async (path) => {
    const refused: unknown[] = [];
    const guard = createGuard({ token: bearer(TOKEN), healthPath: path, onRefused: (refusal) => refused.push(refusal) });
    const server = await serveOperator(makeOperator({ guard }));
    servers.push(server);
    for (const method of ['GET', 'HEAD']) expect((await server.ask(path, { method, headers: AUTHORIZED })).status).toBe(200);
    const answer = await server.operator.fetch(new Request(`http://gw.example${path}`, { headers: AUTHORIZED }));
    expect(answer.status).toBe(200);
    expect(refused).toEqual([]);
    for (const [headers, reason] of [
      [{}, 'missing'],
      [{ authorization: 'Bearer wrong' }, 'mismatch'],
      [{ authorization: ['Bearer wrong', `Bearer ${TOKEN}`] }, 'malformed'],
    ] as const) {
      const answer = await server.ask(path, { headers: { ...headers } as Record<string, string | string[]> });
      expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, 'Bearer realm="latchkey"']);
      expect(refused.pop()).toMatchObject({ reason, peer: '127.0.0.1', path });
    }
  });

  it('opens to nobody while the guard throws', async () => {
    const guard = createGuard({ token: bearer(TOKEN) });
    const failure = new Error('broken');
    const broken = {
      ...guard,
      authenticateRequest: () => {
        throw failure;
      },
    };
    const server = await serveOperator(makeOperator({ guard: broken }));
    servers.push(server);
    expect((await server.ask('/status', { headers: AUTHORIZED })).status).toBe(401);
    expect(server.errors).toEqual([failure]);
  });
});

describe('access with a client certificate', () => {
  let authority: Authority;
  let own: IssuedCertificate;
  let client: IssuedCertificate;
  let stranger: IssuedCertificate;
  let server: Served;

  beforeAll(async () => {
    authority = await createAuthority();
    [own, client, stranger] = await Promise.all([authority.issue('localhost'), authority.issue('ops-anna'), selfSigned('ops-anna')]);
    const guard = createGuard({ token: bearer(TOKEN), clientCertificates: true });
    server = await serveOperator(makeOperator({ guard }), { ...own, ca: authority.cert, requestCert: true, rejectUnauthorized: false });
  });
  afterAll(() => server.close());

  it('names its holder, also to the audit log, and also if there is a cookie', async () => {
    const tls = { ca: authority.cert, ...client };
    const entered = await server.ask('/login', { ...postForm(`token=${TOKEN}`), tls: { ca: authority.cert } });
    const [cookie = ''] = entered.headers['set-cookie'] ?? [];
    expect(cookie).toMatch(/^__Host-latchkey_operator_[\w-]{8}=.*; Secure$/);
    for (const headers of [{}, { cookie: cookie.split(';')[0]! }]) {
      expect((await server.ask('/', { tls, headers })).body).toContain('ops-anna');
      expect((await server.ask('/evict', { ...postJson({ session: 'ada' }, headers), tls })).status).toBe(200);
      expect(server.audit.at(-1)).toEqual({
        event: 'operator.evict',
        fields: { by: 'certificate', who: 'ops-anna', peer: '127.0.0.1', session: 'ada' },
      });
    }
    const cookieAlone = { tls: { ca: authority.cert }, headers: { cookie: cookie.split(';')[0]! } };
    expect((await server.ask('/status', cookieAlone)).status).toBe(200);
  });

  it('does not count a good cookie as a refusal where certificates are asked for and none counts', async () => {
    const refused: unknown[] = [];
    const onRefused = (refusal: unknown) => refused.push(refusal);
    const blind = createGuard({ token: bearer(TOKEN), onRefused });
    const seeing = createGuard({ token: bearer(TOKEN), clientCertificates: true, onRefused });
    const asks = { ...own, ca: authority.cert, requestCert: true, rejectUnauthorized: false };
    for (const [guard, version, signed] of [
      [blind, 'TLSv1.3', client],
      [seeing, 'TLSv1.2', client],
      [seeing, 'TLSv1.3', stranger],
    ] as const) {
      const other = await serveOperator(makeOperator({ guard }), { ...asks, maxVersion: version });
      const tls = { ca: authority.cert, ...signed };
      const [cookie = ''] = (await other.ask('/login', { ...postForm(`token=${TOKEN}`), tls })).headers['set-cookie'] ?? [];
      const page = await other.ask('/', { tls, headers: { cookie: cookie.split(';')[0]! } });
      expect([page.status, page.body.includes('signed in with the token'), refused]).toEqual([200, true, []]);
      await other.close();
    }
  });

  it('lets nobody in without one that our authority has signed', async () => {
    for (const tls of [{ ca: authority.cert }, { ca: authority.cert, ...stranger }]) {
      expect((await server.ask('/status', { tls })).status).toBe(401);
      expect((await server.ask('/status', { tls, headers: AUTHORIZED })).status).toBe(200);
    }
  });

  it('knows an origin of cleartext from its own', async () => {
    const tls = { ca: authority.cert, ...client };
    const asked = (origin: string) => server.ask('/evict', { ...postJson({ session: 'ada' }, { origin }), tls });
    expect((await asked(`https://127.0.0.1:${server.port}`)).status).toBe(200);
    expect((await asked(`http://127.0.0.1:${server.port}`)).status).toBe(403);
  });
});

describe('access by a rule of the user', () => {
  const served = (authorize: NonNullable<OperatorOptions['authorize']>) => makeOperator({ authorize });
  const request = (path = '/status'): Request => new Request(`http://gw.example${path}`, { headers: { 'x-user': 'anna' } });

  it('gets the request, and names the operator', async () => {
    const { operator, audit } = served(({ headers }) => (headers as Headers).get('x-user') ?? false);
    const asked = { method: 'POST', headers: { 'x-user': 'anna', 'content-type': 'application/json' }, body: '{"session":"ada"}' };
    expect((await operator.fetch(new Request('http://gw.example/evict', asked))).status).toBe(200);
    expect(audit).toEqual([{ event: 'operator.evict', fields: { by: 'rule', who: 'anna', peer: undefined, session: 'ada' } }]);
    expect(await (await operator.fetch(request('/'))).text()).toContain('anna');
    operator.close();
  });

  it.each([
    ['n'.repeat(300), 'n'.repeat(256)],
    ['n'.repeat(256), 'n'.repeat(256)],
    [`${'n'.repeat(255)}\u{1f511}`, 'n'.repeat(255)],
    [`${'n'.repeat(254)}\u{1f511}n`, `${'n'.repeat(254)}\u{1f511}`],
  ])('keeps 256 characters of a name, and none in part (%#)', async (name, kept) => {
    const { operator, audit } = served(() => name);
    const asked = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"session":"ada"}' };
    expect((await operator.fetch(new Request('http://gw.example/evict', asked))).status).toBe(200);
    expect(audit[0]?.fields['who']).toBe(kept);
    operator.close();
  });

  it.each<[string, NonNullable<OperatorOptions['authorize']>, number]>([
    ['true', () => true, 200],
    ['a promise of true', () => Promise.resolve(true), 200],
    ['a name', () => 'anna', 200],
    ['false', () => false, 401],
    ['an empty name', () => '', 401],
    ['nothing', () => undefined as never, 401],
    ['1', () => 1 as never, 401],
    ['an object', () => ({ ok: true }) as never, 401],
    ['a promise of an object', () => Promise.resolve({}) as never, 401],
  ])('takes %s for what it is', async (_answer, authorize, status) => {
    const { operator, errors } = served(authorize);
    expect((await operator.fetch(request())).status).toBe(status);
    expect(errors).toEqual([]);
    operator.close();
  });

  it('takes what fails for a no, and tells of it', async () => {
    const failure = new Error('the directory is down, password hunter2');
    const throwing = (): never => {
      throw failure;
    };
    for (const authorize of [throwing, () => Promise.reject(failure)]) {
      const { operator, errors } = served(authorize);
      const answer = await operator.fetch(request());
      expect([answer.status, await answer.text()]).toEqual([401, '{"error":"unauthorized"}']);
      expect(errors).toEqual([failure]);
      operator.close();
    }
  });

  it('lets nobody in by an Authorization header or a health path', async () => {
    const { operator } = served(() => false);
    expect((await operator.fetch(new Request('http://gw.example/status', { headers: AUTHORIZED }))).status).toBe(401);
    expect((await operator.fetch(request('/health'))).status).toBe(200);
    operator.close();
  });

  describe('that hangs', () => {
    beforeEach(freezeTime);
    afterEach(() => {
      vi.useRealTimers();
    });

    it('is waited for five seconds, and then it is a no', async () => {
      const { operator, errors } = served(() => new Promise(() => {}));
      let status: number | undefined;
      const asked = operator.fetch(request()).then((answer) => {
        status = answer.status;
      });
      await vi.advanceTimersByTimeAsync(4_999);
      expect(status).toBeUndefined();
      await vi.advanceTimersByTimeAsync(1);
      await asked;
      expect(status).toBe(401);
      expect(errors).toHaveLength(1);
      operator.close();
    });
  });
});
