import { describe, expect, it, vi } from 'vitest';
import { apiKey } from '../../src/credential/credential.js';
import { createGuard } from '../../src/guard/guard.js';
import { createPlaneClient, type PlaneClient, type PlaneClientOptions } from '../../src/guard/plane-client.js';
import { type BulkListener, createPlanes } from '../../src/guard/planes.js';
import { sendAnswer } from '../../src/signals/answer.js';
import { secretsIn } from '../support/secret-forms.js';
import { isBulk, pair, SECRET, serve, text, token, urls } from './plane-pair.js';
import type { RecordingServer } from './plane-servers.js';

describe('the plane client and the planes of a real gateway', () => {
  it('registers, learns where bulk paths are, and shows the token to the control listener alone', async () => {
    const guard = createGuard({ token });
    const planes = createPlanes({ guard, control: (path) => path.startsWith('/v1/'), bulk: isBulk });
    const listener = (plane: 'control' | 'bulk'): Promise<RecordingServer> =>
      serve((request, response) => {
        const decision = planes[plane](request);
        if (!decision.ok) return sendAnswer(response, decision.answer);
        response.writeHead(200, decision.bulkUrl === undefined ? {} : { 'X-Bulk-Url': decision.bulkUrl }).end(plane);
      });
    const control = await listener('control');
    const bulk = await listener('bulk');
    const client = createPlaneClient({ url: control.url, token, isBulk });

    expect(await text(client.fetch('/bulk/0'))).toBe('control');
    const where: BulkListener = { tls: false, host: '0.0.0.0', port: bulk.port };
    planes.setBulkListener(where);
    expect(await text(client.fetch('/bulk/1', { method: 'POST', body: 'x' }))).toBe('bulk');
    expect(await text(client.register('/v1/register'))).toBe('control');
    expect(await text(client.fetch('/bulk/2'))).toBe('bulk');
    expect(await text(client.fetch('/v1/status'))).toBe('control');
    expect((await createPlaneClient({ url: control.url, isBulk }).fetch('/bulk/3')).status).toBe(401);

    expect(urls(control)).toEqual(['GET /bulk/0', 'POST /bulk/1', 'GET /v1/register', 'GET /v1/status', 'GET /bulk/3']);
    expect(urls(bulk)).toEqual(['POST /bulk/1', 'GET /bulk/2']);
    expect(control.seen.slice(0, 4).map(({ authorization }) => authorization)).toEqual(Array(4).fill(`Bearer ${SECRET}`));
    expect(secretsIn(bulk.seen.map((seen) => seen.text).join('\n'), [SECRET])).toEqual([]);
  });
});

describe('what goes where', () => {
  it('only bulk paths go to the bulk origin, with their query, method, headers and body', async () => {
    const { bulk, control, client } = await pair();
    const planes = client();
    await planes.fetch('/bulk/1?a=b', { method: 'PUT', headers: { 'X-Own': 'yes' }, body: 'data' });
    await planes.fetch('/bulk/2');
    await planes.fetch('/other?/bulk/3');
    expect(urls(bulk)).toEqual(['PUT /bulk/1?a=b', 'GET /bulk/2']);
    expect(bulk.seen[0]?.text).toMatch(/^x-own$\n^yes$/m);
    expect(bulk.seen[0]?.body.toString()).toBe('data');
    expect(urls(control)).toEqual(['PUT /bulk/1?a=b', 'GET /other?/bulk/3']);
  });

  it('a path is asked about as it is sent', async () => {
    const { bulk, control, client } = await pair();
    const asked: string[] = [];
    const planes = client({ isBulk: (path) => asked.push(path) > 0 && isBulk(path) });
    await planes.fetch('/bulk/x');
    await planes.fetch('/bulk/../secret?x#y');
    await planes.fetch('/bulk/%2e%2e/secret');
    expect(asked).toEqual(['/bulk/x', '/secret', '/secret']);
    expect([urls(bulk), urls(control)]).toEqual([['GET /bulk/x'], ['GET /bulk/x', 'GET /secret?x', 'GET /secret']]);
  });

  it('an `isBulk` that fails, or answers something else, says no', async () => {
    const { bulk, client } = await pair();
    const failing = (): boolean => {
      throw new Error('no');
    };
    for (const rule of [failing, (() => 'yes') as never, (async () => true) as never, (async () => failing()) as never]) {
      expect((await client({ isBulk: rule }).fetch('/bulk/1')).status).toBe(404);
    }
    expect(bulk.seen).toEqual([]);
  });

  it.each([
    'v1',
    '',
    '//evil.example/x',
    '//plane.invalid/x',
    '/\\evil.example/x',
    '\\\\evil.example/x',
    'http://evil.example/x',
    'https:/x',
    '/x\\y',
    '/x\ny',
    '/\t/evil.example/x',
    '/.//evil.example/x',
    '/x/..//evil.example',
    ' /x',
    '/x y',
    '/x\u0000',
    '/x\u007f',
    '@evil.example/x',
    '?x',
    undefined,
    new URL('http://evil.example/x'),
  ])('a path is a path: %j', async (path) => {
    const { control, client } = await pair();
    for (const call of ['fetch', 'register'] as const) {
      await expect(client()[call](path as string)).rejects.toThrow(new TypeError(`${call}: \`path\` must be a path such as '/v1/status'`));
    }
    expect(control.seen).toEqual([]);
  });
});

