import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Key, openCredential, readKeys, Sealer, sealCredential } from '../../src/fleet/seal.js';
import { apiKey, bearer } from '../../src/index.js';

const OLD = 'an old secret of more than 32 characters';
const NEW = 'a newer secret of more than 32 characters';
const OTHER = new Uint8Array(32).fill(9);

function sealer(...keys: Key[]): Sealer {
  return new Sealer(readKeys({ seal: keys }).keys);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

describe('readKeys', () => {
  it('derives 32 bytes of each key, newest first', () => {
    const { keys } = readKeys({ seal: [NEW, OLD, OTHER] });
    expect(keys.map((key) => key.length)).toEqual([32, 32, 32]);
    expect(new Set(keys.map(hex)).size).toBe(3);
    expect(hex(readKeys({ seal: NEW }).keys[0] as Uint8Array)).toBe(hex(keys[0] as Uint8Array));
    expect(hex(keys[2] as Uint8Array)).not.toBe(hex(OTHER));
    // Made any other way they would not open what an older version of the package has sealed.
    expect(hex(keys[1] as Uint8Array)).toBe(hex(new Uint8Array(hkdfSync('sha256', OLD, '', 'latchkey seal', 32))));
  });

  it('a key in front changes no name; the last one makes them', () => {
    const before = readKeys({ seal: OLD }).fingerprintKey;
    expect(hex(readKeys({ seal: [NEW, OLD] }).fingerprintKey)).toBe(hex(before));
    expect(hex(readKeys({ seal: [OLD, NEW] }).fingerprintKey)).not.toBe(hex(before));
  });

  it('names are made by `fingerprintKey` where it is given, with or without `seal`', () => {
    const alone = readKeys({ fingerprintKey: OTHER });
    expect(alone.keys).toEqual([]);
    expect(hex(readKeys({ seal: OLD, fingerprintKey: OTHER }).fingerprintKey)).toBe(hex(alone.fingerprintKey));
  });

  it('what seals says nothing about what makes names', () => {
    const { keys, fingerprintKey } = readKeys({ seal: OLD });
    expect(hex(keys[0] as Uint8Array)).not.toBe(hex(fingerprintKey));
  });

  it('a text and its bytes are one secret, and so is a Buffer', () => {
    const text = hex(readKeys({ seal: OLD }).keys[0] as Uint8Array);
    expect(hex(readKeys({ seal: new TextEncoder().encode(OLD) }).keys[0] as Uint8Array)).toBe(text);
    expect(hex(readKeys({ seal: Buffer.from(OLD) }).keys[0] as Uint8Array)).toBe(text);
  });

  it.each<[string, unknown]>([
    ['a short text', 'x'.repeat(31)],
    ['few bytes', new Uint8Array(31)],
    ['an empty list', []],
    ['a short one in a list', [NEW, 'short-secret']],
    ['a hole in a list', [NEW, undefined]],
    ['a list in a list', [[NEW]]],
    ['a number', 42],
    ['null', null],
    ['an ArrayBuffer', new ArrayBuffer(32)],
    ['an object', { length: 32 }],
  ])('refuses as `seal` %s', (_, seal) => {
    const read = () => readKeys({ seal: seal as Key, fingerprintKey: OTHER });
    expect(read).toThrow(TypeError);
    expect(read).toThrow(/^redisStore: `seal` must be /);
  });

  it.each<unknown>(['x'.repeat(31), new Uint8Array(31), 42, null, [NEW]])('refuses as `fingerprintKey` %j', (fingerprintKey) => {
    const read = () => readKeys({ seal: NEW, fingerprintKey: fingerprintKey as Key });
    expect(read).toThrow(TypeError);
    expect(read).toThrow(/^redisStore: `fingerprintKey` must be /);
  });

  it('wants `fingerprintKey` where there is no `seal`', () => {
    expect(() => readKeys({})).toThrow(new TypeError('redisStore: `fingerprintKey` must be given where there is no `seal`'));
  });

  it('quotes no key', () => {
    for (const options of [{ seal: 'short-secret' }, { seal: [NEW, 'short-secret'] }, { seal: NEW, fingerprintKey: 'short-secret' }]) {
      const thrown = caught(() => readKeys(options));
      expect(thrown).toBeInstanceOf(TypeError);
      expect(inspect(thrown)).not.toContain('short-secret');
      expect(inspect(thrown)).not.toContain('newer secret');
    }
  });
});

describe('Sealer', () => {
  it('opens what it sealed, at the same place only', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (plain, place, elsewhere) => {
        const sealed = sealer(NEW).seal(plain, place);
        expect(sealed).toMatch(/^[\w-]+$/);
        expect(sealer(NEW).open(sealed, place)).toBe(plain);
        if (place !== elsewhere) expect(sealer(NEW).open(sealed, elsewhere)).toBeUndefined();
      }),
    );
  });

  it('is AES-256-GCM behind a key id of 4 bytes and a nonce of 12', () => {
    const key = randomBytes(32);
    const bytes = Buffer.from(new Sealer([key]).seal('plain', 'here'), 'base64url');
    const opening = createDecipheriv('aes-256-gcm', key, bytes.subarray(4, 16), { authTagLength: 16 });
    opening.setAAD(Buffer.from('here', 'utf16le')).setAuthTag(bytes.subarray(-16));
    expect(opening.update(bytes.subarray(16, -16), undefined, 'utf8') + opening.final('utf8')).toBe('plain');
    expect(bytes).toHaveLength(4 + 12 + 5 + 16);
  });

  it('never the same twice', () => {
    const one = sealer(NEW);
    expect(new Set(Array.from({ length: 1_000 }, () => one.seal('plain', 'here'))).size).toBe(1_000);
  });

  it('the first key seals, all open', () => {
    const old = sealer(OLD).seal('plain', 'here');
    const both = sealer(NEW, OLD);
    expect(both.open(old, 'here')).toBe('plain');
    const fresh = both.seal('plain', 'here');
    expect(sealer(NEW).open(fresh, 'here')).toBe('plain');
    expect(sealer(OLD).open(fresh, 'here')).toBeUndefined();
    expect(sealer(OTHER).open(old, 'here')).toBeUndefined();
  });

  it('a key that another one’s id points to is found all the same', () => {
    const bytes = Buffer.from(sealer(OLD).seal('plain', 'here'), 'base64url');
    Buffer.from(sealer(NEW).seal('plain', 'here'), 'base64url').copy(bytes, 0, 0, 4);
    expect(sealer(NEW, OLD).open(bytes.toString('base64url'), 'here')).toBe('plain');
  });

  it('the id in front says which key it was, and nothing of it', () => {
    const [one, two] = [sealer(NEW).seal('a', 'x'), sealer(NEW).seal('b', 'y')];
    const id = Buffer.from(one, 'base64url').toString('hex', 0, 4);
    expect(Buffer.from(two, 'base64url').toString('hex', 0, 4)).toBe(id);
    expect(Buffer.from(sealer(OLD).seal('a', 'x'), 'base64url').toString('hex', 0, 4)).not.toBe(id);
    expect(hex(readKeys({ seal: NEW }).keys[0] as Uint8Array)).not.toContain(id);
  });

  it('changed in any bit it does not open', () => {
    const one = sealer(NEW);
    const sealed = one.seal('plain', 'here');
    const bytes = Buffer.from(sealed, 'base64url');
    // The id is only a hint: what it says wrongly is found by trying.
    for (let bit = 4 * 8; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(one.open(changed.toString('base64url'), 'here')).toBeUndefined();
    }
    for (let length = 0; length < sealed.length; length++) expect(one.open(sealed.slice(0, length), 'here')).toBeUndefined();
    for (const changed of [`${sealed}=`, ` ${sealed}`, `${sealed}\n`, `${sealed}A`, `${sealed}%`])
      expect(one.open(changed, 'here')).toBeUndefined();
  });

  it('opens nothing, and never throws, whatever it is given', () => {
    const one = sealer(NEW, OLD);
    fc.assert(fc.property(fc.anything(), fc.anything(), (sealed, place) => one.open(sealed as string, place as string) === undefined));
    fc.assert(fc.property(fc.uint8Array(), (bytes) => one.open(Buffer.from(bytes).toString('base64url'), 'here') === undefined));
  });

  it('needs a key', () => {
    expect(() => new Sealer([])).toThrow(TypeError);
  });
});

