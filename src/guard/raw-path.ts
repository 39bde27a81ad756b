import type { GuardedRequest } from './request.js';

/** Scheme and authority, as in the URL of a `Request`. */
const ORIGIN = /^https?:\/\/[^/?#]*/i;
const AMBIGUOUS = /^\/\/|[\\#\s\p{Cc}]|%5c/iu;
/** One or two dots, encoded or not, between slashes, encoded or not. */
const DOT_SEGMENT = /(?:\/|%2f)(?:\.|%2e){1,2}(?:\/|%2f|$)/i;

/** A request's path as it was sent: undecoded, without query. Undefined for what is no path, such as `*`, and for what cannot be read. */
export function rawPathOf(request: GuardedRequest, from: 'url' | 'originalUrl' = 'url'): string | undefined {
  try {
    const target = request[from];
    if (typeof target !== 'string') return undefined;
    if (target.startsWith('/')) return target.split('?', 1)[0];
    // With a socket an absolute URL is what the client wrote into its request line: a route may read it otherwise than we do.
    if (isFromWire(request) || !ORIGIN.test(target)) return undefined;
    return target.replace(ORIGIN, '').split(/[?#]/, 1)[0] || '/';
  } catch {
    return undefined;
  }
}

/**
 * `rawPathOf`, if a route cannot read it otherwise. Routes that resolve dot segments, take a backslash for a slash, two slashes at the
 * beginning for a host, or end the path at `#`, all of which `URL` does, would serve another path than the one that rules were asked about.
 */
export function plainPathOf(request: GuardedRequest): string | undefined {
  const path = rawPathOf(request);
  return path === undefined || AMBIGUOUS.test(path) || DOT_SEGMENT.test(path) ? undefined : path;
}

/** The host of a `Request`'s own URL, with its port. */
export function ownHostOf(request: GuardedRequest): string | undefined {
  try {
    return isFromWire(request) ? undefined : ORIGIN.exec(request.url ?? '')?.[0].replace(/^.*\/\//, '');
  } catch {
    return undefined;
  }
}

function isFromWire({ socket, rawHeaders }: GuardedRequest): boolean {
  return (socket !== undefined && socket !== null) || rawHeaders !== undefined;
}
