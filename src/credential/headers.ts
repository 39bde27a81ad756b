import { apiKey, bearer, type Credential, isCredentialValue, isHeaderName } from './credential.js';

/** `Headers`, Node's `IncomingHttpHeaders` or a plain object; names in any case. */
export type HeadersLike =
  | { get(name: string): string | null; entries?: unknown }
  | { readonly [name: string]: string | readonly string[] | number | undefined };

/** `none`: nothing was presented. `ambiguous`: two mechanisms at once. `malformed`: empty, or with blanks. `unsupported`: Basic, cookies, signatures. */
export type CredentialProblem = 'none' | 'ambiguous' | 'malformed' | 'unsupported';

/** Options of `credentialFromHeaders`. */
export interface CredentialHeaderOptions {
  /** The headers that carry a bare key. Default `x-api-key`, `x-goog-api-key`, `api-key`. `authorization` is always read. */
  readonly headers?: readonly string[] | undefined;
}

const KEY_HEADERS = ['x-api-key', 'x-goog-api-key', 'api-key'] as const;
/** The headers that a credential is looked for in, unless told otherwise. */
export const CREDENTIAL_HEADERS = ['authorization', ...KEY_HEADERS] as const;
/** Scheme, one or more blanks, credentials (RFC 9110, section 11.4); the scheme in any case. */
const BEARER = /^bearer(?:[ \t]+(.*))?$/is;

type Reading = { readonly credential: Credential } | { readonly problem: CredentialProblem };

/**
 * The one credential that a request presents, or undefined. Never throws, whatever the headers hold; `credentialProblem` says what was wrong.
 * @throws {TypeError} only for a mistake of the caller's own: an unknown option or a name that is no header name.
 */
export function credentialFromHeaders(headers: HeadersLike | null | undefined, options?: CredentialHeaderOptions): Credential | undefined {
  const reading = read(headers, options);
  return 'credential' in reading ? reading.credential : undefined;
}

/** Why `credentialFromHeaders` gives nothing (what to answer 400 or 401 to), or undefined when it gives a credential. */
export function credentialProblem(
  headers: HeadersLike | null | undefined,
  options?: CredentialHeaderOptions,
): CredentialProblem | undefined {
  const reading = read(headers, options);
  return 'problem' in reading ? reading.problem : undefined;
}

function read(headers: HeadersLike | null | undefined, options: CredentialHeaderOptions | undefined): Reading {
  const keyHeaders = readOptions(options);
  if (typeof headers !== 'object' || headers === null) return { problem: 'none' };

  const presented: { header: string; value: unknown }[] = [];
  for (const header of ['authorization', ...keyHeaders]) {
    for (const value of valuesOf(headers, header)) presented.push({ header, value });
  }
  const [only] = presented;
  if (only === undefined) return { problem: valuesOf(headers, 'cookie').length > 0 ? 'unsupported' : 'none' };
  if (presented.length > 1) return { problem: 'ambiguous' };

  if (typeof only.value !== 'string') return { problem: 'malformed' };
  // Optional white space around a field value is not part of it (RFC 9110, section 5.5).
  const text = only.value.trim();
  if (only.header !== 'authorization') {
    return isCredentialValue(text) ? { credential: apiKey(text, { header: only.header }) } : { problem: 'malformed' };
  }
  if (text === '') return { problem: 'malformed' };
  const token = BEARER.exec(text);
  if (token === null) return { problem: 'unsupported' };
  return isCredentialValue(token[1]) ? { credential: bearer(token[1]) } : { problem: 'malformed' };
}

function readOptions(options: CredentialHeaderOptions | undefined): readonly string[] {
  if (options === undefined) return KEY_HEADERS;
  if (typeof options !== 'object' || options === null) throw new TypeError('credentialFromHeaders: `options` must be an object');
  for (const name of Object.keys(options)) {
    if (name !== 'headers') throw new TypeError(`credentialFromHeaders: unknown option \`${name}\``);
  }
  if (options.headers === undefined) return KEY_HEADERS;
  if (!Array.isArray(options.headers)) throw new TypeError('credentialFromHeaders: `headers` must be a list of header names');
  const names: string[] = [];
  for (const name of options.headers) {
    if (!isHeaderName(name)) throw new TypeError('credentialFromHeaders: `headers` must hold header names');
    const lower = name.toLowerCase();
    if (lower !== 'authorization' && !names.includes(lower)) names.push(lower);
  }
  return names;
}

/** Every value under a name; a header that is there but empty counts. */
function valuesOf(headers: object, name: string): unknown[] {
  try {
    if (typeof (headers as { get?: unknown }).get === 'function') {
      const value: unknown = (headers as { get(name: string): unknown }).get(name);
      return value === null || value === undefined ? [] : [value];
    }
    const values: unknown[] = [];
    for (const key of Object.keys(headers)) {
      if (key.toLowerCase() !== name) continue;
      const value = (headers as Record<string, unknown>)[key];
      if (Array.isArray(value)) values.push(...value);
      else if (value !== null && value !== undefined) values.push(value);
    }
    return values;
  } catch {
    // A hostile getter or proxy presents nothing.
    return [];
  }
}
