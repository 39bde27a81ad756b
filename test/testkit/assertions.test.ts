import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey, type Incident } from '../../src/index.js';
import { assertNoSecret } from '../../src/testkit/assert-no-secret.js';
import { maxRejections, reportedOnce } from '../../src/testkit/assertions.js';
import { createRecordingReporter } from '../../src/testkit/recording-reporter.js';
import { createUpstream } from '../../src/testkit/upstream.js';
import { secretsIn } from '../support/secret-forms.js';

const SECRET = 'sk-a+b/c=d~0123456789';
const CREDENTIAL = bearer(SECRET);
const octets = (text: string): string => [...text].map((char) => `%${char.charCodeAt(0).toString(16)}`).join('');
const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** The message of what the assertion throws; it must not show what it is about. */
function complaint(value: unknown, secrets: Parameters<typeof assertNoSecret>[1] = CREDENTIAL): string {
  try {
    assertNoSecret(value, secrets);
  } catch (error) {
    const { name, message, stack = '' } = error as Error;
    expect(name).toBe('AssertionError');
    expect(secretsIn(`${message}\n${stack}`, [SECRET])).toEqual([]);
    return message;
  }
  return 'nothing';
}

class Client {
  get request(): Request {
    return new Request('http://upstream.test', { headers: CREDENTIAL.headers() });
  }
}

class Discreet {
  readonly #value = SECRET;
  reveal(): string {
    return this.#value;
  }
}

describe('assertNoSecret', () => {
  it.each<[string, unknown]>([
    ['plain', `it is ${SECRET}.`],
    ['plain', JSON.stringify(JSON.stringify({ a: SECRET }))],
    ['URL-encoded', `?key=${encodeURIComponent(SECRET)}`],
    ['URL-encoded', encodeURIComponent(SECRET).toLowerCase()],
    ['URL-encoded', octets(SECRET)],
    ['plain', SECRET.replace('/', '\\/')],
    ['hexadecimal', Buffer.from(SECRET).toString('hex')],
    ['base64', base64(SECRET)],
    ['base64', base64(`x${SECRET}`)],
    ['base64', base64(`xy${SECRET}z`)],
    ['base64', `Basic ${base64(`user:${SECRET}`)}`],
    ['base64', Buffer.from(`>>>${SECRET}`).toString('base64url')],
    ['base64', octets(base64(SECRET))],
    ['base64', `abc${base64(SECRET)}`],
  ])('finds it %s', (form, text) => {
    expect(complaint({ text })).toBe(`assertNoSecret: ${CREDENTIAL} is there (${form}) at $.text`);
  });

  it.each<[string, unknown, string]>([
    ['a cause', new Error('outer', { cause: new Error(`with ${SECRET}`) }), '$.cause.stack'],
    [
      'one error of many',
      new AggregateError([new Error('fine'), Object.assign(new Error('not'), { headers: { a: SECRET } })]),
      'headers.a',
    ],
    ['a map', new Map([['key', { deep: SECRET }]]), '$<entry 0>'],
    ['a key of a map', new Map([[SECRET, 1]]), '$<entry 0>'],
    ['a set', new Set([1, SECRET]), '$<entry 1>'],
    ['headers', new Headers({ authorization: `Bearer ${SECRET}` }), ' at $'],
    ['search parameters', new URLSearchParams({ key: SECRET }), ' at $'],
    ['a buffer', Buffer.from(`..${SECRET}`), '$'],
    ['an array buffer', new TextEncoder().encode(SECRET).buffer, '$'],
    ['a getter of its own', Object.defineProperty({}, 'late', { get: () => SECRET }), '$.late'],
    [
      'what a getter throws',
      Object.defineProperty({}, 'late', {
        get: () => {
          throw new Error(SECRET);
        },
      }),
      '$.late',
    ],
    ['a getter of its class', new Client(), '$.request'],
    ['a hidden property', Object.defineProperty({}, 'hidden', { value: SECRET }), '$.hidden'],
    ['a symbol', { [Symbol('own')]: SECRET }, '$.own'],
    ['a function', Object.assign(() => {}, { key: SECRET }), '$.key'],
    ['what it is in JSON', { toJSON: () => ({ a: SECRET }) }, '$.toJSON().a'],
    ['what it prints', { toString: () => SECRET }, '$.toString()'],
    ['what it shows a console', { [Symbol.for('nodejs.util.inspect.custom')]: () => SECRET }, '()'],
    ['a list', [[[SECRET]]], '$[0][0][0]'],
  ])('looks into %s', (_, value, path) => {
    expect(complaint(value)).toContain(path);
  });

  it('does not show it where a name holds it', () => {
    expect(complaint({ [SECRET]: 1 })).toContain('(a name)');
    const split = 'abcd.efgh';
    expect(complaint({ abcd: { efgh: split } }, split)).toBe(
      'assertNoSecret: secret 1 is there (plain) at a property whose name holds it, too',
    );
    expect(complaint({ a: SECRET }, ['other-secret', SECRET])).toBe('assertNoSecret: secret 2 is there (plain) at $.a');
  });

  it('lets pass what keeps it to itself, what only resembles it, and what goes round in circles', () => {
    const circle: Record<string, unknown> = {
      credential: CREDENTIAL,
      discreet: new Discreet(),
      near: `${SECRET.slice(0, -1)}!`,
      none: null,
    };
    circle['self'] = circle;
    const latchkey = createLatchkey();
    latchkey.capture('s', CREDENTIAL);
    expect(complaint([circle, latchkey.snapshot(), latchkey.resolve('s'), latchkey.explain('s')])).toBe('nothing');
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(complaint([proxy])).toBe('nothing');
  });

  it('does not pass what it cannot look through', () => {
    expect(complaint(Array.from({ length: 100_001 }, () => 1))).toContain('more than 100000 values');
  });

  it.each([[[]], ['abc'], [[CREDENTIAL, '']], [undefined], [[7]]])('wants secrets: %s', (secrets) => {
    expect(() => assertNoSecret('', secrets as never)).toThrow(TypeError);
  });
});

