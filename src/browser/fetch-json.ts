import { HttpError } from './http-error.js';
import { loginTarget, loginUrlOf } from './login-url.js';
import { leaveFor } from './navigate.js';
import { checkOptions, requirePrefix, windowOf } from './options.js';
import { type DescribedRequest, describeRequest, isRequest } from './request.js';
import { upstreamAuthError } from './upstream-auth-error.js';
import { parseUrl } from './url.js';
import type { Fetch, FetchJsonWindow } from './window.js';

/** Like `fetch`, but for the parsed JSON of a 2xx; undefined for an empty body. */
export type FetchJson = <T = unknown>(input: string | URL | Request, init?: RequestInit) => Promise<T>;

/** Options of `createFetchJson`. */
export interface FetchJsonOptions {
  /** Which page it is for. Default the global one. */
  readonly window?: FetchJsonWindow | undefined;
  /** What sends. Default the window's `fetch`, as it is at each call. */
  readonly fetch?: Fetch | undefined;
  /** The name of the upstream in an `UpstreamAuthError`, or what gives it. Default the request's path. */
  readonly upstream?: string | ((request: DescribedRequest) => string) | undefined;
  /** The path that the gateway is served under, such as `/gw`. Default none. */
  readonly prefix?: string | undefined;
}

/**
 * Makes a `fetchJson`. It throws an `UpstreamAuthError` for a tagged response and an `HttpError` for every other one that is no JSON success,
 * except for the gateway's own 401 (from the page's origin, `session_expired` or `unauthenticated`, with a `login_url` on this origin): then it
 * saves the location, goes to the login page, once for any number of calls, and the promise never settles. Should the page stay all the same,
 * a 401 that comes 5 s later (twice as long after each further try, 60 s at most) goes to the login again.
 * @throws {TypeError} for an option that is unknown or malformed, or where there is no window.
 */
export function createFetchJson(options: FetchJsonOptions = {}): FetchJson {
  checkOptions('createFetchJson', options, ['window', 'fetch', 'upstream', 'prefix']);
  const { fetch, upstream, prefix } = options;
  if (fetch !== undefined && typeof fetch !== 'function') throw new TypeError('createFetchJson: `fetch` must be a function');
  requirePrefix('createFetchJson', prefix);
  if (upstream !== undefined && typeof upstream !== 'function' && (typeof upstream !== 'string' || upstream === ''))
    throw new TypeError('createFetchJson: `upstream` must be a function or a text that is not empty');
  const window = windowOf('createFetchJson', options.window, ['location', 'fetch', 'addEventListener', 'removeEventListener']);

  return async <T>(input: string | URL | Request, init?: RequestInit): Promise<T> => {
    const request = describeRequest(window, input, init);
    const response = await (fetch ?? window.fetch).call(window, input, init);

    const failure = upstreamAuthError(response, nameOf(upstream, request));
    if (failure !== undefined) {
      response.body?.cancel().catch(() => {});
      throw failure;
    }
    // What another origin says, by a redirect too, steers no page of this one.
    const isOwn = response.status === 401 && parseUrl(response.url || request.url)?.origin === window.location.origin;
    if (isOwn && (await goesToLogin(response, window, prefix))) return new Promise<never>(() => {});
    if (response.ok) return parsed<T>(await response.text(), response.status, request.pathname);
    throw new HttpError(response.status, await textOf(response, signalOf(input, init)), request.pathname);
  };
}

/** Looks at a clone: the body is the error's, should the page stay. */
async function goesToLogin(response: Response, window: FetchJsonWindow, prefix: string | undefined): Promise<boolean> {
  const body = await copyOf(response);
  const loginUrl = body === undefined ? undefined : loginUrlOf(body);
  const target = loginUrl === undefined ? undefined : loginTarget(loginUrl, window, prefix);
  return target !== undefined && leaveFor(target, window);
}

async function copyOf(response: Response): Promise<string | undefined> {
  try {
    return await response.clone().text();
  } catch {
    return undefined;
  }
}

function parsed<T>(text: string, status: number, pathname: string): T {
  if (text.trim() === '') return undefined as T;
  try {
    return JSON.parse(text) as T;
  } catch {
    // A SyntaxError would quote the body.
    throw new HttpError(status, text, pathname, 'gave no JSON with');
  }
}

/** The status is worth more than a body that broke off, but the caller's abort is the caller's. */
async function textOf(response: Response, signal: AbortSignal | null | undefined): Promise<string> {
  try {
    return await response.text();
  } catch {
    signal?.throwIfAborted();
    return '';
  }
}

function signalOf(input: unknown, init: RequestInit | undefined): AbortSignal | null | undefined {
  return init?.signal ?? (isRequest(input) ? (input as Request).signal : undefined);
}

function nameOf(upstream: FetchJsonOptions['upstream'], request: DescribedRequest): string {
  try {
    const name = typeof upstream === 'function' ? upstream(request) : upstream;
    if (typeof name === 'string' && name !== '') return name;
  } catch {}
  return request.pathname;
}
