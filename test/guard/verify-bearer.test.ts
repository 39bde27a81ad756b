import { timingSafeEqual } from 'node:crypto';
import fastify from 'fastify';
import { describe, expect, it, vi } from 'vitest';
import { apiKey, bearer, type Credential } from '../../src/credential/credential.js';
import type { GuardedRequest } from '../../src/guard/request.js';
import { type BearerVerification, verifyBearer } from '../../src/guard/verify-bearer.js';
import { listening, rawRequest } from './raw-http.js';

// The real one, counted.
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>();
  return { ...crypto, timingSafeEqual: vi.fn(crypto.timingSafeEqual) };
});

const SECRET = 'tok-9f8e7d6c5b4a39281706f5e4d3c2b1a0';
const token = bearer(SECRET);
const saying = (authorization: string | string[] | undefined): GuardedRequest => ({ headers: { authorization } });
const reasonOf = (request: unknown): string => {
  const verification = verifyBearer(request as GuardedRequest, token);
  return verification.ok ? 'ok' : verification.reason;
};

describe('verifyBearer', () => {
  it.each([`Bearer ${SECRET}`, `bearer ${SECRET}`, `BEARER ${SECRET}`, `bEaReR   ${SECRET}`])('lets in: %s', (value) => {
    expect(verifyBearer(saying(value), token)).toEqual({ ok: true });
    expect(verifyBearer({ headers: new Headers({ Authorization: value }) }, token)).toEqual({ ok: true });
    expect(verifyBearer({ headers: { AUTHORIZATION: [value] } }, token)).toEqual({ ok: true });
  });

  it.each([
    ['missing', undefined],
    ['missing', []],
    ['malformed', ''],
    ['malformed', 'Bearer'],
    ['malformed', 'Bearer '],
    ['malformed', SECRET],
    ['malformed', `Basic ${Buffer.from(`user:${SECRET}`).toString('base64')}`],
    ['malformed', `Bearer${SECRET}`],
    ['malformed', `Bearer\t${SECRET}`],
    ['malformed', `Bearer ${SECRET} ${SECRET}`],
    ['malformed', `Bearer ${SECRET}, Bearer ${SECRET}`],
    ['malformed', `X Bearer ${SECRET}`],
    ['malformed', `Bearer ${SECRET}\n`],
    ['malformed', 'Bearer tökén'],
    ['malformed', `Bearer ${SECRET}\u2028`],
    ['malformed', 'Bearer \u0000'],
    ['malformed', [`Bearer ${SECRET}`, `Bearer ${SECRET}`]],
    ['mismatch', 'Bearer x'],
    ['mismatch', `Bearer ${SECRET}x`],
    ['mismatch', `Bearer ${SECRET.slice(0, -1)}`],
    ['mismatch', `Bearer ${SECRET.toUpperCase()}`],
    ['mismatch', `Bearer ${'a'.repeat(100_000)}`],
  ])('refuses as %s: %j', (reason, value) => {
    expect(verifyBearer(saying(value as string), token)).toEqual({ ok: false, reason });
  });

  it.each(['x', SECRET, 'a'.repeat(1000)])('compares digests of one length, in constant time, whatever is presented (%#)', (value) => {
    vi.mocked(timingSafeEqual).mockClear();
    verifyBearer(saying(`Bearer ${value}`), token);
    expect(vi.mocked(timingSafeEqual).mock.calls.map((pair) => pair.map(({ byteLength }) => byteLength))).toEqual([[32, 32]]);
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'request'],
    ['no headers', {}],
    ['null headers', { headers: null }],
    ['headers that are a text', { headers: `authorization: Bearer ${SECRET}` }],
    ['a value that is a number', { headers: { authorization: 5 } }],
    [
      'a getter that throws',
      {
        get headers(): never {
          throw new Error('no');
        },
      },
    ],
    [
      'headers that throw',
      {
        headers: {
          get: () => {
            throw new Error('no');
          },
        },
      },
    ],
    ['a proxy that throws', new Proxy({}, { get: () => { throw new Error('no'); } })], // biome-ignore format: one row
    ['raw headers that are none', { headers: {}, rawHeaders: 7 }],
    ['raw headers that hold something else', { headers: {}, rawHeaders: [null, 1, Symbol('x')] }],
  ])('throws nothing for %s', (_, request) => {
    expect(reasonOf(request)).toBe('missing');
  });

  it('reads a frozen request', () => {
    expect(reasonOf(Object.freeze({ headers: Object.freeze({ authorization: `Bearer ${SECRET}` }) }))).toBe('ok');
  });

  it.each([undefined, SECRET, {}, apiKey('key')])('says so if the token is none (%#)', (value) => {
    expect(() => verifyBearer(saying(undefined), value as Credential)).toThrow(/^verifyBearer: `token` must come from bearer\(\)$/);
  });
});

describe('verifyBearer on real HTTP', () => {
  const verdicts = async (lines: readonly string[]): Promise<BearerVerification> => {
    const server = await listening((request, response) => response.end(JSON.stringify(verifyBearer(request, token))));
    const { body } = await rawRequest(server.port, '/', lines).finally(() => server.close());
    return JSON.parse(body) as BearerVerification;
  };

  it('lets the token in once', async () => {
    expect(await verdicts([`authorization: Bearer ${SECRET}  `])).toEqual({ ok: true });
  });

  it.each([
    [`Authorization: Bearer ${SECRET}`, `Authorization: Bearer ${SECRET}`],
    [`Authorization: Bearer ${SECRET}`, 'authorization: Bearer other'],
    ['AUTHORIZATION: Bearer other', `Authorization: Bearer ${SECRET}`],
    [`Authorization: Bearer ${SECRET}`, 'Authorization:'],
  ])('a header that was sent twice is malformed, though Node keeps the first only: %s / %s', async (...lines) => {
    expect(await verdicts(lines)).toEqual({ ok: false, reason: 'malformed' });
  });

  it('bytes that are no ASCII are refused', async () => {
    expect(await verdicts(['Authorization: Bearer t\xf6k\xe9n'])).toEqual({ ok: false, reason: 'malformed' });
  });

  it("Fastify's own request, whose raw headers are one level below", async () => {
    const app = fastify();
    app.get('/', async (request) => verifyBearer(request, token));
    await app.listen({ port: 0, host: '127.0.0.1' });
    try {
      const { port } = app.server.address() as { port: number };
      const once = await rawRequest(port, '/', [`Authorization: Bearer ${SECRET}`]);
      const twice = await rawRequest(port, '/', [`Authorization: Bearer ${SECRET}`, 'Authorization: Bearer other']);
      expect([once.body, twice.body]).toEqual(['{"ok":true}', '{"ok":false,"reason":"malformed"}']);
    } finally {
      await app.close();
    }
  });
});
