import { describe, expect, it } from 'vitest';
import { isSecretHeader, isSecretName, redactText } from '../../src/adapters/sentry/redact.js';
import { Scrubber } from '../../src/adapters/sentry/scrub.js';

const VALUE = 'Zx9-value.1234567890';
const JWT = `eyJhbGciOiJIUzI1NiJ9.${'eyJzdWIiOiIxIn0'}.abc-_DEF`;

describe('redactText', () => {
  it.each([
    [`Authorization: Bearer ${VALUE}`, 'Authorization: [redacted]'],
    [`sent BEARER ${VALUE}, twice`, 'sent BEARER [redacted], twice'],
    [`auth=Bearer%20${VALUE}&x=1`, 'auth=Bearer%20[redacted]&x=1'],
    [`401 for Basic ${Buffer.from(`user:${VALUE}`).toString('base64')}`, '401 for Basic [redacted]'],
    [`token ${JWT} expired`, 'token [redacted] expired'],
    [`eyJhbGciOiJub25lIn0.${'eyJzdWIiOiIxIn0'}. unsigned`, '[redacted] unsigned'],
    [`Incorrect API key provided: sk-ant-${'a1b2'.repeat(6)}`, 'Incorrect API key provided: [redacted]'],
    [`GET https://api.test/v1?key=${VALUE}&alt=sse#top`, 'GET https://api.test/v1?key=[redacted]&alt=sse#top'],
    [`?access_token=${VALUE}&page=2`, '?access_token=[redacted]&page=2'],
    [`next=%2Fv1%3Ftoken%3D${VALUE}`, 'next=%2Fv1%3Ftoken%3D[redacted]'],
    [`{"model":"m","apiKey":"${VALUE}"}`, '{"model":"m","apiKey":"[redacted]"}'],
    [JSON.stringify(JSON.stringify({ token: VALUE, n: 1 })), '"{\\"token\\":\\"[redacted]\\",\\"n\\":1}"'],
    [`{ 'x-api-key': '${VALUE}', n: 1 }`, "{ 'x-api-key': '[redacted]', n: 1 }"],
    [`const password = "${VALUE}";`, 'const password = "[redacted]";'],
    [
      `host: a\r\nx-api-key: ${VALUE}\r\ncookie: a=${VALUE}; b=2\r\naccept: */*`,
      'host: a\r\nx-api-key: [redacted]\r\ncookie: [redacted]\r\naccept: */*',
    ],
    [`https://user:${VALUE}@proxy.test:8080/`, 'https://[redacted]@proxy.test:8080/'],
  ])('takes the credential out of %j', (text, redacted) => {
    expect(redactText(text)).toBe(redacted);
    // Again changes nothing more.
    expect(redactText(redacted)).toBe(redacted);
  });

  it.each([
    'The bearer token was rejected',
    'Bearer authentication is required',
    'basic validation failed',
    'Unexpected token: }',
    'Unexpected token < in JSON at position 0',
    'sentry-public_key=abc',
    "cache.get({ key: 'session:42' })",
    'http://pub@127.0.0.1:4000/42',
    'http://localhost:3000/a?page=2&sort=asc',
    'max_tokens: 12',
    'incident 1a2b3c4d, session one',
    '',
  ])('leaves %j alone', (text) => {
    expect(redactText(text)).toBe(text);
  });

  it('takes linear time with whatever it is given, and cuts what is too long', () => {
    const hostile = [
      'bearer ',
      'Basic a',
      'eyJ',
      'eyJ.',
      '-eyJ',
      'sk-',
      '://',
      '://a:',
      'token=',
      'key%3D',
      'x-x-',
      '"token":"',
      'cookie: ',
      "'",
      '\\',
      'a',
    ];
    for (const piece of hostile) {
      const text = piece.repeat(Math.ceil(200_000 / piece.length));
      const before = performance.now();
      expect(redactText(text).length).toBeLessThanOrEqual(200_000);
      // Quadratic would be seconds.
      expect(performance.now() - before).toBeLessThan(1_000);
    }
    expect(redactText('a'.repeat(100_000))).toHaveLength(65_536 + '… [cut]'.length);
  });
});

