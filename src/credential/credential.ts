import { hash } from 'node:crypto';

/** `bearer`: sent as `Authorization: Bearer VALUE`. `api-key`: sent bare under its header. */
export type CredentialScheme = 'bearer' | 'api-key';

/** Fields an `expiresAt` may be given in: a `Date`, or milliseconds since the Unix epoch. */
export interface BearerOptions {
  readonly expiresAt?: number | Date | undefined;
}

export interface ApiKeyOptions extends BearerOptions {
  /** The header that carries the key. Default `x-api-key`. */
  readonly header?: string | undefined;
}

const FINGERPRINT_BYTES = 8;
const FINGERPRINT = /^[0-9a-f]{16}$/;
/** Visible ASCII: what a header may carry of a token (RFC 9110, section 5.5), without blanks (RFC 6750, section 2.1). */
const VALUE = /^[\x21-\x7e]+$/;
/** A field name (RFC 9110, section 5.1). */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
/** Below this a number is taken for seconds: 1e11 ms is March 1973, 1e11 s is the year 5138. */
const SMALLEST_MS = 1e11;

export function isCredentialValue(value: unknown): value is string {
  return typeof value === 'string' && VALUE.test(value);
}

export function isFingerprint(text: unknown): text is string {
  return typeof text === 'string' && FINGERPRINT.test(text);
}

export function isHeaderName(name: unknown): name is string {
  return typeof name === 'string' && HEADER_NAME.test(name.toLowerCase());
}

/**
 * A secret and how it is sent. Immutable; the value sits in a private field, so printing, inspecting or
 * serialising a credential shows its scheme and fingerprint only. Made by `bearer`, `apiKey` and `credentialFromHeaders`.
 */
export class Credential {
  readonly scheme: CredentialScheme;
  /** Lower case. */
  readonly header: string;
  /** Milliseconds since the epoch; a hint, which an acceptance after it voids. */
  readonly expiresAt: number | undefined;
  /** First 16 hex digits of SHA-256 over scheme, header and value: the only form that leaves the process. */
  readonly fingerprint: string;
  readonly #value: string;

  constructor(scheme: CredentialScheme, header: string, value: string, expiresAt: number | undefined) {
    this.scheme = scheme;
    this.header = header;
    this.expiresAt = expiresAt;
    this.#value = value;
    // From the digest's bytes, not from a slice of its hex text: a slice would keep the whole text alive.
    this.fingerprint = hash('sha256', `${scheme}\n${header}\n${value}`, 'buffer').toString('hex', 0, FINGERPRINT_BYTES);
  }

  /** The secret itself. */
  reveal(): string {
    return this.#value;
  }

  /** A fresh plain object with the one header that carries this credential. */
  headers(): Record<string, string> {
    return { [this.header]: this.scheme === 'bearer' ? `Bearer ${this.#value}` : this.#value };
  }

  toString(): string {
    return `${this.scheme}:${this.fingerprint}`;
  }

  toJSON(): string {
    return this.toString();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/**
 * A bearer token (RFC 6750), sent as `Authorization: Bearer VALUE`.
 * @throws {TypeError} if the value is empty or has blanks, or `expiresAt` is not a time in milliseconds.
 */
export function bearer(value: string, options: BearerOptions = {}): Credential {
  requireKnown('bearer', options, ['expiresAt']);
  requireValue('bearer', value);
  return new Credential('bearer', 'authorization', value, readExpiry('bearer', options.expiresAt));
}

/**
 * An API key, sent bare under `options.header` (default `x-api-key`).
 * @throws {TypeError} if the value is empty or has blanks, the header is not a field name, or `expiresAt` is not a time in milliseconds.
 */
export function apiKey(value: string, options: ApiKeyOptions = {}): Credential {
  requireKnown('apiKey', options, ['expiresAt', 'header']);
  requireValue('apiKey', value);
  const header = options.header ?? 'x-api-key';
  if (!isHeaderName(header)) throw new TypeError('apiKey: `header` must be a header name');
  return new Credential('api-key', header.toLowerCase(), value, readExpiry('apiKey', options.expiresAt));
}

function requireKnown(caller: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw new TypeError(`${caller}: \`options\` must be an object`);
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new TypeError(`${caller}: unknown option \`${name}\``);
  }
}

function requireValue(caller: string, value: unknown): void {
  // The value is a secret even when it is malformed: it is never quoted.
  if (typeof value !== 'string') throw new TypeError(`${caller}: the value must be a string`);
  if (value.length === 0) throw new TypeError(`${caller}: the value is empty`);
  if (!isCredentialValue(value)) throw new TypeError(`${caller}: the value holds blanks or characters that no header can carry`);
}

function readExpiry(caller: string, expiresAt: number | Date | undefined): number | undefined {
  if (expiresAt === undefined) return undefined;
  const ms = expiresAt instanceof Date ? expiresAt.getTime() : expiresAt;
  if (typeof ms !== 'number' || !Number.isFinite(ms))
    throw new TypeError(`${caller}: \`expiresAt\` must be a Date or milliseconds since the epoch`);
  if (ms < SMALLEST_MS) throw new TypeError(`${caller}: \`expiresAt\` is in seconds; give milliseconds`);
  return ms;
}
