import { Buffer } from 'node:buffer';
import { inspect } from 'node:util';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { assertNoSecret } from '../../src/testkit/assert-no-secret.js';
import { settle } from '../../src/testkit/settle.js';
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

class Inheriting {
  declare token: string;
}
Inheriting.prototype.token = SECRET;

function shared(text: string): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(text.length);
  new Uint8Array(buffer).set(Buffer.from(text));
  return buffer;
}

/** A proxy that throws what is no error when it is asked for this. */
function without(trap: keyof ProxyHandler<object>, target: object): object {
  return new Proxy(target, {
    [trap]: () => {
      throw null;
    },
  });
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
    ['URL-encoded', encodeURIComponent(encodeURIComponent(SECRET))],
    ['URL-encoded', base64(encodeURIComponent(SECRET))],
    ['base64', base64(base64(SECRET))],
    ['base64', base64(base64(base64(`x${SECRET}`)))],
    ['base64', base64(`${'x'.repeat(50)}${SECRET}${'y'.repeat(99)}`).replaceAll(/.{76}/g, '$&\r\n')],
    ['base64', JSON.stringify(base64(`${'x'.repeat(50)}${SECRET}`).replaceAll(/.{76}/g, '$&\n  '))],
    ['base64', Buffer.from(SECRET, 'utf16le').toString('base64')],
    ['plain', [...SECRET].map((char) => `\\u00${char.charCodeAt(0).toString(16)}`).join('')],
    ['plain', JSON.stringify(JSON.stringify(SECRET).replace('s', '\\u0073'))],
    ['plain', SECRET.replace('s', '\\x73')],
    ['hexadecimal', inspect(Buffer.from(SECRET))],
    ['hexadecimal', Array.from(Buffer.from(SECRET), (byte) => `0x${byte.toString(16)}`).join(', ')],
    ['a list of bytes', JSON.stringify(Buffer.from(SECRET))],
    ['a list of bytes', inspect(new Uint8Array(Buffer.from(`..${SECRET}`)))],
    ['a list of bytes', JSON.stringify(Buffer.from(SECRET), null, 2)],
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
    ['a buffer in UTF-16', Buffer.from(`.${SECRET}`, 'utf16le'), '$'],
    ['the same, the other way round and a byte off', Buffer.from(`..${SECRET}`, 'utf16le').swap16().subarray(1), '$'],
    ['base64 in UTF-16', Buffer.from(base64(SECRET), 'utf16le'), '$'],
    ['a shared buffer', shared(SECRET), '$'],
    ['a view of one', new Uint8Array(shared(SECRET)), '$'],
    ['an array buffer of another realm', runInNewContext(`Uint8Array.of(${Buffer.from(SECRET).join()}).buffer`), '$'],
    ['what was put on a buffer', Object.assign(Buffer.from('nothing'), { from: SECRET }), '$.from'],
    ['what was put on an array buffer', Object.assign(new ArrayBuffer(4), { from: SECRET }), '$.from'],
    ['a list of bytes', { data: [...Buffer.from(SECRET)] }, '$.data'],
    ['what a buffer is in JSON', Buffer.from(SECRET).toJSON(), '$.data'],
    ['a prototype', Object.create({ token: SECRET }), '$.token'],
    ['the prototype of a class', new (class extends Inheriting {})(), '$.token'],
    ['a proxy that has no prototype', without('getPrototypeOf', { token: SECRET }), '$.token'],
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

  it.each(['getPrototypeOf', 'ownKeys', 'get', 'has', 'getOwnPropertyDescriptor'] as const)('is not thrown off by a proxy: %s', (trap) => {
    expect(complaint([without(trap, { a: 1 }), SECRET])).toContain('is there (plain) at $[1]');
    expect(complaint([without(trap, [1])])).toBe('nothing');
  });

  it('is not held up by a list without elements, by prototypes without end, or by a megabyte', () => {
    const endless: object = new Proxy({}, { getPrototypeOf: () => new Proxy({}, { getPrototypeOf: () => endless }) });
    const startedAt = performance.now();
    expect(complaint([new Array(2 ** 32 - 1), endless])).toBe('nothing');
    const line = '{"url":"https://upstream.test/a%20b?c=d+e","quoted":"\\"a\\"","key":"c29tZXRoaW5nIGVsc2UgdGhhdCBpcyBubyBzZWNyZXQ="}\n';
    const text = line.repeat(2 ** 20 / line.length);
    expect(complaint({ text })).toBe('nothing');
    expect(complaint({ text: `${text}${base64(SECRET)}` })).toContain('(base64) at $.text');
    expect(complaint({ bytes: Buffer.from(text) })).toBe('nothing');
    for (const form of ['base64', 'hex'] as const)
      expect(complaint({ text: Buffer.from(text.slice(0, 2 ** 18)).toString(form) })).toBe('nothing');
    // Far above what it takes, and far below what it would if it went through everything at every character.
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });

  it('does not pass what it cannot look through', () => {
    expect(complaint(Array.from({ length: 100_001 }, () => 1))).toContain('more than 100000 values');
  });

  it.each([[[]], ['abc'], [[CREDENTIAL, '']], [undefined], [[7]]])('wants secrets: %s', (secrets) => {
    expect(() => assertNoSecret('', secrets as never)).toThrow(TypeError);
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

  class Encoded {
    readonly #bytes = Buffer.from(secret);
    toString(encoding: BufferEncoding = 'utf8'): string {
      return this.#bytes.toString(encoding);
    }
  }
  const root = { toJSON: (key: string) => (key === '' ? { secret } : 'within') };

  it.each([
    ['as text, with what it takes for granted', new Encoded()],
    ['for JSON, as the root of a document', root],
  ])('is printed as everybody would: %s', (_, value) => {
    expect(() => assertNoSecret(value, secret)).toThrow('secret 1 is there');
  });

  it('that rejects when it is looked at leaves nothing behind', async () => {
    const heard: unknown[] = [];
    const listener = (reason: unknown): void => void heard.push(reason);
    process.prependListener('unhandledRejection', listener);
    const others = process.rawListeners('unhandledRejection').slice(1) as NodeJS.UnhandledRejectionListener[];
    for (const other of others) process.off('unhandledRejection', other);
    try {
      const lazy = {
        get later() {
          return Promise.reject(new Error('later'));
        },
        async toJSON() {
          throw new Error('never');
        },
      };
      expect(() => assertNoSecret(lazy, secret)).not.toThrow();
      await settle();
      expect(heard).toEqual([]);
    } finally {
      process.off('unhandledRejection', listener);
      for (const other of others) process.on('unhandledRejection', other);
    }
  });

  it('that has no end is too large', () => {
    expect(() => assertNoSecret(endless, secret)).toThrow('more than 100000 values');
  });

  it('of many parts is none of many calls', () => {
    expect(() => assertNoSecret(Array(90_000).fill('a'), secret)).not.toThrow();
  });
});