describe('names', () => {
  it.each([
    'authorization',
    'Proxy-Authorization',
    'cookie',
    'set-cookie',
    'x-api-key',
    'X-Goog-Api-Key',
    'api-key',
    'x-some-token',
    'x_client_secret',
    'accessToken',
    'PASSWORD',
    'tokens',
    'http.request.header.x_some_key',
  ])('%s is secret wherever it stands', (name) => {
    expect(isSecretName(name, false)).toBe(true);
  });

  it.each(['x-some-key', 'key', 'sig'])('%s is secret among headers and parameters', (name) => {
    expect(isSecretName(name, false)).toBe(false);
    expect(isSecretName(name, true)).toBe(true);
  });

  it.each(['public_key', 'max_tokens_used', 'keyboard', 'tokenizer', 'id', ''])('%j is not', (name) => {
    expect(isSecretName(name, true)).toBe(false);
  });

  it('a list of raw headers is read as one', () => {
    expect(isSecretHeader('x-some-token')).toBe(true);
    expect(isSecretHeader('token')).toBe(false);
    const raw = ['Host', 'a', 'X-Some-Token', VALUE, 'Cookie', `a=${VALUE}`];
    expect(new Scrubber().property('any', raw)).toEqual(['Host', 'a', 'X-Some-Token', '[redacted]', 'Cookie', '[redacted]']);
    expect(new Scrubber().property('any', [['x-api-key', VALUE]])).toEqual([['x-api-key', '[redacted]']]);
  });
});

describe('Scrubber', () => {
  const scrub = (value: unknown): unknown => new Scrubber().property('extra', value);

  it('gives back what needs no change, and never writes into what it is given', () => {
    const plain = { a: [1, 'two', { three: null }], when: new Date(0), none: undefined };
    expect(scrub(plain)).toBe(plain);
    const frozen = Object.freeze({ same: plain, token: VALUE });
    const clean = scrub(frozen) as { same: unknown; token: string };
    expect(clean).toEqual({ same: plain, token: '[redacted]' });
    expect(clean.same).toBe(plain);
  });

  it('replaces all that is under a secret name, and leaves what is no text', () => {
    expect(scrub({ cookies: { sid: VALUE, n: 1 }, tokens: [VALUE, { deep: VALUE }], token: '', usage: { input_tokens: 12 } })).toEqual({
      cookies: { sid: '[redacted]', n: 1 },
      tokens: ['[redacted]', { deep: '[redacted]' }],
      token: '',
      usage: { input_tokens: 12 },
    });
  });

  it('reads headers, queries and parameters by their looser rule, and only those', () => {
    expect(scrub({ headers: { 'x-some-key': VALUE, accept: 'a' }, query: { key: VALUE }, map: { key: 'k' } })).toEqual({
      headers: { 'x-some-key': '[redacted]', accept: 'a' },
      query: { key: '[redacted]' },
      map: { key: 'k' },
    });
  });

  it('the same object is judged by where it stands', () => {
    const shared = { sid: VALUE };
    expect(scrub({ plain: shared, cookies: shared, again: shared })).toEqual({
      plain: shared,
      cookies: { sid: '[redacted]' },
      again: shared,
    });
  });

  it('ends with cycles, depth and what is shared a million times', () => {
    const cyclic: Record<string, unknown> = { token: VALUE };
    cyclic['self'] = cyclic;
    expect(scrub(cyclic)).toEqual({ token: '[redacted]', self: '[circular]' });
    const cookies: Record<string, unknown> = { sid: VALUE };
    cookies['self'] = [cookies, cookies];
    expect(JSON.stringify(scrub({ cookies }))).not.toContain(VALUE);

    let deep: unknown = { token: VALUE };
    for (let level = 0; level < 10_000; level++) deep = [deep];
    expect(JSON.stringify(scrub(deep))).not.toContain(VALUE);

    let wide: unknown = { token: VALUE };
    for (let level = 0; level < 25; level++) wide = [wide, wide];
    let leaf = scrub({ wide, headers: wide, cookies: wide });
    for (const name of ['cookies', ...Array<number>(25).fill(1)]) leaf = (leaf as Record<string | number, unknown>)[name];
    expect(leaf).toEqual({ token: '[redacted]' });
  });

  it('takes what toJSON gives, and a getter, a proxy or a redact that throws for what they are', () => {
    expect(scrub({ a: { toJSON: () => ({ token: VALUE }) } })).toEqual({ a: { token: '[redacted]' } });
    const broken = {
      ok: 1,
      get bad(): string {
        throw new Error('no');
      },
    };
    expect(scrub(broken)).toEqual({ ok: 1, bad: '[unreadable]' });
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(scrub({ proxy, token: VALUE })).toEqual({ proxy: '[unreadable]', token: '[redacted]' });
    const throwing = new Scrubber(() => {
      throw new Error('no');
    });
    expect(throwing.property('a', `Bearer ${VALUE}`)).toBe('Bearer [redacted]');
    expect(new Scrubber(() => undefined as never).property('a', `Bearer ${VALUE}`)).toBe('Bearer [redacted]');
  });
});
