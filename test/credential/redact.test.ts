import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redact, redactAll, redactedCopy } from '../../src/credential/redact.js';
import { apiKey, bearer, type Credential } from '../../src/index.js';

/** Holds a character of each kind that some encoding changes. */
const VALUE = 'sk-"a\\b+c/d=e~f%g&h>?>?';
const CREDENTIAL = bearer(VALUE);
const SHOWN = CREDENTIAL.toString();

const lowerDigits = (text: string): string => text.replace(/%[0-9A-F]{2}/g, (octet) => octet.toLowerCase());
const formEncoded = (value: string): string => new URLSearchParams({ v: value }).toString().slice(2);

describe('redact', () => {
  it.each<[string, string]>([
    ['plain', VALUE],
    ['JSON-escaped', JSON.stringify(VALUE).slice(1, -1)],
    ['URL-encoded', encodeURIComponent(VALUE)],
    ['URL-encoded, lower-case digits', lowerDigits(encodeURIComponent(VALUE))],
    ['form-encoded', formEncoded(VALUE)],
    ['form-encoded, lower-case digits', lowerDigits(formEncoded(VALUE))],
  ])('replaces the value %s, wherever and however often', (_, form) => {
    expect(redact(`<${form}> and ${form}`, CREDENTIAL)).toBe(`<${SHOWN}> and ${SHOWN}`);
  });

  it.each(['', 'u', 'us', 'use', 'user:'])('replaces base64 and base64url of the value behind %j', (before) => {
    for (const after of ['', '.', '.t', '.ta']) {
      for (const encoding of ['base64', 'base64url'] as const) {
        const text = `Basic ${Buffer.from(before + VALUE + after).toString(encoding)};`;
        const redacted = redact(text, CREDENTIAL);
        expect(redacted).toContain(SHOWN);
        expect(revealedBy(redacted, VALUE)).toBe(false);
      }
    }
  });

  it('leaves a text alone that holds nothing of it', () => {
    const text = 'GET /v1/models 401 {"error":"invalid"} c2VjcmV0';
    expect(redact(text, CREDENTIAL)).toBe(text);
  });

  it('replaces a short value, and looks for no base64 of it', () => {
    const short = apiKey('k1z');
    expect(redact('key=k1z', short)).toBe(`key=${short}`);
    const encoded = Buffer.from('k1z').toString('base64');
    expect(redact(encoded, short)).toBe(encoded);
  });

  it('replaces base64 of the shortest value that has one', () => {
    const six = apiKey('q7Zx2w');
    expect(redact(Buffer.from('q7Zx2w').toString('base64'), six)).toBe(six.toString());
  });

  it('no form of a random token survives inside random text', () => {
    const token = fc.string({
      unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
      minLength: 6,
      maxLength: 80,
    });
    const around = fc.string({ maxLength: 30 });
    const encode = fc.constantFrom<(before: string, value: string, after: string) => string>(
      (before, value, after) => before + value + after,
      (before, value, after) => JSON.stringify({ [before]: value, after }),
      (before, value, after) => `${encodeURIComponent(before)}=${encodeURIComponent(value)}&${encodeURIComponent(after)}`,
      (before, value, after) => lowerDigits(`${encodeURIComponent(before)}=${encodeURIComponent(value)}&${encodeURIComponent(after)}`),
      (before, value, after) =>
        new URLSearchParams([
          [before, value],
          [after, ''],
        ]).toString(),
      (before, value, after) => Buffer.from(before + value + after).toString('base64'),
      (before, value, after) => Buffer.from(before + value + after).toString('base64url'),
    );
    fc.assert(
      fc.property(token, around, around, around, encode, (value, before, after, outside, encoding) => {
        const credential = bearer(value);
        // A token that stands in the replacement itself, or in what surrounds it, is no leak.
        fc.pre(!credential.toString().includes(value) && ![before, after, outside].some((text) => text.includes(value)));
        const redacted = redact(`${outside} ${encoding(before, value, after)} ${outside}`, credential);
        expect(redacted).toContain(credential.toString());
        expect(revealedBy(redacted, value)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });
});

describe('redactAll', () => {
  const long = bearer('prod-key-9f8e7d6c5b4a');
  const short = bearer('prod-key');
  const orders = (...credentials: Credential[]): Credential[][] => [credentials, credentials.toReversed()];

  it('leaves nothing of a value that another one is part of, in any order', () => {
    for (const credentials of orders(long, short)) {
      expect(redactAll('?k=prod-key-9f8e7d6c5b4a&o=prod-key', credentials)).toBe(`?k=${long}&o=${short}`);
    }
  });

  it('leaves nothing of values that overlap, and names the longest', () => {
    const before = bearer('key=prod-k');
    const within = bearer('9f8e');
    const after = bearer('6c5b4a&page=2');
    for (const credentials of orders(before, within, long, after)) {
      expect(redactAll('?key=prod-key-9f8e7d6c5b4a&page=2 9f8e', credentials)).toBe(`?${long} ${within}`);
      expect(redactedCopy(new Error('?key=prod-key-9f8e7d6c5b4a&page=2'), credentials).message).toBe(`?${long}`);
    }
  });

  it('keeps values apart that stand side by side', () => {
    const other = apiKey('zzzz');
    expect(redactAll('prod-keyzzzzzzzzprod-key', [other, short])).toBe(`${short}${other}${other}${short}`);
  });

  it('does not search what took the place of another', () => {
    const name = bearer('bearer');
    expect(redactAll('at prod-key-9f8e7d6c5b4a, bearer', [long, name, name])).toBe(`at ${long}, ${name}`);
    expect(redactedCopy(new Error('at prod-key-9f8e7d6c5b4a'), [long, name, name]).message).toBe(`at ${long}`);
  });

  it('a text with many values in it grows once, whatever they are', () => {
    const credentials = Array.from({ length: 4 }, () => bearer('e'));
    const text = 'connect ECONNREFUSED e'.repeat(20);
    expect(redactAll(text, credentials)).toBe(redact(text, bearer('e')));
  });

  it('no credentials, no text', () => {
    expect(redactAll('text', [])).toBe('text');
    expect(redactAll('', [long])).toBe('');
  });
});

describe('redactedCopy', () => {
  const source = Object.assign(new Error(`401 for ${VALUE}`), {
    name: `Http${VALUE}`,
    code: `E_${VALUE}`,
    status: 401,
    config: { headers: { authorization: `Bearer ${VALUE}` } },
    request: { raw: VALUE },
  });

  it('keeps name, message, code, status and stack, scrubbed, and leaves all else behind', () => {
    const copy = redactedCopy(source, [CREDENTIAL]);
    expect(copy).toBeInstanceOf(Error);
    expect(copy).not.toBe(source);
    expect(copy.message).toBe(`401 for ${SHOWN}`);
    expect(copy.name).toBe(`Http${SHOWN}`);
    expect(copy.code).toBe(`E_${SHOWN}`);
    expect(copy.status).toBe(401);
    expect(copy.stack).toContain('redact.test');
    expect(copy.stack).not.toContain(VALUE);
    expect(Object.keys(copy).sort()).toEqual(['code', 'status']);
    expect(source.message).toContain(VALUE);
  });

  it('reads numeric codes and `statusCode`', () => {
    expect(redactedCopy({ message: 'm', code: 7, statusCode: 403 }, [CREDENTIAL])).toMatchObject({ message: 'm', code: 7, status: 403 });
  });

  it('names the status of a response, which has no message', () => {
    expect(redactedCopy(new Response(null, { status: 401 }), [CREDENTIAL]).message).toBe('the upstream answered 401');
  });

  it.each<[unknown, string]>([
    [`thrown ${VALUE}`, `thrown ${SHOWN}`],
    [undefined, 'undefined'],
    [null, 'null'],
    [42, '42'],
  ])('copies %j', (thrown, message) => {
    const copy = redactedCopy(thrown, [CREDENTIAL]);
    expect(copy.message).toBe(message);
    expect(copy.stack).toBe(`Error: ${message}`);
  });

  it('survives getters that throw', () => {
    const hostile = {
      get message(): string {
        throw new Error(VALUE);
      },
      status: 401,
    };
    expect(redactedCopy(hostile, [CREDENTIAL]).message).toBe('the upstream answered 401');
  });
});

/** Whether a text gives the value away, read as it stands, unescaped, percent-decoded, or as base64 from any character on. */
function revealedBy(text: string, value: string): boolean {
  const readings = [text, text.replaceAll('\\"', '"').replaceAll('\\\\', '\\')];
  for (const piece of text.match(/[A-Za-z0-9+/_-]+/g) ?? []) {
    for (const offset of [0, 1, 2, 3]) readings.push(Buffer.from(piece.slice(offset), 'base64').toString('latin1'));
  }
  const decoded = text
    .replaceAll('+', ' ')
    .replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return [...readings, decoded].some((reading) => reading.includes(value));
}
