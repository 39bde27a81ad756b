import { checkOptions, windowOf } from './options.js';
import { type DescribedRequest, describeRequest, isRequest } from './request.js';
import { isTagged, type TaggedResponse, wantsStepUp } from './tag.js';
import { parseUrl } from './url.js';
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

declare global {
  /** So that listeners on a window know what they hear. */
  interface WindowEventMap {
    'latchkey:authentication-required': CustomEvent<AuthenticationRequired>;
  }
}

/** Which answers are taken for a session that is over. */
export interface WatchOptions {
  /** Paths whose 401 is an answer and not the end of a session, as prefixes of the request's path. Default `['/api/auth/']`. */
  readonly exempt?: readonly string[] | undefined;
  /** The origins that are watched, such as `https://gateway.example`; calls to any other one are left entirely alone. Default: every origin. */
  readonly origins?: readonly string[] | undefined;
}

/** What of the calls is watched. */
interface WatchScope {
  readonly exempt: readonly string[];
  readonly origins: readonly string[] | undefined;
}

/** Options of `watchFetch`. */
export interface WatchFetchOptions extends WatchOptions {
  /** Where the event is dispatched. Default the global one. */
  readonly window?: EventWindow | undefined;
}

/** On the window, so that two watches of one call, of two copies of this module too, tell it once. */
const TOLD = Symbol.for('latchkey.auth-watch.told');

/**
 * Wraps a `fetch` without installing it: a 401 of the gateway's own, or a 403 that asks for a step-up, dispatches
 * `latchkey:authentication-required` on the window. The response is returned untouched, its body unread. Sends
 * `credentials: 'include'` where the caller set none and gave no `Request`. Without `origins` a 401 of any origin counts, and `'include'` breaks
 * calls to hosts that answer `Access-Control-Allow-Origin: *` (Fetch standard, CORS protocol and credentials).
 * @throws {TypeError} for an option that is unknown or malformed.
 */
export function watchFetch(fetch: Fetch, options: WatchFetchOptions = {}): Fetch {
  checkOptions('watchFetch', options, ['window', 'exempt', 'origins']);
  if (typeof fetch !== 'function') throw new TypeError('watchFetch: `fetch` must be a function');
  const window = windowOf('watchFetch', options.window, ['location', 'dispatchEvent']);
  return watched(fetch, window, scopeOf('watchFetch', options));
}

export function scopeOf(where: string, { exempt = ['/api/auth/'], origins }: WatchOptions): WatchScope {
  if (!Array.isArray(exempt) || !exempt.every((prefix) => typeof prefix === 'string' && prefix.startsWith('/')))
    throw new TypeError(`${where}: \`exempt\` must be a list of paths that start with \`/\``);
  if (origins !== undefined && !(Array.isArray(origins) && origins.every((origin) => origin && parseUrl(origin)?.origin === origin)))
    throw new TypeError(`${where}: \`origins\` must be a list such as ['https://gateway.example']`);
  return { exempt: [...exempt], origins: origins && [...origins] };
}

export function watched(fetch: Fetch, window: EventWindow, { exempt, origins }: WatchScope, listening = (): boolean => true): Fetch {
  const watches = (url: string): boolean => origins?.includes(parseUrl(url)?.origin ?? '') ?? true;
  return async (input, init) => {
    const request = listening() ? describeRequest(window, input, init) : undefined;
    // Browsers insist on their window as `this`.
    if (request === undefined || !watches(request.url)) return fetch.call(window, input, init);
    const response = await fetch.call(window, input, withCredentials(input, init));
    // A redirect may have led to another origin.
    if (listening() && watches(response?.url || request.url)) observe(window, response, request, exempt);
    return response;
  };
}

/** A `Request` always has a setting, and the default cannot be told from a choice. */
function withCredentials(input: unknown, init: RequestInit | undefined): RequestInit | undefined {
  return isRequest(input) || init?.credentials !== undefined ? init : { ...membersOf(init), credentials: 'include' };
}

/** All that fetch would read, inherited members and a class's getters too, as plain members: who wraps fetch further in may spread it. */
function membersOf(init: RequestInit | undefined): RequestInit {
  const members: Record<string, unknown> = {};
  for (let level: unknown = init; level && level !== Object.prototype; level = Object.getPrototypeOf(level)) {
    for (const name of Object.getOwnPropertyNames(level)) members[name] = init?.[name as keyof RequestInit];
  }
  return members;
}

/** Whatever goes wrong here is no reason to keep the response from the caller. */
function observe(window: EventWindow, response: Response, { method, pathname }: DescribedRequest, exempt: readonly string[]): void {
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
