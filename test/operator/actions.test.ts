import { createServer } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions } from '../../src/index.js';
import type { OperatorOptions } from '../../src/operator/options.js';
import { freezeTime } from '../support/clock.js';
import { outlook } from '../support/known.js';
import { secretsIn } from '../support/secret-forms.js';
import { type Asking, AUTHORIZED, listening, makeOperator, postJson, type Served, serveOperator, TOKEN } from './mounted.js';

const SECRET = 'sk-session-secret-one';

describe('an action of an operator, over HTTP', () => {
  const servers: Served[] = [];
  const served = async (options: Partial<OperatorOptions> = {}, latchkey: Latchkey | LatchkeyOptions = {}): Promise<Served> => {
    const server = await serveOperator(makeOperator(options, latchkey));
    servers.push(server);
    return server;
  };
  const error = (body: string): unknown => JSON.parse(body).error;

  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });

  it('evicts a session, and is recorded before', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('ada', bearer(SECRET));
    latchkey.capture('bob', bearer('sk-another-secret'));
    const before: unknown[] = [];
    const record = (event: string, fields?: object): boolean => {
      before.push({ event, fields, sessions: latchkey.stats().sessions });
      return true;
    };
    const { ask } = await served({ audit: { record } }, latchkey);
    expect(await ask('/evict', postJson({ session: 'ada' }))).toMatchObject({ status: 200, body: '{"ok":true,"slots":1}' });
    expect(before).toEqual([{ event: 'operator.evict', fields: { by: 'bearer', peer: '127.0.0.1', session: 'ada' }, sessions: 2 }]);
    expect(latchkey.snapshot().slots.filter(({ scope }) => scope.session !== undefined)).toMatchObject([{ scope: { session: 'bob' } }]);
  });

  it('says how many slots it concerned: none, for a name that nobody has', async () => {
    const { ask, latchkey } = await served();
    latchkey.capture({ session: 'ada', provider: 'one' }, bearer(SECRET));
    latchkey.capture({ session: 'ada', provider: 'two' }, bearer(SECRET));
    latchkey.capture({ session: 'bob', provider: 'two' }, bearer('of-bob'));
    const slots = async (path: string, body: object): Promise<unknown> => JSON.parse((await ask(path, postJson(body))).body);
    expect(await slots('/forgive', { fingerprint: '0123456789abcdef' })).toEqual({ ok: true, slots: 0 });
    // Ada's two, and what she lends at the first provider: Bob was the last at the second.
    expect(await slots('/forgive', { fingerprint: bearer(SECRET).fingerprint })).toEqual({ ok: true, slots: 3 });
    expect(await slots('/forgive', { scope: { session: 'ada', provider: 'two' } })).toEqual({ ok: true, slots: 3 });
    expect(await slots('/evict', { session: 'nobody' })).toEqual({ ok: true, slots: 0 });
    expect(await slots('/evict', { session: 'ada' })).toEqual({ ok: true, slots: 2 });
  });

  it('tells the timeline who did it', async () => {
    const { ask, operator } = await served();
    const answer = await operator.fetch(new Request('http://gw.example/events', { headers: AUTHORIZED }));
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    await ask('/evict', postJson({ session: 'ada' }));
    let told = '';
    while (!told.includes('event: entry')) told += (await reader?.read())?.value ?? '';
    expect(JSON.parse(/^data: (.*)$/m.exec(told)?.[1] ?? '')).toMatchObject({
      event: 'operator',
      scope: { session: 'ada' },
      note: 'evicted by bearer',
    });
    await reader?.cancel();
  });

  it('evicts a tenant', async () => {
    const { ask, latchkey, audit } = await served({}, { tenancy: 'multi' });
    latchkey.capture({ tenant: 'acme', session: 'ada' }, bearer(SECRET));
    latchkey.capture({ tenant: 'other', session: 'ada' }, bearer(SECRET));
    expect((await ask('/evict', postJson({ tenant: 'acme' }))).status).toBe(200);
    expect(outlook(latchkey, { tenant: 'acme', session: 'ada' })).toBe('missing');
    expect(outlook(latchkey, { tenant: 'other', session: 'ada' })).toBe(SECRET);
    expect(audit).toEqual([{ event: 'operator.evict', fields: { by: 'bearer', peer: '127.0.0.1', tenant: 'acme' } }]);
  });

  it('forgives a credential, by scope and by fingerprint', async () => {
    const { ask, latchkey, audit } = await served();
    const scope = { session: 'ada', provider: 'github' };
    const credential = bearer(SECRET);
    const { fingerprint } = credential;
    for (const body of [{ scope }, { fingerprint }]) {
      latchkey.capture(scope, credential).settle({ status: 401 });
      expect(outlook(latchkey, scope)).toBe('rejected');
      expect(await ask('/forgive', postJson(body))).toMatchObject({ status: 200, body: '{"ok":true,"slots":2}' });
      expect(outlook(latchkey, scope)).toBe(SECRET);
      expect(audit.pop()).toEqual({ event: 'operator.forgive', fields: { by: 'bearer', peer: '127.0.0.1', ...body } });
    }
  });

  it('brings in what the store knows before it is recorded and taken', async () => {
    const steps: string[] = [];
    const latchkey: Latchkey = {
      ...createLatchkey(),
      load: async (scopes) => void steps.push(`load ${JSON.stringify(scopes)}`),
      evict: (scope) => void steps.push(`evict ${JSON.stringify(scope)}`),
      forgive: (scope) => void steps.push(`forgive ${JSON.stringify(scope)}`),
    };
    const { ask } = await served({ audit: { record: (event) => steps.push(event) > 0 } }, latchkey);
    await ask('/evict', postJson({ session: 'ada' }));
    await ask('/forgive', postJson({ scope: { session: 'ada' } }));
    await ask('/forgive', postJson({ fingerprint: '0123456789abcdef' }));
    const scope = '{"session":"ada"}';
    expect(steps).toEqual([
      ...[`load [${scope}]`, 'operator.evict', `evict ${scope}`],
      ...[`load [${scope}]`, 'operator.forgive', `forgive ${scope}`],
      ...['operator.forgive', 'forgive "0123456789abcdef"'],
    ]);
  });

  it.each<[string, unknown, string]>([
    ['/evict', {}, '`session` or `tenant` must be given'],
    ['/evict', [], 'the body must be a JSON object'],
    ['/evict', null, 'the body must be a JSON object'],
    ['/evict', 'ada', 'the body must be a JSON object'],
    ['/evict', { session: 'ada', sessions: SECRET }, 'unknown key `sessions`'],
    ['/evict', { session: SECRET, provider: 'github' }, 'unknown key `provider`'],
    ['/evict', { session: '' }, '`session` must be a string, and not be empty'],
    ['/evict', { session: null, tenant: SECRET }, '`session` must be a string, and not be empty'],
    ['/evict', { tenant: [SECRET] }, '`tenant` must be a string, and not be empty'],
    ['/forgive', {}, '`fingerprint` or `scope` must be given, and not both'],
    ['/forgive', { fingerprint: '0123456789abcdef', scope: {} }, '`fingerprint` or `scope` must be given, and not both'],
    ['/forgive', { fingerprint: SECRET }, '`fingerprint` must be 16 hexadecimal digits'],
    ['/forgive', { scope: SECRET }, '`scope` must be an object'],
    ['/forgive', { scope: [SECRET] }, '`scope` must be an object'],
    ['/forgive', { scope: { user: SECRET } }, 'unknown key `scope.user`'],
    ['/forgive', { scope: { session: 7 } }, '`scope.session` must be a string, and not be empty'],
    ['/forgive', { session: SECRET }, 'unknown key `session`'],
  ])('refuses %s of %j', async (path, body, message) => {
    const { ask, latchkey, audit } = await served();
    latchkey.capture('ada', bearer(SECRET));
    const answer = await ask(path, postJson(body));
    expect({ status: answer.status, error: error(answer.body) }).toEqual({ status: 400, error: message });
    expect(secretsIn(answer.body, [SECRET])).toEqual([]);
    expect(audit).toEqual([]);
    expect(latchkey.stats().sessions).toBe(1);
  });

  it('knows no key that only its prototype has', async () => {
    const { ask } = await served();
    const asking = postJson(null);
    const answer = await ask('/evict', { ...asking, body: '{"__proto__":{"session":"ada"}}' });
    expect({ status: answer.status, error: error(answer.body) }).toEqual({ status: 400, error: 'unknown key `__proto__`' });
    expect((await ask('/evict', { ...asking, body: `{"session":"${SECRET}` })).body).toBe('{"error":"the body must be a JSON object"}');
    expect((await ask('/evict', { ...asking, body: '' })).body).toBe('{"error":"the body must be a JSON object"}');
    const broken = Buffer.from([...Buffer.from('{"session":"'), 0xff, ...Buffer.from('"}')]);
    expect((await ask('/evict', { ...asking, body: broken })).body).toBe('{"error":"the body must be UTF-8"}');
  });

  it.each<[Record<string, string>, number]>([
    [{ 'content-type': 'application/json' }, 200],
    [{ 'content-type': 'Application/JSON; charset=UTF-8' }, 200],
    [{ 'content-type': 'application/json', 'content-encoding': 'identity' }, 200],
    [{ 'content-type': 'text/plain' }, 415],
    [{ 'content-type': 'application/x-www-form-urlencoded' }, 415],
    [{ 'content-type': 'application/json, text/plain' }, 415],
    [{ 'content-type': 'application/jsonp' }, 415],
    [{ 'content-type': 'application/json; charset=utf-16' }, 415],
    [{ 'content-type': 'application/json', 'content-encoding': 'gzip' }, 415],
    [{ 'content-type': 'application/json', 'content-encoding': 'br' }, 415],
    [{ 'content-type': 'application/json', 'content-encoding': 'identity, deflate' }, 415],
    [{ 'content-type': 'application/json', 'content-encoding': 'Identity' }, 200],
    [{ 'content-type': '' }, 415],
  ])('takes JSON alone: %j gives %i', async (headers, status) => {
    const { ask } = await served();
    expect((await ask('/evict', postJson({ session: 'ada' }, { ...AUTHORIZED, ...headers }))).status).toBe(status);
  });

  it('takes a body of 32 KiB, and not of a byte more', async () => {
    const { ask } = await served();
    const body = JSON.stringify({ session: 'ada' });
    const asked = (bytes: number): Asking => ({ ...postJson({}), body: body.padEnd(bytes) });
    expect((await ask('/evict', asked(32_768))).status).toBe(200);
    const answer = await ask('/evict', asked(32_769));
    expect({ status: answer.status, error: error(answer.body) }).toEqual({
      status: 413,
      error: 'the body must be at most 32768 bytes long',
    });
  });

  it('takes the longest names that a scope can have, however they are escaped', async () => {
    const { ask, latchkey } = await served();
    const name = '\u0001'.repeat(1_024);
    const scope = { tenant: name, session: name, provider: name };
    latchkey.capture(scope, bearer(SECRET));
    const forgive = await ask('/forgive', postJson({ scope: { ...scope, purpose: name } }));
    expect([forgive.status, forgive.body]).toEqual([200, '{"ok":true,"slots":2}']);
    const evict = await ask('/evict', postJson({ tenant: name, session: name }));
    expect([evict.status, evict.body]).toEqual([200, '{"ok":true,"slots":1}']);
  });

  it('passes on what the Latchkey says of a name that is longer', async () => {
    const { ask, audit } = await served();
    const session = 'x'.repeat(1_025);
    const answers = [
      await ask('/evict', postJson({ session })),
      await ask('/forgive', postJson({ scope: { session } })),
      await ask(`/explain?session=${session}`, { headers: AUTHORIZED }),
    ];
    for (const { status, body } of answers) {
      expect({ status, error: error(body) }).toEqual({
        status: 400,
        error: 'scope: `session` is longer than 1024 characters; give a digest of it',
      });
    }
    expect(audit).toEqual([]);
  });

  it('leaves a connection usable whose body was too long, in chunks of no told length too', async () => {
    const { port } = await served();
    const socket = connect(port, '127.0.0.1');
    let received = '';
    const answers = (count: number): Promise<void> =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (received.split('HTTP/1.1 ').length > count) resolve();
        };
        socket.on('data', look);
        socket.on('close', () => reject(new Error(`closed after: ${received}`)));
        look();
      });
    socket.on('data', (chunk) => {
      received += chunk;
    });
    const head = `POST /evict HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\n`;
    const chunk = `a000\r\n${' '.repeat(0xa000)}\r\n`;
    socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk}`);
    await answers(1);
    for (let count = 0; count < 20; count++) socket.write(chunk);
    socket.write('0\r\n\r\n');
    socket.write(`${head}Content-Length: 17\r\n\r\n{"session":"ada"}`);
    await answers(2);
    expect(received.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200']);
    socket.destroy();
  });

  it('listens no more to a body that was too long', async () => {
    const { operator } = makeOperator();
    const names = ['data', 'end', 'error', 'close'];
    const left: number[][] = [];
    const server = createServer(async (request, response) => {
      const before = names.map((name) => request.listenerCount(name));
      await operator.handle(request, response);
      left.push(names.map((name, index) => request.listenerCount(name) - (before[index] ?? 0)));
    });
    const port = await listening(server);
    const asked = await fetch(`http://127.0.0.1:${port}/evict`, { ...(postJson({ session: 'x'.repeat(100_000) }) as RequestInit) });
    expect([asked.status, left]).toEqual([413, [[0, 0, 0, 0]]]);
    operator.close();
    server.closeAllConnections();
    server.close();
  });

  it('waits for nobody who hangs up within a body', async () => {
    const { port, ask, errors } = await served();
    const socket = connect(port, '127.0.0.1');
    const head = `POST /evict HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n`;
    await new Promise<void>((resolve) => socket.write(`${head}{"ses`, () => resolve()));
    await new Promise<void>((resolve) => socket.on('close', () => resolve()).resetAndDestroy());
    expect((await ask('/health')).status).toBe(200);
    expect(errors).toEqual([]);
  });

  it('waits for nobody who has hung up before', async () => {
    let letIn = (): void => {};
    const open = new Promise<boolean>((resolve) => {
      letIn = () => resolve(true);
    });
    const asked = vi.fn(() => open);
    const { operator, latchkey, audit } = makeOperator({ authorize: asked });
    let isOver = false;
    let hasLeft = false;
    const server = createServer((request, response) => {
      request.on('close', () => {
        hasLeft = true;
      });
      void operator.handle(request, response).then(() => {
        isOver = true;
      });
    });
    const socket = connect(await listening(server), '127.0.0.1');
    socket.write('POST /evict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"ses');
    await vi.waitFor(() => expect(asked).toHaveBeenCalled());
    socket.resetAndDestroy();
    await vi.waitFor(() => expect(hasLeft).toBe(true));
    letIn();
    // Much sooner than a body that may still come is given up.
    await vi.waitFor(() => expect(isOver).toBe(true), { timeout: 5_000 });
    expect(audit).toEqual([]);
    operator.close();
    server.close();
    await latchkey.close();
  });

  it.each<[string, (port: number) => Record<string, string>, number]>([
    ['no browser', () => ({}), 200],
    ['the page itself', (port) => ({ origin: `http://127.0.0.1:${port}`, 'sec-fetch-site': 'same-origin' }), 200],
    ['a page on another port', () => ({ origin: 'http://127.0.0.1:1' }), 403],
    ['a page of a name that begins alike', (port) => ({ origin: `http://127.0.0.1:${port}.evil.example` }), 403],
    ['a page with our name as its user', (port) => ({ origin: `http://127.0.0.1:${port}@evil.example` }), 403],
    ['a page of two origins', (port) => ({ origin: `http://127.0.0.1:${port}, http://evil.example` }), 403],
    ['a page on another scheme', (port) => ({ origin: `ftp://127.0.0.1:${port}` }), 403],
    ['a sandboxed page', () => ({ origin: 'null' }), 403],
    ['an origin that is none', () => ({ origin: '' }), 403],
    ['a sibling of the site', (port) => ({ origin: `http://127.0.0.1:${port}`, 'sec-fetch-site': 'same-site' }), 403],
    ['another site', () => ({ 'sec-fetch-site': 'cross-site' }), 403],
    ['an address that was typed', () => ({ 'sec-fetch-site': 'none' }), 403],
  ])('comes from %s', async (_whom, headers, status) => {
    const { ask, port, latchkey, audit } = await served();
    latchkey.capture('ada', bearer(SECRET));
    expect((await ask('/evict', postJson({ session: 'ada' }, { ...AUTHORIZED, ...headers(port) }))).status).toBe(status);
    expect(latchkey.stats().sessions).toBe(status === 200 ? 0 : 1);
    const refused = { event: 'operator.refused', fields: { reason: 'origin', path: '/evict', peer: '127.0.0.1' } };
    if (status === 403) expect(audit).toEqual([refused]);
  });

  it('knows its own origin with its default port, written or not, and behind a proxy', async () => {
    const { ask } = await served({ https: false });
    const asked = async (host: string, origin: string): Promise<number> =>
      (await ask('/evict', postJson({ session: 'a' }, { ...AUTHORIZED, host, origin }))).status;
    expect(await asked('gw.example', 'http://gw.example')).toBe(200);
    expect(await asked('gw.example:80', 'http://gw.example')).toBe(200);
    expect(await asked('GW.example', 'http://gw.example')).toBe(200);
    expect(await asked('gw.example', 'https://gw.example')).toBe(200);
    expect(await asked('gw.example:443', 'https://gw.example')).toBe(200);
    expect(await asked('gw.example:443', 'http://gw.example')).toBe(403);
    expect(await asked('x@gw.example', 'http://gw.example')).toBe(403);
    expect(await asked('', 'http://gw.example')).toBe(403);
  });

  it('is taken all the same if it cannot be recorded', async () => {
    const failure = new Error('disk full');
    const throwing = (): never => {
      throw failure;
    };
    for (const record of [throwing, () => Promise.reject(failure) as never]) {
      const { ask, latchkey, errors } = await served({ audit: { record } });
      latchkey.capture('ada', bearer(SECRET));
      expect((await ask('/evict', postJson({ session: 'ada' }))).status).toBe(200);
      expect(latchkey.stats().sessions).toBe(0);
      expect(errors).toEqual([failure]);
    }
  });

  it('records who was refused one, and nothing of what was presented', async () => {
    const { ask, audit } = await served();
    const path = '/forgive';
    const peer = '127.0.0.1';
    expect((await ask(path, postJson({ session: SECRET }, {}))).status).toBe(401);
    expect((await ask(path, postJson({}, { authorization: `Bearer ${SECRET}` }))).status).toBe(401);
    expect((await ask('/status')).status).toBe(401);
    expect(audit.map(({ event, fields }) => ({ event, ...fields }))).toEqual([
      { event: 'operator.refused', reason: 'missing', path, peer },
      { event: 'operator.refused', reason: 'mismatch', path, peer },
    ]);
  });
});

