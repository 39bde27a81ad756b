import { checkedNext } from './return-to.js';
import { parseUrl } from './url.js';
import type { FetchJsonWindow } from './window.js';

const CODES = ['session_expired', 'unauthenticated'];
/** The URL parser drops tabs and line ends and takes a backslash for a slash: `/<TAB>/host` leads to that host. */
const MISLEADING = /[\\\p{Cc}]/u;

/** The `login_url` of the gateway's own 401, undefined for whatever else a 401 may say. */
export function loginUrlOf(body: string): string | undefined {
  try {
    const { error, login_url } = JSON.parse(body) as { error?: unknown; login_url?: unknown };
    return typeof error === 'string' && CODES.includes(error) && typeof login_url === 'string' ? login_url : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Where to go for a `login_url`: a path of this origin, with the current place as `next` unless it brings one that a login may lead to.
 * Undefined for what leads elsewhere, however it is spelt, and for the very page that the user is on, which would load itself for ever.
 */
export function loginTarget(loginUrl: string, { location }: FetchJsonWindow, prefix: string | undefined): string | undefined {
  const isHere = loginUrl.startsWith('/') || loginUrl.startsWith(`${location.origin}/`);
  if (!isHere || MISLEADING.test(loginUrl)) return undefined;
  const url = parseUrl(loginUrl, location.origin);
  if (url === undefined || url.origin !== location.origin) return undefined;
  // `/.//host` normalises to the path `//host`, which as a reference of its own is another origin.
  if (url.pathname.startsWith('//') || withoutSlash(url.pathname) === withoutSlash(location.pathname)) return undefined;
  if (url.searchParams.getAll('next').some((next) => checkedNext(next, prefix) === '')) url.searchParams.delete('next');
  const next = url.searchParams.has('next') ? '' : checkedNext(location.pathname + location.search, prefix);
  if (next === '') return url.pathname + url.search + url.hash;
  return `${url.pathname}${url.search === '' ? '?' : `${url.search}&`}next=${encodeURIComponent(next)}${url.hash}`;
}

/** Servers redirect from one to the other. */
function withoutSlash(path: string): string {
  return path.replace(/\/+$/, '');
}