describe('maxRejections', () => {
  it('counts the 401s and 403s, of one credential or of all', async () => {
    const upstream = createUpstream({
      credentials: { dead: CREDENTIAL },
      rules: [
        { for: 'dead', status: 401, times: 2 },
        { for: 'none', status: 403 },
      ],
    });
    for (let call = 0; call < 3; call++) await upstream.fetch('http://upstream.test', { headers: CREDENTIAL.headers() });
    await upstream.fetch('http://upstream.test');
    maxRejections(upstream, 3);
    maxRejections(upstream, 2, { of: 'dead' });
    expect(() => maxRejections(upstream, 1, { of: 'dead' })).toThrow(
      /^maxRejections: 2 rejections of dead, not 1 at the most\n {2}call 1 at \d+ ms: GET \/ with dead: 401/,
    );
    expect(() => maxRejections(upstream, 2)).toThrow('3 rejections, not 2');
    expect(() => maxRejections(upstream, -1)).toThrow(TypeError);
    expect(() => maxRejections(upstream, 0, { of: 'daed' })).toThrow(TypeError);
    expect(() => maxRejections(upstream, 1, { for: 'dead' } as never)).toThrow('unknown option `for`');
  });
});

describe('what a value prints of itself', () => {
  const inspect = Symbol.for('nodejs.util.inspect.custom');
  const secret = 'some-long-secret-value';
  class Styled {
    readonly #token = secret;
    [inspect](_: number, { stylize }: { stylize(text: string, style: string): string }): string {
      return stylize(this.#token, 'string');
    }
  }
  class Handing {
    readonly #token = secret;
    [inspect](_: number, options: object, show: (value: unknown, options: object) => string): string {
      return show({ token: this.#token }, options);
    }
  }
  class Primitive {
    readonly #token = secret;
    [Symbol.toPrimitive](): string {
      return this.#token;
    }
  }
  class List extends Array<string> {
    toJSON(): string {
      return secret;
    }
  }
  const endless = {
    *entries() {
      for (;;) yield 1;
    },
  };

  it.each([
    ['with a style', new Styled()],
    ['handed on', new Handing()],
    ['as a primitive', new Primitive()],
    ['of a list', new List()],
    ['of a function', Object.assign(() => {}, { toString: () => secret })],
    ['in hexadecimal, from the second digit', `a${Buffer.from(secret).toString('hex')}`],
  ])('is looked through: %s', (_, value) => {
    expect(() => assertNoSecret({ value }, secret)).toThrow('secret 1 is there');
  });

  it('that has no end is too large', () => {
    expect(() => assertNoSecret(endless, secret)).toThrow('more than 100000 values');
  });

  it('of many parts is none of many calls', () => {
    expect(() => assertNoSecret(Array(90_000).fill('a'), secret)).not.toThrow();
  });
});

describe('reportedOnce', () => {
  it('is about what a reporter was told', async () => {
    const reporter = createRecordingReporter();
    expect(() => reportedOnce(reporter)).toThrow('no incident was told');
    const upstream = createUpstream({ credentials: { CREDENTIAL }, rules: [{ for: 'CREDENTIAL', status: 401 }] });
    const latchkey = createLatchkey({ reporter });
    latchkey.capture('s', CREDENTIAL);
    await latchkey.run('s', upstream.attempt, { whenBlocked: 'skip' });
    const opening = reportedOnce(reporter, { credential: CREDENTIAL, ended: false });
    expect(opening).toMatchObject({ fingerprint: CREDENTIAL.fingerprint, status: 401 });
    expect(reporter.open).toEqual([opening]);
    expect(() => reportedOnce(reporter, { ended: true })).toThrow('its end was not told\n  opened: identity');
    latchkey.capture('s', bearer('token-of-b'));
    reportedOnce(reporter, { credential: CREDENTIAL.fingerprint, ended: 'fresh' });
    expect(() => reportedOnce(reporter, { ended: 'proof' })).toThrow('it did not end with proof');
    expect(() => reportedOnce(reporter, { ended: false })).toThrow('its end was told');
    expect(() => reportedOnce(reporter, { credential: 'another' })).toThrow('no incident was told');
    expect(reporter).toMatchObject({ open: [], openings: [{}], endings: [{}] });
    expect(() => reportedOnce(reporter, { end: 'fresh' } as never)).toThrow('unknown option `end`');
  });

  it('once is neither twice, nor of another', () => {
    const reporter = createRecordingReporter();
    const incident = { id: '1', kind: 'identity', fingerprint: 'f', provider: 'llm' } as Incident;
    reporter.opened(incident);
    reporter.ended({ ...incident, id: '2', end: 'fresh' });
    expect(() => reportedOnce(reporter)).toThrow('the end of another incident');
    reporter.ended({ ...incident, end: 'fresh' });
    expect(() => reportedOnce(reporter)).toThrow('an end was told 2 times');
    reporter.opened(incident);
    expect(() => reportedOnce(reporter)).toThrow(
      /told 2 times\n {2}opened: identity f at llm\n {2}opened: identity f at llm\n {2}ended: .*fresh/,
    );
    reporter.clear();
    expect(reporter).toMatchObject({ openings: [], endings: [] });
  });
});