describe('a body that does not come', () => {
  beforeEach(freezeTime);
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is waited for ten seconds', async () => {
    const { operator } = makeOperator();
    let isLeft = false;
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{"session":')),
      cancel() {
        isLeft = true;
      },
    });
    const headers = { ...AUTHORIZED, 'content-type': 'application/json' };
    const init: RequestInit = { method: 'POST', headers, body, duplex: 'half' };
    let answer: Response | undefined;
    const asked = operator.fetch(new Request('http://gw.example/evict', init)).then((one) => {
      answer = one;
    });
    await vi.advanceTimersByTimeAsync(9_999);
    expect(answer).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    await asked;
    expect([answer?.status, await answer?.text()]).toEqual([408, '{"error":"the body did not arrive in time"}']);
    expect(isLeft).toBe(true);
    operator.close();
  });
});

describe('what is recorded of refusals', () => {
  beforeEach(freezeTime);
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is 60 lines a minute, and one that says how many more there were', async () => {
    const { operator, audit } = makeOperator();
    const knock = async (times: number): Promise<void> => {
      for (let count = 0; count < times; count++) await operator.fetch(new Request('http://gw.example/evict', { method: 'POST' }));
    };
    await knock(200);
    expect(audit).toHaveLength(60);
    await vi.advanceTimersByTimeAsync(59_999);
    await knock(1);
    expect(audit).toHaveLength(60);
    await vi.advanceTimersByTimeAsync(1);
    expect(audit.slice(60)).toEqual([{ event: 'operator.refused', fields: { reason: 'many', count: 141 } }]);
    await knock(1);
    expect(audit).toHaveLength(62);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(audit).toHaveLength(62);
    await knock(61);
    operator.close();
    expect(audit.slice(122)).toEqual([{ event: 'operator.refused', fields: { reason: 'many', count: 1 } }]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
