import type { Credential } from './credential.js';

/** What a scrubbed copy keeps of an error. */
export interface ErrorCopy extends Error {
  readonly code?: string | number;
  readonly status?: number;
}

/** Shorter values have no base64 form that could be told from ordinary text. */
const SHORTEST_BASE64 = 6;

/** Where a form of a credential's value stands in a text. */
interface Place {
  readonly start: number;
  readonly end: number;
  readonly credential: Credential;
}

/**
 * Replaces every form of the credential's value (plain, JSON-escaped, URL-encoded, base64 at any alignment, base64url)
 * in a text by its scheme and fingerprint.
 */
export function redact(text: string, credential: Credential): string {
  return redactAll(text, [credential]);
}

/**
 * `redact` for several credentials at once: what takes the place of one is not searched for another, and of values that overlap none
 * is left in part; the longest gives its name to the whole.
 */
export function redactAll(text: string, credentials: readonly Credential[]): string {
  let redacted = '';
  let end = 0;
  for (const place of placesIn(text, credentials)) {
    redacted += text.slice(end, place.start) + place.credential.toString();
    end = place.end;
  }
  return redacted + text.slice(end);
}

/**
 * A copy of a thrown value that is safe to log: name, message, code, status and stack, with the values of all given credentials
 * replaced. Everything else is left behind, because real clients keep the whole request, headers included, on their errors.
 */
export function redactedCopy(thrown: unknown, credentials: readonly Credential[]): ErrorCopy {
  const source = (typeof thrown === 'object' && thrown !== null ? thrown : { message: textOf(thrown) }) as Record<string, unknown>;
  const clean = (value: unknown): string | undefined => (typeof value === 'string' ? redactAll(value, credentials) : undefined);

  const status = read(source, 'status') ?? read(source, 'statusCode');
  // A response has no message of its own.
  const copy = new Error(
    clean(read(source, 'message')) ?? (typeof status === 'number' ? `the upstream answered ${status}` : ''),
  ) as Error & {
    code?: string | number;
    status?: number;
  };
  const name = clean(read(source, 'name'));
  if (name !== undefined) define(copy, 'name', name);
  const stack = clean(read(source, 'stack'));
  define(copy, 'stack', stack ?? `${copy.name}: ${copy.message}`);
  const code = read(source, 'code');
  if (typeof code === 'string') copy.code = redactAll(code, credentials);
  else if (typeof code === 'number') copy.code = code;
  if (typeof status === 'number') copy.status = status;
  return copy;
}

/** A function may be a proxy, whose text is somebody else's code. */
function textOf(thrown: unknown): string {
  return typeof thrown === 'function' ? '[function]' : String(thrown);
}

/** In their order, none overlapping another. */
function placesIn(text: string, credentials: readonly Credential[]): Place[] {
  const found: Place[] = [];
  for (const credential of credentials) {
    const value = credential.reveal();
    // No form of a value is shorter than the value.
    if (value === '' || value.length > text.length) continue;
    for (const form of formsOf(value)) {
      for (let start = text.indexOf(form); start !== -1; start = text.indexOf(form, start + form.length)) {
        found.push({ start, end: start + form.length, credential });
      }
    }
  }
  const apart: Place[] = [];
  let longest = 0;
  for (const place of found.sort((a, b) => a.start - b.start)) {
    const before = apart.at(-1);
    const length = place.end - place.start;
    if (before === undefined || place.start >= before.end) {
      apart.push(place);
      longest = length;
      continue;
    }
    const credential = length > longest ? place.credential : before.credential;
    apart[apart.length - 1] = { start: before.start, end: Math.max(before.end, place.end), credential };
    longest = Math.max(longest, length);
  }
  return apart;
}

function read(source: Record<string, unknown>, name: string): unknown {
  try {
    return source[name];
  } catch {
    return undefined;
  }
}

function define(target: Error, name: 'name' | 'stack', value: string): void {
  Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
}

function formsOf(value: string): string[] {
  const forms = [value, JSON.stringify(value).slice(1, -1)];
  for (const encoded of [encodeURIComponent(value), encodeURI(value), new URLSearchParams([['', value]]).toString().slice(1)]) {
    // Percent-encoding is valid with lower-case digits too (RFC 3986, section 2.1).
    forms.push(
      encoded,
      encoded.replace(/%[0-9A-F]{2}/g, (octet) => octet.toLowerCase()),
    );
  }
  if (value.length >= SHORTEST_BASE64) forms.push(...base64FormsOf(value));
  return [...new Set(forms)];
}

/** Base64 encodes three bytes at a time, so a value inside a longer text has three forms, one for each offset. */
function base64FormsOf(value: string): string[] {
  const forms: string[] = [];
  for (const offset of [0, 1, 2]) {
    const bytes = Buffer.from('\0'.repeat(offset) + value);
    const whole = Math.floor((bytes.length * 8) / 6);
    // The first characters mix in the bytes before the value, the last partial one the bytes after it.
    const core = bytes.toString('base64').slice(Math.ceil((offset * 8) / 6), whole);
    forms.push(core, core.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return forms;
}