describe('the token', () => {
  const forms: NonNullable<Parameters<PlaneClient['fetch']>[1]>['headers'][] = [
    { Authorization: 'Bearer own' },
    { authorization: 'Bearer own', AUTHORIZATION: 'Bearer own' },
    [['AuThOrIzAtIoN', 'Bearer own']],
    new Headers({ Authorization: 'Bearer own' }),
  ];

  it.each(forms)(
    'is what the control origin gets, and the bulk origin gets no Authorization, whatever the caller says (%#)',
    async (headers) => {
      const { bulk, control, client } = await pair();
      const planes = client();
      for (const path of ['/bulk/1', '/bulk/2', '/status']) await planes.fetch(path, { headers });
      expect(control.seen.map(({ authorization }) => authorization)).toEqual([`Bearer ${SECRET}`, `Bearer ${SECRET}`]);
      expect(bulk.seen.map(({ authorization }) => authorization)).toEqual([undefined, undefined]);
      expect(secretsIn(bulk.seen.map((seen) => seen.text).join('\n'), [SECRET, 'Bearer own'])).toEqual([]);
    },
  );

  it('is optional: without one there is no Authorization at all', async () => {
    const { control, client } = await pair();
    await client({ token: undefined }).fetch('/status', { headers: { Authorization: 'Bearer own' } });
    expect(control.seen[0]?.authorization).toBeUndefined();
  });

  it('does not follow a redirect', async () => {
    const elsewhere = await serve((_, response) => response.end());
    for (const status of [301, 302, 303, 307, 308]) {
      const control = await serve((_, response) => response.writeHead(status, { Location: `${elsewhere.url}/x` }).end());
      const planes = createPlaneClient({ url: control.url, token, isBulk });
      const answer = await planes.fetch('/status');
      expect([answer.status, answer.headers.get('location')]).toEqual([status, `${elsewhere.url}/x`]);
      expect((await planes.register('/register', { method: 'POST', body: SECRET })).status).toBe(status);
      await expect(planes.fetch('/status', { redirect: 'error' })).rejects.toThrow(TypeError);
    }
    expect(elsewhere.seen).toEqual([]);
  });

  it('does not go to another machine in cleartext', () => {
    for (const url of ['http://gw.example', 'http://0.0.0.0:8443', 'http://localhost.evil.example', 'http://127.0.0.1.evil.example']) {
      const create = (): PlaneClient => createPlaneClient({ url, token, isBulk });
      expect(create).toThrow(expect.objectContaining({ name: 'GuardError', code: 'CLEARTEXT_CREDENTIAL' }));
      expect(create).not.toThrow(SECRET);
      expect(() => createPlaneClient({ url, isBulk })).not.toThrow();
    }
    for (const url of [
      'https://gw.example',
      'http://127.0.0.1:1',
      'http://[::1]:1',
      'http://localhost:1',
      new URL('https://gw.example:1'),
    ]) {
      expect(() => createPlaneClient({ url, token, isBulk })).not.toThrow();
    }
  });
});

