import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  createUnauthorizedMonitor,
  type Exchange,
  type ProxiedRequest,
  type UnauthorizedAnswer,
  type UnauthorizedMonitor,
  type UnauthorizedMonitorOptions,
  type Workload,
} from '../../src/adapters/proxy.js';
import { apiKey, bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { freezeTime, START, settled } from '../support/clock.js';

const SCOPE = { session: 's', provider: 'p' };

let latchkey: Latchkey;
let hooked: UnauthorizedAnswer[];
let written: Workload[];

beforeEach(() => {
  freezeTime();
  latchkey = createLatchkey();
  hooked = [];
  written = [];
});

afterEach(() => {
  vi.useRealTimers();
});

function watch(options: Partial<UnauthorizedMonitorOptions> = {}): UnauthorizedMonitor {
  return createUnauthorizedMonitor(latchkey, {
    scope: () => SCOPE,
    onUnauthorized: (answer) => void hooked.push(answer),
    onWorkload: (workload) => void written.push(workload),
    ...options,
  });
}

function requestWith(token?: string, url = '/v1/messages'): ProxiedRequest {
  return { method: 'POST', url, headers: token === undefined ? {} : { authorization: `Bearer ${token}` } };
}

const states = (): string[] => written.map(({ state }) => state);

describe('the low-level hook', () => {
  it('sees every upstream 401, whatever is known of the credential', () => {
    const monitor = watch();
    for (let n = 0; n < 3; n++) monitor.open(requestWith('dead')).answered(401);
    expect(hooked).toHaveLength(3);
    const { fingerprint } = bearer('dead');
    expect(hooked[2]).toEqual({ scope: SCOPE, fingerprint, path: '/v1/messages', method: 'POST' });
  });

  it.each([200, 204, 302, 304, 400, 402, 403, 404, 407, 429, 500, 502, 503])('a %i does not fire it', (status) => {
    watch().open(requestWith('any')).answered({ status, headers: {} });
    expect(hooked).toEqual([]);
    expect(states()).not.toContain('unauthenticated');
  });

  it('nor does a request without answer, however it failed', () => {
    const monitor = watch();
    monitor.open(requestWith('any')).failed(Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
    monitor.open(requestWith('any')).failed(new DOMException('over', 'AbortError'));
    monitor.open(requestWith('any')).failed(undefined);
    expect(hooked).toEqual([]);
    expect(latchkey.canRun(SCOPE)).toBe(true);
  });

  it("(hole) nor does the gateway's own 401, even as an error that it threw", () => {
    const exchange = watch().open(requestWith('any'));
    exchange.failed(Object.assign(new Error('who are you'), { status: 401, statusCode: 401 }));
    expect(hooked).toEqual([]);
    expect(latchkey.canRun(SCOPE)).toBe(true);
    expect(latchkey.stats().rejected).toBe(0);
  });

  it('nor does a request that is not watched, and nothing is captured from it', () => {
    const exchange = watch({ scope: () => undefined }).open(requestWith('dead'));
    exchange.answered(401);
    expect(exchange.credential?.fingerprint).toBe(bearer('dead').fingerprint);
    expect([hooked, written, latchkey.stats().captures]).toEqual([[], [], 0]);
  });

  it('an anonymous 401 fires it, and marks nothing: no credential was judged', () => {
    const monitor = watch();
    latchkey.capture(SCOPE, bearer('alive'));
    monitor.open(requestWith()).answered(401);
    expect(hooked).toEqual([{ scope: SCOPE, fingerprint: undefined, path: '/v1/messages', method: 'POST' }]);
    expect(written).toEqual([]);
    expect(monitor.workload(SCOPE).state).toBe('starting');
    expect(latchkey.canRun(SCOPE)).toBe(true);
  });

  it('one answer an exchange: what comes after the first changes nothing', () => {
    const exchange = watch().open(requestWith('alive'));
    exchange.answered(200);
    exchange.answered(401);
    exchange.failed(new Error('late'));
    expect(hooked).toEqual([]);
    expect(latchkey.canRun(SCOPE)).toBe(true);
  });

  it.each<[string, (exchange: Exchange) => void]>([
    ['a status', (exchange) => exchange.answered(401)],
    ['a Response', (exchange) => exchange.answered(new Response('no', { status: 401 }))],
    ['what Node gives', (exchange) => exchange.answered({ statusCode: 401, headers: {} })],
  ])('takes %s for an answer', (_, answer) => {
    answer(watch().open(requestWith('dead')));
    expect(hooked).toHaveLength(1);
    expect(states()).toEqual(['unauthenticated']);
  });

  it('the body is neither read nor cloned', async () => {
    const response = new Response('{"error":"invalid"}', { status: 401 });
    const clone = vi.spyOn(response, 'clone');
    watch().open(requestWith('dead')).answered(response);
    expect(clone).not.toHaveBeenCalled();
    expect(response.bodyUsed).toBe(false);
    expect(await response.text()).toBe('{"error":"invalid"}');
  });

  it('a 401 that asks for more scope fires it, and rejects nothing', () => {
    const headers = { 'www-authenticate': 'Bearer error="insufficient_scope"' };
    watch().open(requestWith('alive')).answered({ statusCode: 401, headers });
    expect(hooked).toHaveLength(1);
    expect(states()).toEqual(['running']);
    expect(latchkey.canRun(SCOPE)).toBe(true);
  });
});

describe('the path', () => {
  it.each([
    ['/v1/messages?key=secret', '/v1/messages'],
    ['/v1/messages#part', '/v1/messages'],
    ['//host/v1?x', '//host/v1'],
    ['https://user:secret@api.example/v1/messages?key=secret#part', '/v1/messages'],
    ['*', ''],
    ['user:secret@api.example:443', ''],
    ['https://', ''],
  ])('of %s is %s', (url, path) => {
    watch().open(requestWith('dead', url)).answered(401);
    expect(hooked[0]?.path).toBe(path);
  });

  it('of a request without one is empty; a Request gives its path; Express keeps the whole one beside a cut one', () => {
    const monitor = watch();
    monitor.open({ headers: {} }).answered(401);
    monitor.open(new Request('http://gateway.example/v1/models?page=2', { method: 'PUT' })).answered(401);
    monitor.open({ headers: {}, url: '/models', originalUrl: '/v1/models?page=2' } as ProxiedRequest).answered(401);
    expect(hooked.map(({ path, method }) => [path, method])).toEqual([
      ['', ''],
      ['/v1/models', 'PUT'],
      ['/v1/models', ''],
    ]);
  });
});

describe('captures and proof', () => {
  it("a client's own 2xx is proof, its 401 a verdict", () => {
    const monitor = watch();
    const accepted = vi.fn();
    latchkey.on('accepted', accepted);
    monitor.open(requestWith('first')).answered(200);
    expect(accepted).toHaveBeenCalledTimes(1);
    expect(latchkey.resolve(SCOPE).ok).toBe(true);
    monitor.open(requestWith('first')).answered(401);
    expect(latchkey.resolve(SCOPE)).toMatchObject({ ok: false, reason: 'rejected', status: 401 });
  });

  it('reads the credential as it is told to', () => {
    const monitor = watch({ credential: (headers) => apiKey((headers as Record<string, string>)['x-own'] ?? 'none', { header: 'x-own' }) });
    const exchange = monitor.open({ headers: { 'x-own': 'key' } });
    expect(exchange.credential?.fingerprint).toBe(apiKey('key', { header: 'x-own' }).fingerprint);
    expect(latchkey.canRun(SCOPE)).toBe(true);
  });

  it('a provisional capture is committed by a 2xx', () => {
    const exchange = watch({ provisional: true }).open(requestWith('new'));
    expect(latchkey.canRun(SCOPE)).toBe(false);
    exchange.answered(204);
    expect(latchkey.canRun(SCOPE)).toBe(true);
  });

  it.each<[string, (exchange: Exchange) => void]>([
    ['a 401', (exchange) => exchange.answered(401)],
    ['a 404', (exchange) => exchange.answered(404)],
    ['no answer', (exchange) => exchange.failed(new Error('reset'))],
  ])('and discarded by %s', (_, end) => {
    const monitor = watch({ provisional: true });
    const exchange = monitor.open(requestWith('new'));
    end(exchange);
    exchange.answered(200);
    expect(latchkey.canRun(SCOPE)).toBe(false);
    expect(states()).not.toContain('unauthenticated');
  });
});

describe('judged by a lease', () => {
  it('captures nothing of the client, and marks the workload by what the gateway sent', () => {
    const monitor = watch({ scope: () => ({ provider: 'p' }) });
    latchkey.pin({ provider: 'p' }, apiKey('own-key'));
    const resolution = latchkey.resolve({ provider: 'p' });
    if (!resolution.ok) throw new Error('blocked');
    const exchange = monitor.open(requestWith('of-the-client'), { lease: resolution.lease });
    expect(exchange.credential).toBe(resolution.lease.credential);
    exchange.answered(401);
    expect(latchkey.stats().captures).toBe(0);
    expect(hooked[0]?.fingerprint).toBe(apiKey('own-key').fingerprint);
    expect(written).toEqual([
      {
        scope: { provider: 'p' },
        state: 'unauthenticated',
        message: "The upstream rejected the gateway's own credential with 401. Replace it.",
        since: START,
        fingerprint: apiKey('own-key').fingerprint,
      },
    ]);
    latchkey.pin({ provider: 'p' }, apiKey('new-key'));
    expect(states()).toEqual(['unauthenticated', 'running']);
  });

  it('a session that lives on the global credential goes with it, and comes back with it', () => {
    const monitor = watch();
    latchkey.capture({ session: 'other', provider: 'p' }, bearer('lent'));
    const open = (): Exchange => {
      const resolution = latchkey.resolve(SCOPE);
      if (!resolution.ok) throw new Error('blocked');
      expect(resolution.lease.source).toBe('global');
      return monitor.open(requestWith(), { lease: resolution.lease });
    };
    open().answered(401);
    expect(states()).toEqual(['unauthenticated']);
    latchkey.capture({ session: 'other', provider: 'p' }, bearer('fresh'));
    expect(states()).toEqual(['unauthenticated', 'running']);
    open().answered(200);
    expect(states()).toEqual(['unauthenticated', 'running']);
  });

  it('a lease of a request that is not watched is settled all the same', () => {
    latchkey.capture(SCOPE, bearer('dead'));
    const resolution = latchkey.resolve(SCOPE);
    if (!resolution.ok) throw new Error('blocked');
    watch({ scope: () => undefined })
      .open(requestWith(), { lease: resolution.lease })
      .answered(401);
    expect(latchkey.canRun(SCOPE)).toBe(false);
    expect(hooked).toEqual([]);
  });
});

describe('what fails is contained, and told', () => {
  it.each<[string, Partial<UnauthorizedMonitorOptions>]>([
    [
      'scope',
      {
        scope: () => {
          throw new Error('failed');
        },
      },
    ],
    [
      'scope',
      {
        scope: async () => {
          throw new Error('failed');
        },
      } as never,
    ],
    ['scope', { scope: () => ({ session: '' }) }],
    [
      'credential',
      {
        credential: () => {
          throw new Error('failed');
        },
      },
    ],
    ['credential', { credential: () => 'a-string' as never }],
    [
      'onUnauthorized',
      {
        onUnauthorized: () => {
          throw new Error('failed');
        },
      },
    ],
    [
      'onUnauthorized',
      {
        onUnauthorized: async () => {
          throw new Error('failed');
        },
      },
    ],
    [
      'onWorkload',
      {
        onWorkload: () => {
          throw new Error('failed');
        },
      },
    ],
    [
      'onWorkload',
      {
        onWorkload: async () => {
          throw new Error('failed');
        },
      },
    ],
  ])('%s', async (origin, options) => {
    const onError = vi.fn();
    const monitor = watch({ ...options, onError });
    monitor.open(requestWith('dead')).answered(401);
    await settled();
    expect(onError.mock.calls.map(([, from]) => from)).toEqual([origin]);
  });

  it('a bad scope of an anonymous request too', () => {
    const onError = vi.fn();
    watch({ scope: () => ({ session: '' }), onError })
      .open(requestWith())
      .answered(401);
    expect(onError.mock.calls.map(([, from]) => from)).toEqual(['scope']);
    expect(hooked).toEqual([]);
  });

  it('a clock that throws', async () => {
    let broken = false;
    latchkey = createLatchkey({
      clock: {
        now: () => {
          if (broken) throw new Error('no time');
          return START;
        },
      },
    });
    const onError = vi.fn();
    const monitor = watch({ onError, onWorkload: async () => {} });
    const exchange = monitor.open(requestWith('dead'));
    broken = true;
    exchange.answered(401);
    await settled();
    expect(new Set(onError.mock.calls.map(([, from]) => from))).toEqual(new Set(['latchkey']));
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('worse');
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('worse');
      },
    ],
  ])('onError that %s itself', async (_, onError) => {
    watch({
      onError,
      onWorkload: () => {
        throw new Error('failed');
      },
    })
      .open(requestWith('dead'))
      .answered(401);
    await settled();
    expect(hooked).toHaveLength(1);
  });
});

