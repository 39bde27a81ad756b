import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { apiKey, bearer } from '../../src/credential/credential.js';
import { type AuditLogOptions, openAuditLog } from '../../src/guard/audit-log.js';
import { manualClock } from '../support/clock.js';
import { secretsIn } from '../support/secret-forms.js';
import { auditFolder, linesOf } from './audit-folder.js';

const folder = auditFolder();

/** One record, parsed, and as it stands in the file. */
function recorded(fields: object | undefined, payload?: unknown, options: Partial<AuditLogOptions> = {}, event = 'pause') {
  const path = folder.at('audit.jsonl');
  const warnings: Error[] = [];
  const log = openAuditLog({ path, clock: manualClock(), onWarning: (warning) => warnings.push(warning), ...options });
  expect(log.record(event, fields, payload)).toBe(true);
  log.close();
  expect(warnings).toEqual([]);
  const [line] = linesOf(path).slice(-1);
  return { line: line as Record<string, unknown>, text: readFileSync(path, 'utf8').trimEnd().split('\n').at(-1) as string };
}
const value = (of: unknown): unknown => recorded({ value: of }).line['value'];
const nested = (levels: number): unknown => (levels === 0 ? 'core' : { in: nested(levels - 1) });
const thrower = (): never => {
  throw new Error('hands off');
};

