import { describe, expect, it } from 'vitest';
import {
  bearer,
  type CredentialProblem,
  createLatchkey,
  credentialFromHeaders,
  credentialProblem,
  type HeadersLike,
} from '../../src/index.js';

type Given = HeadersLike | null | undefined;

function expectProblem(headers: Given, problem: CredentialProblem): void {
  expect(credentialFromHeaders(headers)).toBeUndefined();
  expect(credentialProblem(headers)).toBe(problem);
}

describe('the credential that a request presents', () => {
  it('case 1: Authorization: Bearer gives a bearer that is sent back the same way', () => {
    const credential = credentialFromHeaders({ authorization: 'Bearer tok-1' });
    expect(credential?.scheme).toBe('bearer');
    expect(credential?.header).toBe('authorization');
    expect(credential?.reveal()).toBe('tok-1');
    expect(credential?.headers()).toEqual({ authorization: 'Bearer tok-1' });
    expect(credentialProblem({ authorization: 'Bearer tok-1' })).toBeUndefined();
  });

  it.each(['x-api-key', 'x-goog-api-key', 'api-key'])('case 1: %s gives an api-key that is sent back under that header', (header) => {
    const credential = credentialFromHeaders({ [header]: 'key-1' });
    expect(credential?.scheme).toBe('api-key');
    expect(credential?.header).toBe(header);
    expect(credential?.reveal()).toBe('key-1');
    expect(credential?.headers()).toEqual({ [header]: 'key-1' });
  });

  it('case 1: headers of a gateway’s own are read when they are named, and only then', () => {
    expect(credentialFromHeaders({ 'x-own-key': 'k' })).toBeUndefined();
    expect(credentialFromHeaders({ 'x-own-key': 'k' }, { headers: ['X-Own-Key'] })?.headers()).toEqual({ 'x-own-key': 'k' });
    expect(credentialFromHeaders({ 'x-api-key': 'k' }, { headers: ['x-own-key'] })).toBeUndefined();
    expect(credentialFromHeaders({ authorization: 'Bearer t' }, { headers: ['authorization'] })?.scheme).toBe('bearer');
    expect(credentialFromHeaders({ 'x-own-key': 'k' }, { headers: ['x-own-key', 'X-OWN-KEY'] })?.reveal()).toBe('k');
    expect(credentialFromHeaders({ 'x-api-key': 'k' }, { headers: undefined })?.reveal()).toBe('k');
  });

  it.each<[string, Given]>([
    ['no header', {}],
    ['null', null],
    ['undefined', undefined],
    ['empty Headers', new Headers()],
    ['undefined values', { authorization: undefined, 'x-api-key': undefined }],
    ['headers of no concern', { host: 'example.test', accept: '*/*' }],
    ['not an object', 'authorization: Bearer t' as unknown as HeadersLike],
    ['a number', 7 as unknown as HeadersLike],
  ])('case 2: %s: nothing, no throw, `none`', (_, headers) => {
    expectProblem(headers, 'none');
  });

  it.each<[string, Given]>([
    ['Basic', { authorization: 'Basic dXNlcjpwYXNz' }],
    ['SigV4', { authorization: 'AWS4-HMAC-SHA256 Credential=AKID/20260101/eu/s3/aws4_request, Signature=abc' }],
    ['Digest', { authorization: 'Digest username="u"' }],
    ['a cookie', { cookie: 'session=1' }],
    ['a cookie in Headers', new Headers({ cookie: 'session=1' })],
    ['a scheme that begins like Bearer', { authorization: 'BearerX tok' }],
    ['a bare token', { authorization: 'tok' }],
  ])('case 2: %s is `unsupported`', (_, headers) => {
    expectProblem(headers, 'unsupported');
  });

  it('case 2: headers that throw when they are read present nothing', () => {
    const hostile = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error('no');
        },
      },
    );
    expectProblem(hostile as HeadersLike, 'none');
    expectProblem(
      {
        get: () => {
          throw new Error('no');
        },
      },
      'none',
    );
  });

  it.each<[string, Given]>([
    ['a bearer and a key', { authorization: 'Bearer t', 'x-api-key': 'k' }],
    ['a bearer and an empty key', { authorization: 'Bearer t', 'x-api-key': '' }],
    ['an empty Authorization and a key', { authorization: '', 'x-api-key': 'k' }],
    ['Basic and a key', { authorization: 'Basic dTpw', 'api-key': 'k' }],
    ['two key headers', { 'x-api-key': 'k', 'x-goog-api-key': 'k' }],
    ['one name in two cases', { 'X-Api-Key': 'k1', 'x-api-key': 'k2' }],
    ['an array of two', { 'x-api-key': ['k1', 'k2'] }],
    ['Headers with both', new Headers({ authorization: 'Bearer t', 'x-api-key': 'k' })],
  ])('case 3: %s: ambiguous', (_, headers) => {
    expectProblem(headers, 'ambiguous');
  });

  it('case 3: a key beside a cookie is a key', () => {
    expect(credentialFromHeaders({ cookie: 'session=1', 'x-api-key': 'k' })?.reveal()).toBe('k');
  });

  it.each<[string, HeadersLike]>([
    ['lower case', { authorization: 'Bearer tok' }],
    ['title case', { Authorization: 'Bearer tok' }],
    ['upper case', { AUTHORIZATION: 'Bearer tok' }],
    ['Headers', new Headers({ AUTHORIZATION: 'Bearer tok' })],
    ['an array of one', { Authorization: ['Bearer tok'] }],
    ['an object without a prototype', Object.assign(Object.create(null), { Authorization: 'Bearer tok' })],
  ])('case 4: %s reads alike', (_, headers) => {
    expect(credentialFromHeaders(headers)?.fingerprint).toBe(bearer('tok').fingerprint);
    expect(credentialProblem(headers)).toBeUndefined();
  });

  it('case 4: an empty array is no header', () => {
    expectProblem({ 'x-api-key': [] }, 'none');
  });

  it.each<[string, Given]>([
    ['a key with a blank', { 'x-api-key': 'two words' }],
    ['a key with a tab', { 'x-api-key': 'two\twords' }],
    ['a key with a line break', { 'x-api-key': 'k\r\nx-evil: 1' }],
    ['a key beyond ASCII', { 'x-api-key': 'schlüssel' }],
    ['an empty key', { 'x-api-key': '' }],
    ['a blank key', { 'x-api-key': '   ' }],
    ['a Bearer with two words', { authorization: 'Bearer one two' }],
    ['a Bearer with none', { authorization: 'Bearer' }],
    ['a Bearer with blanks', { authorization: 'Bearer   ' }],
    ['an empty Authorization', { authorization: '' }],
    ['a Bearer with a line break', { authorization: 'Bearer a\nb' }],
    ['a number', { 'x-api-key': 5 }],
  ])('case 5: %s: nothing, `malformed`', (_, headers) => {
    expectProblem(headers, 'malformed');
  });

  it.each(['bearer tok', 'BEARER tok', 'BeArEr tok', 'Bearer   tok', 'Bearer\ttok', '  Bearer tok  '])('case 5: %j is fine', (value) => {
    expect(credentialFromHeaders({ authorization: value })?.fingerprint).toBe(bearer('tok').fingerprint);
  });

  it('case 6: the same bytes under another scheme or header have another fingerprint', () => {
    const read = (headers: HeadersLike) => credentialFromHeaders(headers)?.fingerprint;
    const fingerprints = [
      read({ authorization: 'Bearer same' }),
      read({ 'x-api-key': 'same' }),
      read({ 'x-goog-api-key': 'same' }),
      read({ 'api-key': 'same' }),
    ];
    expect(fingerprints).not.toContain(undefined);
    expect(new Set(fingerprints).size).toBe(4);
  });

  it('case 6: the same bytes at another provider are another identity', () => {
    const latchkey = createLatchkey();
    latchkey.capture({ session: 'S', provider: 'P' }, bearer('same')).settle(401);
    latchkey.capture({ session: 'S', provider: 'Q' }, bearer('same'));
    expect(latchkey.canRun({ session: 'S', provider: 'P' })).toBe(false);
    expect(latchkey.canRun({ session: 'S', provider: 'Q' })).toBe(true);
    expect(latchkey.stats().identities).toBe(2);
  });
});

describe('a caller’s own mistake', () => {
  it.each<[string, unknown, RegExp]>([
    ['an unknown option', { header: ['x'] }, /`header`/],
    ['a name that is none', { headers: ['x y'] }, /`headers`/],
    ['a name that is no string', { headers: [5] }, /`headers`/],
    ['one name instead of a list', { headers: 'x-api-key' }, /`headers`/],
    ['null names', { headers: null }, /`headers`/],
    ['null', null, /`options`/],
    ['a string', 'x-api-key', /`options`/],
  ])('%s is a TypeError that names it', (_, options, name) => {
    for (const ask of [credentialFromHeaders, credentialProblem]) {
      expect(() => ask({ 'x-api-key': 'k' }, options as never)).toThrow(TypeError);
      expect(() => ask({ 'x-api-key': 'k' }, options as never)).toThrow(name);
    }
  });
});
