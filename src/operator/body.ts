import { callWithin } from '../signals/call-within.js';
import { headerOf, type RequestHeaders } from '../signals/request.js';
import type { Body, Incoming } from './incoming.js';
import { Refused } from './reply.js';

/** Four names of a scope, of 1,024 characters each, all of them escaped: six bytes a character. */
const MOST_BYTES = 32_768;
const RECEIVE_MS = 10_000;
const JSON_TYPE = /^application\/json[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i;
const FORM_TYPE = /^application\/x-www-form-urlencoded[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i;

/** The object that a JSON body holds. @throws {Refused} for anything else. */
export async function readJsonObject(incoming: Incoming): Promise<Readonly<Record<string, unknown>>> {
  requireType(incoming.request.headers, JSON_TYPE, 'application/json');
  const body = await received(incoming);
  const value = 'bytes' in body ? parseJson(textOf(body.bytes)) : body.parsed;
  if (!isObject(value)) throw new Refused(400, 'the body must be a JSON object');
  return value;
}

/** The value of a form's one field; undefined if it is missing, or sent twice. @throws {Refused} for what is no form. */
export async function readFormField(incoming: Incoming, name: string): Promise<string | undefined> {
  requireType(incoming.request.headers, FORM_TYPE, 'application/x-www-form-urlencoded');
  const body = await received(incoming);
  if ('parsed' in body) {
    const value = isObject(body.parsed) ? body.parsed[name] : undefined;
    return typeof value === 'string' ? value : undefined;
  }
  const values = new URLSearchParams(textOf(body.bytes)).getAll(name);
  return values.length === 1 ? values[0] : undefined;
}

/** What a parser has left behind, which may be the text that it did not touch. */
export function parsedBody(value: unknown, most: number): Body {
  if (value instanceof Uint8Array || typeof value === 'string') {
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
    if (bytes.length > most) throw tooLong(most);
    return { bytes };
  }
  if (new TextEncoder().encode(JSON.stringify(value) ?? '').length > most) throw tooLong(most);
  return { parsed: value };
}

export function tooLong(most: number): Refused {
  return new Refused(413, `the body must be at most ${most} bytes long`);
}

async function received(incoming: Incoming): Promise<Body> {
  let isLate = false;
  try {
    const read = (signal: AbortSignal): Promise<Body> => {
      signal.addEventListener('abort', () => {
        isLate = true;
      });
      return incoming.body(MOST_BYTES, signal);
    };
    return await callWithin(read, { timeoutMs: RECEIVE_MS });
  } catch (error) {
    throw isLate ? new Refused(408, 'the body did not arrive in time') : error;
  }
}

function requireType(headers: RequestHeaders, type: RegExp, name: string): void {
  if (!type.test(headerOf(headers, 'content-type') ?? '')) throw new Refused(415, `the content type must be ${name}`);
  const coding = headerOf(headers, 'content-encoding');
  if (coding !== undefined && coding.toLowerCase() !== 'identity') throw new Refused(415, 'the body must not be encoded');
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Refused(400, 'the body must be UTF-8');
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes what it could not read.
    throw new Refused(400, 'the body must be a JSON object');
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