describe('a call', () => {
  it('ends with its signal, at either server', async () => {
    const silent = await serve(() => {});
    const { control } = await pair();
    const leading = await serve((_, response) => response.writeHead(404, { 'X-Bulk-Url': silent.url }).end());
    for (const [url, path] of [
      [silent.url, '/status'],
      [leading.url, '/bulk/1'],
    ] as const) {
      const before = silent.seen.length;
      const stopping = new AbortController();
      const ended = expect(createPlaneClient({ url, token, isBulk }).fetch(path, { signal: stopping.signal })).rejects.toThrow('enough');
      await vi.waitFor(() => expect(silent.seen.length).toBe(before + 1), { interval: 5 });
      stopping.abort(new Error('enough'));
      await ended;
    }
    await expect(
      createPlaneClient({ url: control.url, token, isBulk }).register('/x', { signal: AbortSignal.abort(new Error('before')) }),
    ).rejects.toThrow('before');
    expect(control.seen).toEqual([]);
    expect((await createPlaneClient({ url: control.url, token, isBulk }).fetch('/x', { signal: null })).status).toBe(200);
  });

  it('rejects as fetch does if nobody is there, without the token', async () => {
    // A port that no system gives to whoever asks for a free one.
    const error: Error = await createPlaneClient({ url: 'http://127.0.0.1:2', token, isBulk })
      .fetch('/status')
      .then(
        () => new Error('it was answered'),
        (thrown: Error) => thrown,
      );
    expect((error.cause as { code?: string } | undefined)?.code).toBe('ECONNREFUSED');
    expect(secretsIn(`${error.stack} ${String(error.cause)}`, [SECRET])).toEqual([]);
  });

  it.each<[string, unknown]>([
    ['fetch: `redirect` must be \'manual\' or \'error\'', { redirect: 'follow' }], // biome-ignore format: one row
    ['fetch: unknown option `dispatcher`', { dispatcher: {} }],
    ['fetch: `init` must be an object', 'POST'],
    ['fetch: `headers` must be names and values of headers', { headers: { Authorization: `Bearer ${SECRET}\n${SECRET}` } }],
    ['fetch: `headers` must be names and values of headers', { headers: { 'X-Own': `\u20ac${SECRET}` } }],
    ['fetch: `headers` must be names and values of headers', { headers: [['x']] }],
  ])('says %s', async (message, init) => {
    const { control, client } = await pair();
    const error: unknown = await client()
      .fetch('/status', init as object)
      .catch((thrown: unknown) => thrown);
    expect(error).toEqual(new TypeError(message));
    expect(secretsIn(`${(error as Error).stack} ${String((error as Error).cause)}`, [SECRET])).toEqual([]);
    expect(control.seen).toEqual([]);
  });
});

describe('createPlaneClient', () => {
  const url = 'https://gw.example';

  it.each<[RegExp, unknown]>([
    [/`options` must be an object/, null],
    [/unknown option `retries`/, { url, isBulk, retries: 3 }],
    [/`url` must be an origin such as 'https:\/\/control.example.com:8443'/, { isBulk }],
    [/`url` must be an origin/, { url: 'gw.example:8443', isBulk }],
    [/`url` must be an origin/, { url: `https://user:${SECRET}@gw.example`, isBulk }],
    [/`url` must be an origin/, { url: 'https://gw.example/api', isBulk }],
    [/`url` must be an origin/, { url: `https://gw.example/?${SECRET}`, isBulk }],
    [/`url` must be an origin/, { url: 'ftp://gw.example', isBulk }],
    [/`url` must be an origin/, { url: 'file:///x', isBulk }],
    [/`token` must come from bearer\(\)/, { url, isBulk, token: SECRET }],
    [/`token` must come from bearer\(\)/, { url, isBulk, token: apiKey(SECRET) }],
    [/`isBulk` must be a function/, { url }],
    [/`fetchFor` must be a function/, { url, isBulk, fetchFor: fetch.name }],
  ])('says %s', (message, options) => {
    const create = (): PlaneClient => createPlaneClient(options as PlaneClientOptions);
    expect(create).toThrow(TypeError);
    expect(create).toThrow(/^createPlaneClient: /);
    expect(create).toThrow(message);
    expect(create).not.toThrow(SECRET);
  });

  it('prints nothing of the token', () => {
    const client = createPlaneClient({ url, token, isBulk });
    expect(secretsIn(JSON.stringify(Object.entries(client)) + String(client), [SECRET])).toEqual([]);
  });
});
