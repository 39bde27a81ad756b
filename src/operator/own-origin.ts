import { headerOf } from '../signals/request.js';
import type { Incoming } from './incoming.js';

/** A name or an address and perhaps a port (RFC 9110, section 7.2), and nothing that would end there or name a user. */
const HOST = /^[^/?#@\\\s]+$/;

/**
 * Whether a request that changes something comes from a page of this very origin, or from no browser at all: SameSite alone lets the other
 * ports and subdomains of a site through, and a login form needs no cookie.
 */
export function isOwnOrigin({ request, host, isHttps }: Pick<Incoming, 'request' | 'host' | 'isHttps'>): boolean {
  const site = headerOf(request.headers, 'sec-fetch-site');
  if (site !== undefined && site !== 'same-origin') return false;
  const origin = headerOf(request.headers, 'origin');
  if (origin === undefined) return true;
  if (host === undefined || !HOST.test(host)) return false;
  const scheme = /^https?:\/\//i.exec(origin)?.[0].toLowerCase();
  // Without TLS of our own, a proxy in front may have ended it.
  if (scheme === undefined || (isHttps && scheme !== 'https://')) return false;
  const own = `${scheme}${host}`;
  // The default port may be written or left out.
  return URL.canParse(origin) && URL.canParse(own) && new URL(own).origin === new URL(origin).origin;
}
