import { createServer } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { serve } from '@hono/node-server';
import express, { Router } from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { afterEach, describe, expect, it } from 'vitest';
import type { OperatorOptions } from '../../src/operator/options.js';
import { placeOf } from '../../src/operator/place.js';
import { type Asking, AUTHORIZED, ask, listening, type Made, makeOperator, postForm, postJson, type Reply, TOKEN } from './mounted.js';

type Ask = (path: string, asking?: Asking) => Promise<Reply>;

describe('an operator handler, mounted', () => {
  const endings: (() => unknown)[] = [];
  const made = (options: Partial<OperatorOptions> = {}): Made => {
    const own = makeOperator(options);
    endings.push(() => own.operator.close());
    return own;
  };
  const asking =
    (port: number): Ask =>
    (path, asked) =>
      ask(port, path, asked);
  const open = async (server: Server): Promise<Ask> => {
    endings.push(() => server.close());
    return asking(await listening(server));
  };

  afterEach(async () => {
    for (const end of endings.splice(0)) await end();
  });

  /** What holds wherever it is mounted. */
  const expectToWork = async (at: string, asked: Ask, { latchkey, audit }: Made): Promise<void> => {
    expect((await asked(`${at}/health`)).body).toBe('{"ok":true}');
    expect((await asked(`${at}/status`)).status).toBe(401);
    expect((await asked(`${at}/status`, { headers: AUTHORIZED })).status).toBe(200);
    expect((await asked(`${at}/explain?session=ada`, { headers: AUTHORIZED })).status).toBe(200);
    for (const path of ['/status/', '//status', '/%73tatus', '/nothing', `${at || '/x'}/status`]) {
      expect({ path, status: (await asked(`${at}${path}`, { headers: AUTHORIZED })).status }).toEqual({ path, status: 404 });
    }
    const slashless = await asked(at, { headers: { accept: 'text/html' } });
    expect([slashless.status, slashless.headers.location]).toEqual(
      at === '' ? [302, './login'] : [308, `.${at.slice(at.lastIndexOf('/'))}/`],
    );

    const entered = await asked(`${at}/login`, postForm(`token=${TOKEN}`));
    expect(entered.status).toBe(303);
    const [cookie = ''] = entered.headers['set-cookie'] ?? [];
    expect((await asked(`${at}/`, { headers: { cookie: cookie.split(';')[0]! } })).status).toBe(200);

    latchkey.evict('ada');
    audit.length = 0;
    expect((await asked(`${at}/evict`, postJson({ session: 'ada' }))).body).toBe('{"ok":true,"slots":0}');
    expect(audit).toMatchObject([{ event: 'operator.evict', fields: { session: 'ada' } }]);
    expect((await asked(`${at}/evict`, postJson({ session: 1 }))).status).toBe(400);
    expect((await asked(`${at}/evict`, postJson({ session: 'x'.repeat(40_000) }))).status).toBe(413);
  };

  it('on node:http, at the root', async () => {
    const own = made();
    await expectToWork('', await open(createServer(own.operator.handle)), own);
  });

  it('on node:http, below a base path', async () => {
    const own = made({ basePath: '/gw/operator' });
    await expectToWork('/gw/operator', await open(createServer(own.operator.handle)), own);
  });

  describe.each([
    ['as it is', []],
    ['behind its parsers', [express.json(), express.urlencoded({ extended: false })]],
    ['behind parsers of text and bytes', [express.text({ type: 'application/json' }), express.raw({ type: '*/*' })]],
  ])('on Express, %s', (_how, parsers) => {
    const app = () => {
      const own = express();
      for (const parser of parsers) own.use(parser);
      return own;
    };

    it('mounted at a path', async () => {
      const own = made();
      await expectToWork('/operator', await open(createServer(app().use('/operator', own.operator.handle))), own);
    });

    it('mounted at a path that it is told as well', async () => {
      const own = made({ basePath: '/operator' });
      await expectToWork('/operator', await open(createServer(app().use('/operator', own.operator.handle))), own);
    });

    it('in a router, below a base path', async () => {
      const own = made({ basePath: '/operator' });
      const router = Router().use(own.operator.handle);
      await expectToWork('/gw/operator', await open(createServer(app().use('/gw', router))), own);
    });

    it('for everything, below a base path', async () => {
      const own = made({ basePath: '/operator' });
      await expectToWork('/operator', await open(createServer(app().use(own.operator.handle))), own);
    });
  });

  it('on Express, mounted where its base path is not, leads nowhere', async () => {
    const own = made({ basePath: '/operator' });
    const asked = await open(createServer(express().use('/gw', own.operator.handle)));
    for (const path of ['/gw', '/gw/', '/operator']) {
      const { status, headers } = await asked(path, { headers: AUTHORIZED });
      expect([path, status, headers.location]).toEqual([path, 404, undefined]);
    }
    expect((await asked('/gw/operator')).headers.location).toBe('./operator/');
  });

  it('on Express leads to its slash only from where it is mounted, and to no other host', async () => {
    const own = made();
    const asked = await open(createServer(express().use('/operator', own.operator.handle)));
    expect((await asked('/OPERATOR?next=//evil.example')).headers.location).toBe('./OPERATOR/');
    expect((await asked('/operator/', { headers: { accept: 'text/html' } })).headers.location).toBe('./login');
    for (const path of ['//evil.example/operator', '//operator', '/operator//evil.example', '/operator/%2f%2fevil.example']) {
      const { status, headers } = await asked(path, { headers: AUTHORIZED });
      expect([path, status, headers.location]).toEqual([path, 404, undefined]);
    }
  });

  it('on Express with dynamic mounts, leads to a slash only where that is a plain path', async () => {
    const own = made();
    const asked = await open(createServer(express().use('/:tenant', own.operator.handle)));
    expect((await asked('/acme')).headers.location).toBe('./acme/');
    for (const path of ['/%5Cevil.example', '/%2F%2Fevil.example', '/a%0d%0ab', '/..%2f']) {
      const { status, headers } = await asked(path);
      expect([path, status, headers.location]).toEqual([path, 404, undefined]);
    }
  });

  describe('on Fastify', () => {
    it('by its raw pair, with the body left to it', async () => {
      const own = made({ basePath: '/operator' });
      const app = fastify();
      app.register(async (scope) => {
        scope.removeAllContentTypeParsers();
        scope.addContentTypeParser('*', (_request, _body, done) => done(null));
        for (const path of ['/operator', '/operator/*']) {
          scope.all(path, (request, reply) => {
            reply.hijack();
            return own.operator.handle(request.raw, reply.raw);
          });
        }
      });
      endings.push(() => app.close());
      await app.listen({ port: 0, host: '127.0.0.1' });
      const asked = asking((app.server.address() as AddressInfo).port);
      // Fastify folds nothing by default, and knows no path of two slashes here.
      await expectToWork('/operator', asked, own);
    });

    it('says so if Fastify has eaten the body, and waits for nothing', async () => {
      const own = made({ basePath: '/operator' });
      const app = fastify();
      app.all('/operator/*', (request, reply) => {
        reply.hijack();
        return own.operator.handle(request.raw, reply.raw);
      });
      endings.push(() => app.close());
      await app.listen({ port: 0, host: '127.0.0.1' });
      const asked = asking((app.server.address() as AddressInfo).port);
      const answer = await asked('/operator/evict', postJson({ session: 'ada' }));
      expect([answer.status, answer.body]).toEqual([500, '{"error":"internal error"}']);
      expect(own.errors).toEqual([
        new TypeError('handle: the body of the request has been read before, and `request.body` does not hold it'),
      ]);
    });
  });

  describe('on Hono', () => {
    const opened = (app: Hono): Promise<Ask> =>
      new Promise((resolve) => {
        const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => resolve(asking(port)));
        endings.push(() => server.close());
      });

    it('mounted, which takes the path off', async () => {
      const own = made();
      const asked = await opened(new Hono().mount('/operator', own.operator.fetch));
      expect((await asked('/operator/health')).body).toBe('{"ok":true}');
      expect((await asked('/operator/status')).status).toBe(401);
      expect((await asked('/operator/status', { headers: AUTHORIZED })).status).toBe(200);
      expect((await asked('/operator/evict', postJson({ session: 'ada' }))).status).toBe(200);
    });

    it('below a base path', async () => {
      const own = made({ basePath: '/operator' });
      await expectToWork('/operator', await opened(new Hono().all('/operator/*', (c) => own.operator.fetch(c.req.raw))), own);
    });
  });
});

