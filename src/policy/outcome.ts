import type { CredentialScheme } from '../credential/credential.js';
import { isLatchkeyError } from '../errors.js';

/** What came of a call, in one shape, whatever client made it. */
export interface Outcome {
  /** The HTTP status, if the upstream answered. */
  readonly status?: number | undefined;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The answer's body where it is at hand; rules get JSON parsed, anything else as text. */
  readonly body?: unknown;
  /** What the attempt threw, if it threw. */
  readonly error?: unknown;
  /** The network error code found on the error or its causes, such as `ECONNRESET`. */
  readonly code?: string | undefined;
  /** How the credential was sent: some providers mean different things by one status. */
  readonly scheme?: CredentialScheme | undefined;
  /** A signal broke the call off; nothing was learnt. */
  readonly aborted?: boolean | undefined;
  /** The call ran out of time. With `aborted` too: it may have, since some clients' own time limits fire a signal and leave no other trace. */
  readonly timedOut?: boolean | undefined;
}

/** What `settle` takes beside statuses, responses and errors. */
export interface OutcomeLike {
  readonly status: number;
  readonly headers?: unknown;
  readonly body?: unknown;
}

const DEEPEST_CAUSE = 5;
const NO_HEADERS: Readonly<Record<string, string>> = {};
/** Headers that a decision may depend on; the rest of a response is none of our business. */
const READ_HEADERS = ['content-type', 'date', 'retry-after', 'retry-after-ms', 'www-authenticate', 'x-amzn-errortype'] as const;

type Fields = Record<string, unknown>;

/** Node's and undici's codes for a connection that failed, and those that HTTP clients give such failures. */
const NETWORK_CODES = new Set([
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ERR_HTTP2_GOAWAY_SESSION',
  'ERR_HTTP2_SESSION_ERROR',
  'ERR_HTTP2_STREAM_ERROR',
  'ERR_NETWORK',
  'ERR_SOCKET_CONNECTION_TIMEOUT',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ETIMEDOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_SOCKET',
]);
/** What clients call an abort that their caller asked for, where they tell it from their own time limit. */
const CALLED_OFF = new Set(['APIUserAbortError', 'ERR_ABORTED', 'ERR_CANCELED']);
const OUT_OF_TIME = new Set(['APIConnectionTimeoutError', 'TimeoutError']);

/** What speaks HTTP: `fetch` and axios say `status`, undici, got and Node itself `statusCode`. */
export interface ResponseLike {
  readonly status?: number;
  readonly statusCode?: number;
  readonly headers: object;
}

/** Whether a returned value speaks HTTP: it has a numeric status and headers. A domain object with a status alone is a value like any other. */
export function isResponseLike(value: unknown): value is ResponseLike {
  const fields = asFields(value);
  return fields !== undefined && statusOf(fields) !== undefined && asFields(get(fields, 'headers')) !== undefined;
}

/** The status that a response, or an object shaped like one, bears. */
export function statusOf(response: object): number | undefined {
  const status = get(response as Fields, 'status');
  if (typeof status === 'number') return status;
  const statusCode = get(response as Fields, 'statusCode');
  return typeof statusCode === 'number' ? statusCode : undefined;
}

/** Whether a code names a failure of the connection. */
export function isNetworkCode(code: string | undefined): boolean {
  return code !== undefined && NETWORK_CODES.has(code);
}

/** The outcome that a response, or an object shaped like one, stands for. A response's body is not read. */
export function outcomeOfResponse(response: object): Outcome {
  const fields = asFields(response);
  if (fields === undefined) return {};
  const body = plainBody(get(fields, 'body')) ?? plainBody(get(fields, 'data'));
  return { status: statusOf(fields), headers: readHeaders(get(fields, 'headers')), body };
}

/**
 * The outcome that a thrown value stands for. Knows the shapes of fetch wrappers, axios, got, ky, gaxios and the OpenAI, Anthropic and Google
 * SDKs by their fields; no message text decides anything.
 */
export function outcomeOfError(error: unknown): Outcome {
  const fields = asFields(error);
  // An error of ours has a status too, but of another run's call, which has had its verdict.
  if (fields === undefined || attempt(() => isLatchkeyError(error))) return { error };
  const response = asFields(get(fields, 'response'));
  const status = firstStatus(
    get(fields, 'status'),
    get(fields, 'statusCode'),
    response && get(response, 'status'),
    response && get(response, 'statusCode'),
  );
  const headers = readHeaders(get(fields, 'headers') ?? (response && get(response, 'headers')));
  const answer = { error, status, headers, body: bodyOfError(fields, response) };
  // A good status says nothing yet of a body that breaks off; got keeps the response on such errors.
  return status !== undefined && status >= 400 ? answer : { ...answer, ...failureOf(fields) };
}

