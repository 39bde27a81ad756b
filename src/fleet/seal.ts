import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { Credential, isCredentialValue, isHeaderName } from '../credential/credential.js';

/** A secret: at least 32 bytes, or a string of at least 32 characters. */
export type Key = string | Uint8Array;

export interface KeyOptions {
  /** Seals credentials in the store. A list is newest first: the first seals, all open. */
  readonly seal?: Key | readonly Key[] | undefined;
  /** Turns scopes and fingerprints into the names that the store sees. Default: derived from the last key of `seal`. */
  readonly fingerprintKey?: Key | undefined;
}

export interface Keys {
  /** What a `Sealer` is made with; empty without `seal`. */
  readonly keys: Uint8Array[];
  /** What `Names` are made with. */
  readonly fingerprintKey: Uint8Array;
}

const LEAST_SECRET = 32;
const KEY_BYTES = 32;
const KEY_ID_BYTES = 4;
/** NIST SP 800-38D, section 8.2.2: a random nonce has 96 bits. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const OVERHEAD_BYTES = KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES;

/** @throws {TypeError} naming the option that is wrong; a key is never quoted. */
export function readKeys({ seal, fingerprintKey }: KeyOptions): Keys {
  const secrets = seal === undefined ? [] : readSecrets(seal);
  const oldest = secrets.at(-1);
  let named: Uint8Array | undefined;
  if (fingerprintKey !== undefined) {
    named = readSecret(fingerprintKey);
    if (named === undefined)
      throw new TypeError('redisStore: `fingerprintKey` must be a secret of at least 32 bytes, or a string of at least 32 characters');
  }
  // The oldest, so that a new key in front renames nothing.
  named ??= oldest;
  if (named === undefined) throw new TypeError('redisStore: `fingerprintKey` must be given where there is no `seal`');
  return {
    keys: secrets.map((secret) => derive(secret, 'latchkey seal', KEY_BYTES)),
    fingerprintKey: derive(named, 'latchkey fingerprint', KEY_BYTES),
  };
}

interface KnownKey {
  /** Says which key sealed something, and nothing about the key. */
  readonly id: Buffer;
  readonly key: Uint8Array;
}

/** Closes what a store is to keep without being able to read it: AES-256-GCM. */
export class Sealer {
  readonly #newest: KnownKey;
  readonly #keys: readonly KnownKey[];

  /** The keys of `readKeys`, newest first; at least one. */
  constructor(keys: readonly Uint8Array[]) {
    this.#keys = keys.map((key) => ({ id: Buffer.from(derive(key, 'latchkey key id', KEY_ID_BYTES)), key }));
    const [newest] = this.#keys;
    if (newest === undefined) throw new TypeError('Sealer: needs a key');
    this.#newest = newest;
  }

  /** Opens only at the same `place`: what is moved to another record, or another scope, is worth nothing there. */
  seal(plain: string, place: string): string {
    const { id, key } = this.#newest;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(place, 'utf16le'));
    const closed = [cipher.update(plain, 'utf8'), cipher.final()];
    return Buffer.concat([id, nonce, ...closed, cipher.getAuthTag()]).toString('base64url');
  }

  /** Undefined for whatever was not sealed with one of the keys for this place, or was changed since. The key id only says which one to try first. */
  open(sealed: string, place: string): string | undefined {
    if (typeof sealed !== 'string' || typeof place !== 'string') return undefined;
    const bytes = Buffer.from(sealed, 'base64url');
    // Decoding skips what is not base64url.
    if (bytes.length < OVERHEAD_BYTES || bytes.toString('base64url') !== sealed) return undefined;
    const id = bytes.subarray(0, KEY_ID_BYTES);
    const named = this.#keys.filter((key) => key.id.equals(id));
    const others = this.#keys.filter((key) => !key.id.equals(id));
    for (const { key } of [...named, ...others]) {
      const plain = decipher(bytes.subarray(KEY_ID_BYTES), key, place);
      if (plain !== undefined) return plain;
    }
    return undefined;
  }
}

export interface OpenedCredential {
  readonly credential: Credential;
  readonly provider: string | undefined;
}

/** The whole credential, its provider with it, for one place in the store. */
export function sealCredential(sealer: Sealer, credential: Credential, provider: string | undefined, place: string): string {
  const { scheme, header, expiresAt } = credential;
  return sealer.seal(JSON.stringify({ scheme, header, value: credential.reveal(), expiresAt, provider }), place);
}

/** Undefined for what does not open, and for what is no credential inside. */
export function openCredential(sealer: Sealer, sealed: string, place: string): OpenedCredential | undefined {
  const plain = sealer.open(sealed, place);
  if (plain === undefined) return undefined;
  try {
    return readCredential(JSON.parse(plain));
  } catch {
    // What a parser says of its input quotes it.
    return undefined;
  }
}

function readCredential(inside: unknown): OpenedCredential | undefined {
  if (typeof inside !== 'object' || inside === null) return undefined;
  const { scheme, header, value, expiresAt, provider } = inside as Readonly<Record<string, unknown>>;
  if (scheme !== 'bearer' && scheme !== 'api-key') return undefined;
  if (!isHeaderName(header) || header !== header.toLowerCase() || (scheme === 'bearer' && header !== 'authorization')) return undefined;
  if (!isCredentialValue(value)) return undefined;
  if (expiresAt !== undefined && (typeof expiresAt !== 'number' || !Number.isFinite(expiresAt))) return undefined;
  if (provider !== undefined && (typeof provider !== 'string' || provider === '')) return undefined;
  return { credential: new Credential(scheme, header, value, expiresAt), provider };
}

function decipher(bytes: Buffer, key: Uint8Array, place: string): string | undefined {
  try {
    const opening = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    opening.setAAD(Buffer.from(place, 'utf16le'));
    opening.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
    return opening.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES), undefined, 'utf8') + opening.final('utf8');
  } catch {
    return undefined;
  }
}

function readSecrets(seal: unknown): Uint8Array[] {
  const given: readonly unknown[] = Array.isArray(seal) ? seal : [seal];
  const secrets = given.map(readSecret).filter((secret) => secret !== undefined);
  if (given.length === 0 || secrets.length < given.length)
    throw new TypeError(
      'redisStore: `seal` must be a secret of at least 32 bytes, or a string of at least 32 characters, or a list of these, newest first',
    );
  return secrets;
}

function readSecret(key: unknown): Uint8Array | undefined {
  if (typeof key === 'string') return key.length >= LEAST_SECRET ? Buffer.from(key, 'utf8') : undefined;
  return key instanceof Uint8Array && key.length >= LEAST_SECRET ? key : undefined;
}

function derive(secret: Uint8Array, purpose: string, bytes: number): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(), purpose, bytes));
}