describe('placeOf', () => {
  it.each(['/operators', '/operators/status', '/operator?/status', '/Operator/status', '/', ''])(
    'finds %s not below /operator',
    (target) => {
      const place = placeOf({ target, mount: '', wholeTarget: target }, '/operator');
      expect(place).toEqual(target === '/operator?/status' ? { redirect: './operator/' } : undefined);
    },
  );
});

describe('an operator handler on HTTP/2', () => {
  it('answers, takes actions of its own origin, and streams', async () => {
    const { operator, latchkey } = makeOperator();
    const server = createHttp2Server(operator.handle);
    const port = await listening(server);
    const client = connectHttp2(`http://127.0.0.1:${port}`);
    const asked = (headers: Record<string, string>, body?: string): Promise<{ status: unknown; text: string }> =>
      new Promise((resolve, reject) => {
        const stream = client.request({ ...AUTHORIZED, ...headers });
        let status: unknown;
        let text = '';
        stream.on('response', (answer) => {
          status = answer[':status'];
        });
        stream.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
          if (headers[':path'] === '/events') stream.close();
        });
        stream.on('close', () => resolve({ status, text })).on('error', reject);
        stream.end(body);
      });
    const evict = { ':path': '/evict', ':method': 'POST', 'content-type': 'application/json' };
    expect(await asked({ ':path': '/health' })).toEqual({ status: 200, text: '{"ok":true}' });
    expect((await asked({ ...evict, origin: `http://127.0.0.1:${port}` }, '{"session":"ada"}')).status).toBe(200);
    expect((await asked({ ...evict, origin: 'http://evil.example' }, '{"session":"ada"}')).status).toBe(403);
    expect((await asked(evict, ' '.repeat(40_000))).status).toBe(413);
    expect(await asked({ ':path': '/events' })).toMatchObject({ status: 200, text: expect.stringContaining('retry: ') });
    client.destroy();
    operator.close();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await latchkey.close();
  });
});