describe('a line', () => {
  it('has nothing left of a credential that another is the beginning of', () => {
    for (const credentials of [
      [bearer('prod-key'), bearer('prod-key-9f8e7d6c5b4a')],
      [bearer('prod-key-9f8e7d6c5b4a'), bearer('prod-key')],
    ]) {
      const { line } = recorded({ url: '/?k=prod-key-9f8e7d6c5b4a&l=prod-key' }, undefined, { credentials });
      expect(line['url']).toBe(`/?k=${bearer('prod-key-9f8e7d6c5b4a')}&l=${bearer('prod-key')}`);
    }
  });

  it('has a time in UTC, with milliseconds and its offset', () => {
    const { line } = recorded(undefined, undefined, { clock: manualClock(Date.UTC(2026, 6, 3, 4, 5, 6, 7)) });
    expect(line).toEqual({ ts: '2026-07-03T04:05:06.007+00:00', event: 'pause' });
  });

  it.each([
    ['throws', thrower],
    ['gives no time', () => Number.NaN],
  ])('has a time even if the clock %s', (_, now) => {
    expect(recorded(undefined, undefined, { clock: { now } }).line['ts']).toMatch(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$/);
  });

  it('keeps its own members, whatever the fields say', () => {
    const { line, text } = recorded({ by: 'ann', ts: 'never', event: 'other', payload: { token: 't' }, truncated: true });
    expect(line).toEqual({ ts: '2026-01-01T00:00:00.000+00:00', event: 'pause', by: 'ann' });
    expect(text).toMatch(/^\{"ts":"[^"]+","event":"pause",/);
  });

  it('has own fields only, and `__proto__` is one like any other', () => {
    const fields = Object.create({ inherited: 1 }) as Record<string, unknown>;
    Object.defineProperty(fields, '__proto__', { value: { ts: 'never', polluted: true }, enumerable: true });
    fields['by'] = 'ann';
    const { text } = recorded(fields);
    expect(text).toContain('"__proto__":{"ts":"never","polluted":true},"by":"ann"');
    expect(text).not.toContain('inherited');
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it.each([
    ['no fields', undefined],
    ['null', null],
    ['a text', 'text'],
    ['a proxy that throws', new Proxy({}, { ownKeys: thrower })],
  ])('is written with %s', (_, fields) => {
    expect(recorded(fields as never).line).toEqual({ ts: '2026-01-01T00:00:00.000+00:00', event: 'pause' });
  });

  it('is written for an event that is no text', () => {
    expect(recorded({ by: 'ann' }, undefined, {}, Symbol('pause') as never).line).toMatchObject({ event: 'unknown', by: 'ann' });
  });
});

describe('a payload', () => {
  const actions = { pause: ['reason', 'scope', '__proto__', 'toString'], resume: [] };

  it('is reduced to what its event allows', () => {
    const payload = { token: 't-1', reason: 'late', scope: { tenant: 'a', tags: ['x', 1] } };
    expect(recorded({ by: 'ann' }, payload, { actions }).line).toEqual({
      ts: '2026-01-01T00:00:00.000+00:00',
      event: 'pause',
      by: 'ann',
      payload: { reason: 'late', scope: { tenant: 'a', tags: ['x', 1] } },
    });
  });

  it.each(['resume', 'delete', 'toString', '__proto__', 'constructor'])('is empty for %s', (event) => {
    expect(recorded({}, { token: 't-1', reason: 'late' }, { actions }, event).line['payload']).toEqual({});
  });

  it.each([
    ['a text', 'reason=late'],
    ['null', null],
    ['a list', ['late']],
    ['a number', 5],
    ['a proxy that throws', new Proxy({}, { getOwnPropertyDescriptor: thrower })],
    ['an inherited field', Object.create({ reason: 'late' })],
  ])('is empty if it is %s', (_, payload) => {
    expect(recorded({}, payload, { actions }).line['payload']).toEqual({});
  });

  it('without allow-lists is empty; none given is none written', () => {
    expect(recorded({}, { reason: 'late' }).line['payload']).toEqual({});
    expect(recorded({}).line).not.toHaveProperty('payload');
  });
});

describe('a value', () => {
  const circular: Record<string, unknown> = { name: 'ring', list: [] };
  circular['self'] = circular;
  (circular['list'] as unknown[]).push(circular);

  it.each<[string, unknown, unknown]>([
    ['circular', circular, { name: 'ring', list: ['[circular]'], self: '[circular]' }],
    ['twice in one place', (([one]) => [one, one])([{ a: 1 }]), [{ a: 1 }, { a: 1 }]],
    ['a BigInt', 2n ** 70n, '1180591620717411303424'],
    ['a function', thrower, '[function]'],
    ['a symbol', Symbol('secret'), '[symbol]'],
    ['no number', [Number.NaN, Number.POSITIVE_INFINITY, -0, 1.5], ['NaN', 'Infinity', 0, 1.5]],
    ['missing', [undefined, null, { none: undefined }], [null, null, {}]],
    ['a date', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['no date', new Date(Number.NaN), '[invalid date]'],
    ['an error', Object.assign(new RangeError('too far'), { request: { token: 't' } }), { name: 'RangeError', message: 'too far' }],
    ['a credential', bearer('secret-of-a-call'), String(bearer('secret-of-a-call'))],
    ['a map', new Map<unknown, unknown>([[{ k: 1 }, new Set(['v'])]]), [[{ k: 1 }, ['v']]]],
    ['bytes', [Buffer.from('secret'), new ArrayBuffer(3)], ['[6 bytes]', '[3 bytes]']],
    ['a URL', new URL('http://h/p'), 'http://h/p'],
    ['a toJSON', { toJSON: () => ({ a: 1, toJSON: thrower }) }, { a: 1, toJSON: '[function]' }],
    ['a toJSON that throws', { toJSON: thrower }, '[unreadable]'],
    ['a toJSON that comes later, and fails', { toJSON: async () => thrower() }, '[unreadable]'],
    ['a toJSON of a credential', { toJSON: () => bearer('secret-of-a-call') }, String(bearer('secret-of-a-call'))],
    [
      'a getter that throws',
      {
        a: 1,
        get b() {
          return thrower();
        },
      },
      { a: 1, b: '[unreadable]' },
    ],
    ['a proxy that throws', new Proxy({}, { get: thrower }), '[unreadable]'],
    [
      'an error whose message throws',
      Object.defineProperty(new Error(''), 'message', { get: thrower }),
      { name: 'Error', message: '[unreadable]' },
    ],
    ['without a prototype', Object.assign(Object.create(null), { a: true }), { a: true }],
    ['half of a character', 'a\ud800b', 'a\ud800b'],
  ])('that is %s', (_, given, written) => {
    expect(value(given)).toEqual(written);
  });

  it('a revoked proxy', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(value(proxy)).toBe('[unreadable]');
  });

  it('can neither end a line nor speak to a terminal', () => {
    const nasty = 'a\u2028b\u2029c\nd\re\u0000f\u001b[2Jg\u009bh\u0085i\u202ej\ufeffk\u{e0001}l';
    const { line, text } = recorded({ [nasty]: nasty });
    expect(line[nasty]).toBe(nasty);
    expect(text).toMatch(/^[\x20-\x7e]+$/);
  });
});

describe('a line is bounded', () => {
  const lengthOf = (text: string): number => Buffer.byteLength(text) + 1;

  it('a text has 1,024 characters, and is not cut in the middle of one', () => {
    const { line } = recorded({ fits: 'x'.repeat(1_024), long: 'y'.repeat(1_025), pairs: '😀'.repeat(600) });
    expect(line['fits']).toBe('x'.repeat(1_024));
    expect(line['long']).toBe(`${'y'.repeat(1_023)}…`);
    expect(line['pairs']).toBe(`${'😀'.repeat(511)}…`);
    expect(line['truncated']).toBe(true);
  });

  it('a text too long to be looked through is not shown', () => {
    expect(recorded({ huge: 'x'.repeat(10_000_000) }).line).toMatchObject({ huge: '[10000000 characters]', truncated: true });
  });

  it('a value has six levels', () => {
    const { line } = recorded({ six: nested(6) });
    expect(line['six']).toEqual(nested(6));
    expect(line).not.toHaveProperty('truncated');
    const deeper = recorded({ seven: nested(7), lists: [[[[[[[1]]]]]]] }).line;
    expect(deeper).toMatchObject({
      seven: { in: { in: { in: { in: { in: { in: '[too deep]' } } } } } },
      lists: [[[[[['[too deep]']]]]]],
      truncated: true,
    });
  });

  it.each<[string, () => object]>([
    ['many fields', () => Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`field ${n}`, n]))],
    ['many fields that are undefined', () => Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`field ${n}`, undefined]))],
    ['a long list', () => ({ list: Array.from({ length: 1_000_000 }, (_, n) => n) })],
    ['a list of holes', () => ({ list: new Array(4_000_000_000) })],
    ['long texts', () => ({ list: Array.from({ length: 64 }, () => '\u2028'.repeat(1_024)) })],
    ['long texts of three bytes a character', () => ({ list: Array.from({ length: 64 }, () => '語'.repeat(1_024)) })],
    ['long names', () => Object.fromEntries(Array.from({ length: 64 }, (_, n) => [`${n}${'n'.repeat(2_000)}`, n]))],
    ['a wide tree', () => ({ tree: Array.from({ length: 200 }, () => Array.from({ length: 200 }, () => ({ a: [] }))) })],
    [
      'a list without an end',
      () => ({
        list: new (class extends Set<number> {
          override *[Symbol.iterator](): SetIterator<number> {
            for (;;) yield 1;
          }
        })(),
      }),
    ],
    [
      'a toJSON without an end',
      () => ({
        [Symbol.iterator]: 1,
        it: (function own(): object {
          return { toJSON: () => [own(), own()] };
        })(),
      }),
    ],
  ])('%s', (_, fields) => {
    const { line, text } = recorded(fields(), { reason: 'late' }, { actions: { pause: ['reason'] } });
    expect(lengthOf(text)).toBeLessThanOrEqual(16_384);
    expect(line).toMatchObject({ event: 'pause', truncated: true, payload: {} });
  });

  it('what fits of a value is there', () => {
    const { line, text } = recorded({ by: 'ann', tree: { list: Array.from({ length: 100_000 }, (_, n) => ({ n })) }, after: 1 });
    const { list } = line['tree'] as { list: { n: number }[] };
    expect(list.length).toBeGreaterThan(1_000);
    expect(list.slice(0, -1)).toEqual(Array.from({ length: list.length - 1 }, (_, n) => ({ n })));
    expect(line).toMatchObject({ by: 'ann', truncated: true });
    expect(line).not.toHaveProperty('after');
    expect(lengthOf(text)).toBeGreaterThan(16_000);
  });

  it('an event too', () => {
    const { line, text } = recorded({ by: 'ann' }, undefined, {}, '\u2028'.repeat(100_000));
    expect(lengthOf(text)).toBeLessThanOrEqual(16_384);
    expect(line).toMatchObject({ by: 'ann', event: '[100000 characters]' });
  });
});

