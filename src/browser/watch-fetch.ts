import { checkOptions, windowOf } from './options.js';
import { type DescribedRequest, describeRequest, isRequest } from './request.js';
import { isTagged, type TaggedResponse, wantsStepUp } from './tag.js';
import type { EventWindow, Fetch } from './window.js';

/** The event on the window that tells that the user has to authenticate. */
export const AUTHENTICATION_REQUIRED = 'latchkey:authentication-required';

/** The `detail` of the event: neither query nor headers. */
export interface AuthenticationRequired {
  readonly status: number;
  readonly pathname: string;
  readonly method: string;
  /** The session stands, this one action asks for fresh proof: a 403 with `X-Reauth-Required: 1`. */
  readonly stepUp: boolean;
}

export interface WatchOptions {
  /** Paths whose 401 is an answer and not the end of a session, as prefixes of the request's path. Default `['/api/auth/']`. */
  readonly exempt?: readonly string[] | undefined;
}

export interface WatchFetchOptions extends WatchOptions {
  /** Where the event is dispatched. Default the global one. */
  readonly window?: EventWindow | undefined;
}

/** On the window, so that two watches of one call, of two copies of this module too, tell it once. */
const TOLD = Symbol.for('latchkey.auth-watch.told');

/**
 * Wraps a `fetch` without installing it: a 401 of the gateway's own, or a 403 that asks for a step-up, dispatches
 * `latchkey:authentication-required` on the window. The response is returned untouched, its body unread. Sends
 * `credentials: 'include'` where the caller set none and gave no `Request`.
 * @throws {TypeError} for an option that is unknown or malformed.
 */
export function watchFetch(fetch: Fetch, options: WatchFetchOptions = {}): Fetch {
  checkOptions('watchFetch', options, ['window', 'exempt']);
  if (typeof fetch !== 'function') throw new TypeError('watchFetch: `fetch` must be a function');
  const window = windowOf('watchFetch', options.window, ['location', 'dispatchEvent']);
  return watched(fetch, window, exemptOf('watchFetch', options));
}

export function exemptOf(where: string, { exempt = ['/api/auth/'] }: WatchOptions): readonly string[] {
  if (!Array.isArray(exempt) || !exempt.every((prefix) => typeof prefix === 'string' && prefix.startsWith('/')))
    throw new TypeError(`${where}: \`exempt\` must be a list of paths that start with \`/\``);
  return [...exempt];
}

export function watched(fetch: Fetch, window: EventWindow, exempt: readonly string[], listening = (): boolean => true): Fetch {
  return async (input, init) => {
    // Browsers insist on their window as `this`.
    if (!listening()) return fetch.call(window, input, init);
    const { method, pathname } = describeRequest(window, input, init);
    const response = await fetch.call(window, input, withCredentials(input, init));
    if (listening()) observe(window, response, { method, pathname }, exempt);
    return response;
  };
}

/** A `Request` always has a setting, and the default cannot be told from a choice. */
function withCredentials(input: unknown, init: RequestInit | undefined): RequestInit | undefined {
  return isRequest(input) || init?.credentials !== undefined ? init : { ...init, credentials: 'include' };
}

/** Whatever goes wrong here is no reason to keep the response from the caller. */
function observe(
  window: EventWindow,
  response: Response,
  { method, pathname }: Pick<DescribedRequest, 'method' | 'pathname'>,
  exempt: readonly string[],
): void {
  try {
    const { status } = response;
    if (isAsked(response, pathname, exempt)) tell(window, response, { status, pathname, method, stepUp: status === 403 });
  } catch {}
}

function isAsked(response: TaggedResponse, pathname: string, exempt: readonly string[]): boolean {
  if ((response.status !== 401 && response.status !== 403) || isTagged(response)) return false;
  return response.status === 403 ? wantsStepUp(response) : !exempt.some((prefix) => pathname.startsWith(prefix));
}

function tell(window: EventWindow, response: Response, detail: AuthenticationRequired): void {
  const host = window as EventWindow & { [TOLD]?: WeakSet<object> };
  if (host[TOLD] === undefined) Object.defineProperty(host, TOLD, { value: new WeakSet() });
  if (host[TOLD]?.has(response)) return;
  host[TOLD]?.add(response);
  const { CustomEvent } = globalThis as unknown as { CustomEvent: new (type: string, init: { detail: unknown }) => Event };
  window.dispatchEvent(new CustomEvent(AUTHENTICATION_REQUIRED, { detail }));
}