describe('an operator handler, given a Request', () => {
  it('takes the path as the URL has it, and a body of its own', async () => {
    const { operator, latchkey, audit } = makeOperator();
    const at = (path: string, init?: RequestInit): Promise<Response> => operator.fetch(new Request(`http://gw.example${path}`, init));
    expect((await at('/status', { headers: AUTHORIZED })).status).toBe(200);
    expect((await at('//status', { headers: AUTHORIZED })).status).toBe(404);
    expect((await at('/%73tatus', { headers: AUTHORIZED })).status).toBe(404);
    expect((await at('/nothing')).status).toBe(404);
    expect((await at('', { headers: AUTHORIZED })).status).toBe(200);
    const head = await at('/status', { method: 'HEAD', headers: AUTHORIZED });
    expect([head.status, await head.text()]).toEqual([200, '']);

    const { method, body, headers } = postJson({ session: 'ada' }) as RequestInit;
    expect((await at('/evict', { method, body, headers } as RequestInit)).status).toBe(200);
    expect((await at('/evict', { method, body: ' '.repeat(40_000), headers } as RequestInit)).status).toBe(413);
    const own = { ...headers, origin: 'http://gw.example' };
    expect((await at('/evict', { method, body, headers: own } as RequestInit)).status).toBe(200);
    expect((await at('/evict', { method, body, headers: { ...own, origin: 'http://evil.example' } } as RequestInit)).status).toBe(403);
    expect(audit.map(({ event }) => event)).toEqual(['operator.evict', 'operator.evict', 'operator.refused']);
    operator.close();
    await latchkey.close();
  });

  it('says so if the body has been read before', async () => {
    const { operator, errors } = makeOperator();
    const request = new Request('http://gw.example/evict', postJson({ session: 'ada' }) as RequestInit);
    await request.text();
    expect((await operator.fetch(request)).status).toBe(500);
    expect(errors).toEqual([new TypeError('fetch: the body of the request has been read before')]);
    operator.close();
  });
});