describe('no secret is in a line', () => {
  const secrets = ['s3cret-token-of-the-gateway', 'a/b+c"d\\e=f&g#h%i', '8675309867530986'] as const;
  const credentials = [bearer(secrets[0]), apiKey(secrets[1]), bearer(secrets[2])];
  const forms = secrets.flatMap((secret) => [
    secret,
    encodeURIComponent(secret),
    JSON.stringify({ token: secret }),
    Buffer.from(secret).toString('base64'),
    Buffer.from(`user:${secret}`).toString('base64'),
    Buffer.from(`x${secret}`).toString('base64url'),
    `Bearer ${secret}`,
    // Redacted before it is cut: what is left of it would be a good part of a secret.
    `${'x'.repeat(1_010)}${secret}${'x'.repeat(100)}`,
  ]);

  it('in none of its forms, wherever it stands', () => {
    const fields = {
      texts: forms,
      number: 8675309867530986,
      digits: 8675309867530986n,
      error: new Error(`refused ${secrets[0]}`, { cause: secrets[1] }),
      map: new Map([[secrets[0], secrets[1]]]),
      date: new Date(0),
      bytes: Buffer.from(secrets[0]),
      credentials,
      deep: { [secrets[1]]: { [secrets[0]]: [secrets[2]] } },
    };
    const { text } = recorded(
      fields,
      fields,
      { credentials, actions: { [`pause ${secrets[0]}`]: Object.keys(fields) } },
      `pause ${secrets[0]}`,
    );
    expect(secretsIn(text, secrets)).toEqual([]);
    expect(text).toContain(credentials[0]?.fingerprint);
    expect(Object.keys((JSON.parse(text) as { payload: object }).payload)).toContain('credentials');
  });

  it('and a credential that looks like the line itself leaves it one', () => {
    const { line } = recorded({ a: '"a":1', event: 2, t: 'ts' }, undefined, { credentials: [bearer('"'), bearer('e'), bearer('1')] });
    expect(line['ts']).toBe('2026-01-01T00:00:00.000+00:00');
    expect(line['a']).not.toContain('"');
  });
});
