import type { CredentialScheme } from '../credential/credential.js';
import { isLatchkeyError } from '../errors.js';

/** What came of a call, in one shape, whatever client made it. */
export interface Outcome {
  /** The HTTP status, if the upstream answered. */
  readonly status?: number | undefined;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The answer's body where it is at hand: parsed JSON, or text. */
  readonly body?: unknown;
  /** What the attempt threw, if it threw. */
  readonly error?: unknown;
  /** The network error code found on the error or its causes, such as `ECONNRESET`. */
  readonly code?: string | undefined;
  /** How the credential was sent: some providers mean different things by one status. */
  readonly scheme?: CredentialScheme | undefined;
  /** The work was called off; nothing was learnt. */
  readonly aborted?: boolean | undefined;
  /** The call ran out of time before an answer. */
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

/** Whether a returned value speaks HTTP: it has a numeric status and headers. A domain object with a status alone is a value like any other. */
export function isResponseLike(value: unknown): value is { readonly status: number; readonly headers: unknown } {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Fields)['status'] === 'number' &&
    typeof (value as Fields)['headers'] === 'object' &&
    (value as Fields)['headers'] !== null
  );
}

/** The outcome that a response, or an object shaped like one, stands for. A response's body is not read. */
export function outcomeOfResponse(response: {
  readonly status: number;
  readonly headers?: unknown;
  readonly body?: unknown;
  readonly data?: unknown;
}): Outcome {
  return { status: response.status, headers: readHeaders(response.headers), body: plainBody(response.body) ?? plainBody(response.data) };
}

/**
 * The outcome that a thrown value stands for. Knows the shapes of fetch wrappers, axios, got, ky, gaxios and the OpenAI, Anthropic and Google
 * SDKs by their fields; no message text decides anything.
 */
export function outcomeOfError(error: unknown): Outcome {
  const fields = asFields(error);
  // An error of ours has a status too, but of another run's call, which has had its verdict.
  if (fields === undefined || isLatchkeyError(error)) return { error };
  const response = asFields(get(fields, 'response'));
  const status = firstNumber(
    get(fields, 'status'),
    get(fields, 'statusCode'),
    response && get(response, 'status'),
    response && get(response, 'statusCode'),
  );
  const headers = readHeaders(get(fields, 'headers') ?? (response && get(response, 'headers')));
  const body = bodyOfError(fields, response);
  const code = status === undefined ? networkCode(fields) : undefined;
  const name = kindOf(error as object, fields);
  return {
    error,
    status,
    headers,
    body,
    code,
    aborted: status === undefined && (name === 'AbortError' || name === 'APIUserAbortError' || code === 'ERR_CANCELED'),
    timedOut: status === undefined && (name === 'TimeoutError' || name === 'APIConnectionTimeoutError'),
  };
}

/** Where each client keeps the parsed body of the answer: SDKs on `error`, axios and gaxios on `response.data`, got on `response.body`. */
function bodyOfError(fields: Fields, response: Fields | undefined): unknown {
  const own = get(fields, 'error') ?? get(fields, 'data') ?? get(fields, 'body');
  if (own !== undefined && own !== null) return plainBody(own);
  const answered = response && (plainBody(get(response, 'data')) ?? plainBody(get(response, 'body')));
  if (answered !== undefined) return answered;
  // The Google SDK carries the body, as JSON, in place of a message.
  const message = get(fields, 'message');
  return typeof message === 'string' && message.startsWith('{') ? message : undefined;
}

/** A body that is data, not a stream. */
function plainBody(body: unknown): unknown {
  if (typeof body === 'string') return body;
  if (body instanceof Uint8Array) return new TextDecoder().decode(body);
  if (typeof body !== 'object' || body === null) return undefined;
  const prototype: unknown = Object.getPrototypeOf(body);
  return prototype === Object.prototype || prototype === null || Array.isArray(body) ? body : undefined;
}

function readHeaders(headers: unknown): Readonly<Record<string, string>> {
  const source = asFields(headers);
  if (source === undefined) return NO_HEADERS;
  const read: Record<string, string> = {};
  const lookup = get(source, 'get');
  if (typeof lookup === 'function') {
    for (const name of READ_HEADERS) {
      const value = attempt(() => (lookup as (name: string) => unknown).call(headers, name));
      if (typeof value === 'string') read[name] = value;
    }
    return read;
  }
  for (const key of Object.keys(source)) {
    const name = key.toLowerCase();
    const value = get(source, key);
    if ((READ_HEADERS as readonly string[]).includes(name)) read[name] = Array.isArray(value) ? value.join(', ') : String(value);
  }
  return read;
}

/** Down the chain of causes: a connection reset's code sits two deep under some clients. */
function networkCode(fields: Fields): string | undefined {
  let current: Fields | undefined = fields;
  for (let depth = 0; current !== undefined && depth < DEEPEST_CAUSE; depth++) {
    const code = get(current, 'code');
    if (typeof code === 'string') return code;
    current = asFields(get(current, 'cause'));
  }
  return undefined;
}

/** The error's name; the class's where the name was left at `Error`. */
function kindOf(error: object, fields: Fields): string | undefined {
  const name = get(fields, 'name');
  if (typeof name === 'string' && name !== 'Error') return name;
  const type = attempt(() => error.constructor?.name);
  return typeof type === 'string' ? type : undefined;
}

function firstNumber(...values: unknown[]): number | undefined {
  return values.find((value) => typeof value === 'number' && Number.isInteger(value)) as number | undefined;
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