describe('no value of a credential', () => {
  const SECRET = 'sk-very-secret-value-0123456789';
  const FORMS = [SECRET, Buffer.from(SECRET).toString('base64').slice(0, 30), Buffer.from(SECRET).toString('base64url').slice(0, 30)];

  it('is in what the hook, the status write and the errors get, or in what a monitor prints', async () => {
    const told: unknown[] = [];
    const monitor = watch({
      scope: ({ headers }) => {
        if ('x-fail' in headers) throw new Error(`cannot read ${JSON.stringify(headers)}`);
        return SCOPE;
      },
      onUnauthorized: (answer) => {
        hooked.push(answer);
        throw new Error(`failed on Bearer ${SECRET}`);
      },
      onError: (error) => void told.push(error, (error as Error).stack),
    });
    const exchange = monitor.open({
      ...requestWith(SECRET, `/v1/keys/${SECRET}?key=${SECRET}`),
      headers: { authorization: `Bearer ${SECRET}` },
    });
    exchange.answered({ status: 401, headers: { 'set-cookie': SECRET } });
    monitor.open({ headers: { 'x-api-key': SECRET, 'x-fail': '1' } }).answered(401);
    monitor.open({ headers: { authorization: `Bearer ${SECRET}` } }).failed(new Error(SECRET));
    await settled();
    expect(hooked[0]?.path).toMatch(/^\/v1\/keys\/bearer:[0-9a-f]{16}$/);
    expect(told).toHaveLength(4);
    const everything = [hooked, written, told, monitor.workload(SCOPE), monitor, exchange];
    const text = everything
      .map((one) => `${inspect(one, { depth: 9, showHidden: true })} ${JSON.stringify(one)} ${String(one)}`)
      .join('\n');
    for (const form of FORMS) expect(text).not.toContain(form);
  });
});