/** Where each client keeps the answer's body: SDKs on `error`, axios and gaxios on `response.data`, got on `response.body`. */
function bodyOfError(fields: Fields, response: Fields | undefined): unknown {
  for (const name of ['error', 'data', 'body']) {
    const body = plainBody(get(fields, name));
    if (body !== undefined) return body;
  }
  const answered = response && (plainBody(get(response, 'data')) ?? plainBody(get(response, 'body')));
  if (answered !== undefined) return answered;
  // The Google SDK carries the body, as JSON, in place of a message.
  const message = get(fields, 'message');
  return typeof message === 'string' && message.startsWith('{') ? message : undefined;
}

/** A body that is data, not a stream. */
function plainBody(body: unknown): unknown {
  if (typeof body === 'string') return body;
  if (typeof body !== 'object' || body === null) return undefined;
  return attempt(() => {
    if (body instanceof Uint8Array) return new TextDecoder().decode(body);
    const prototype: unknown = Object.getPrototypeOf(body);
    return prototype === Object.prototype || prototype === null || Array.isArray(body) ? body : undefined;
  });
}

/** Headers of an answer, or of the one behind an error, by their lower-case names. */
export function headersOfAnswer(answer: unknown, names: readonly string[]): Readonly<Record<string, string>> {
  const fields = asFields(answer);
  if (fields === undefined) return NO_HEADERS;
  const response = asFields(get(fields, 'response'));
  return readHeaders(get(fields, 'headers') ?? (response && get(response, 'headers')), names);
}

function readHeaders(headers: unknown, names: readonly string[] = READ_HEADERS): Readonly<Record<string, string>> {
  const source = asFields(headers);
  if (source === undefined) return NO_HEADERS;
  const read: Record<string, string> = {};
  const note = (name: string, value: unknown): void => {
    const text = attempt(() => (Array.isArray(value) ? value.join(', ') : typeof value === 'number' ? String(value) : value));
    if (typeof text === 'string') read[name] = text;
  };
  const lookup = get(source, 'get');
  if (typeof lookup === 'function') {
    for (const name of names)
      note(
        name,
        attempt(() => (lookup as (name: string) => unknown).call(headers, name)),
      );
    return read;
  }
  for (const key of attempt(() => Object.keys(source)) ?? []) {
    const name = key.toLowerCase();
    if (names.includes(name)) note(name, get(source, key));
  }
  return read;
}

/** Why there was no answer. Looks down the chain of causes: a connection reset's code sits two deep under some clients. */
function failureOf(fields: Fields): Pick<Outcome, 'code' | 'aborted' | 'timedOut'> {
  let code: string | undefined;
  let calledOff = false;
  let signalled = false;
  let outOfTime = false;
  let current: Fields | undefined = fields;
  for (let depth = 0; current !== undefined && depth < DEEPEST_CAUSE; depth++) {
    const own = get(current, 'code');
    if (typeof own === 'string') {
      // A client's own code may stand before the network's.
      if (code === undefined || (!isNetworkCode(code) && isNetworkCode(own))) code = own;
      calledOff ||= CALLED_OFF.has(own);
    }
    const kind = kindOf(current);
    calledOff ||= CALLED_OFF.has(kind);
    outOfTime ||= OUT_OF_TIME.has(kind);
    signalled ||= kind === 'AbortError';
    current = asFields(get(current, 'cause'));
  }
  // fetch, gaxios and the Google SDK throw the same AbortError for a caller's abort and for a time limit. Whoever knows the caller's signal
  // has looked at it before; if it was not that, it was a time limit.
  return { code, aborted: calledOff || (signalled && !outOfTime), timedOut: !calledOff && (outOfTime || signalled) };
}

/** The error's name; the class's where the name was left at `Error`. */
function kindOf(error: Fields): string {
  const name = get(error, 'name');
  if (typeof name === 'string' && name !== 'Error') return name;
  const type = attempt(() => error.constructor?.name);
  return typeof type === 'string' ? type : '';
}

/** Errors of all trades have a `status`: only an HTTP status is one. */
function firstStatus(...values: unknown[]): number | undefined {
  return values.find((value) => typeof value === 'number' && Number.isInteger(value) && value >= 100 && value < 600) as number | undefined;
}

function asFields(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
}

function get(fields: Fields, name: string): unknown {
  return attempt(() => fields[name]);
}

/** Foreign objects may have getters that throw; what cannot be read is not there. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** A body as rules get it, whichever client it came from: parsed if it is the text of a JSON object or list. */
export function parsedBody(body: unknown): unknown {
  if (typeof body !== 'string' || !/^\s*[{[]/.test(body)) return body;
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}