describe('sealed credentials', () => {
  const one = sealer(NEW);
  const sealed = (inside: unknown): string => one.seal(typeof inside === 'string' ? inside : JSON.stringify(inside), 'here');
  const good = { scheme: 'api-key', header: 'x-api-key', value: 'secret-value', provider: 'p' };

  it.each([
    [bearer('token-a'), undefined],
    [bearer('token-a', { expiresAt: 1_800_000_000_000 }), 'anthropic'],
    [apiKey('key-a', { header: 'X-Goog-Api-Key' }), 'google'],
  ])('come back as they were: %s', (credential, provider) => {
    const opened = openCredential(one, sealCredential(one, credential, provider, 'here'), 'here');
    expect(opened?.provider).toBe(provider);
    expect(opened?.credential.fingerprint).toBe(credential.fingerprint);
    expect(opened?.credential.headers()).toEqual(credential.headers());
    expect(opened?.credential.scheme).toBe(credential.scheme);
    expect(opened?.credential.expiresAt).toBe(credential.expiresAt);
  });

  it('show nothing of the value, plain or encoded, and open at no other place', () => {
    const text = sealCredential(one, bearer('token-a'), 'anthropic', 'here');
    for (const shown of [text, Buffer.from(text, 'base64url').toString('latin1')]) {
      for (const secret of ['token-a', Buffer.from('token-a').toString('base64'), 'anthropic', 'here', bearer('token-a').fingerprint])
        expect(shown).not.toContain(secret);
    }
    expect(openCredential(one, text, 'elsewhere')).toBeUndefined();
    expect(openCredential(sealer(OLD), text, 'here')).toBeUndefined();
  });

  it('opens what is well made', () => {
    expect(openCredential(one, sealed(good), 'here')?.credential.headers()).toEqual({ 'x-api-key': 'secret-value' });
  });

  it.each<[string, unknown]>([
    ['no JSON', 'secret-value'],
    ['null', 'null'],
    ['a list', []],
    ['no scheme', { ...good, scheme: undefined }],
    ['an unknown scheme', { ...good, scheme: 'basic' }],
    ['no header', { ...good, header: undefined }],
    ['a header that is none', { ...good, header: 'x api key' }],
    ['a header with a line break', { ...good, header: 'x-api-key\r\nx' }],
    ['a header in capitals', { ...good, header: 'X-Api-Key' }],
    ['a bearer token under another header', { ...good, scheme: 'bearer' }],
    ['no value', { ...good, value: undefined }],
    ['an empty value', { ...good, value: '' }],
    ['a value with a line break', { ...good, value: 'a\r\nb' }],
    ['a value that is no text', { ...good, value: 42 }],
    ['an expiry that is no number', { ...good, expiresAt: '2030' }],
    ['an expiry that is null', { ...good, expiresAt: null }],
    ['a provider that is no text', { ...good, provider: 42 }],
    ['an empty provider', { ...good, provider: '' }],
  ])('nonsense inside counts as not opened: %s', (_, inside) => {
    expect(openCredential(one, sealed(inside), 'here')).toBeUndefined();
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.anything(), (text) => openCredential(one, text as string, 'here') === undefined));
    fc.assert(fc.property(fc.json(), (inside) => openCredential(one, sealed(inside), 'here') === undefined));
  });

  it('a sealer that is printed shows no key', () => {
    const key = readKeys({ seal: NEW }).keys[0] as Uint8Array;
    for (const shown of [inspect(one, { showHidden: true, depth: 9 }), JSON.stringify(one)]) {
      expect(shown).not.toContain(hex(key));
      expect(shown).not.toContain('newer secret');
    }
  });
});

function caught(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

// The cipher itself is the platform's; this only keeps the layout honest against a sealed value made by hand.
describe('what was made by hand', () => {
  it('opens with an id that no key has', () => {
    const key = randomBytes(32);
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
    cipher.setAAD(Buffer.from('here', 'utf16le'));
    const closed = Buffer.concat([cipher.update('plain', 'utf8'), cipher.final()]);
    const text = Buffer.concat([Buffer.alloc(4), nonce, closed, cipher.getAuthTag()]).toString('base64url');
    expect(new Sealer([key]).open(text, 'here')).toBe('plain');
  });
});
