import { pathOption, requireBoolean } from './checked.js';

/** Where cookies belong, which decides their names and attributes. */
export interface CookiePlace {
  /** Whether browsers reach the gateway over HTTPS. */
  readonly https: boolean;
  /** Where a reverse proxy mounts the gateway, such as `/gw`. Default: the root. */
  readonly prefix?: string | undefined;
}

/** Values of one name that are looked at: a sibling path or domain may add some, and nobody needs more. */
const MOST_VALUES = 8;
/** RFC 6265, section 4.1.1: cookie-octet. */
const VALUE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+$/;
/** RFC 9110, section 5.6.2: token. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** A cookie of the gateway's in the one variant that this deployment sets, and in all that it clears. */
export interface OwnCookie {
  readonly name: string;
  /** @throws {TypeError} for a value that no cookie can hold; the message does not quote it. */
  set(value: string, maxAgeS: number | undefined): string;
  /** The deletion of the bare, the `__Host-` and the `__Secure-` variant, at this deployment's path (`__Host-`: at `/`, its only one). */
  clear(): string[];
  /** The deletion of this deployment's variant alone. */
  clearOwn(): string;
  /** Every value that the browser sent for this deployment's variant. */
  read(cookieHeader: CookieHeader): string[];
}

/** A request's `Cookie` header; in a list, if the request had several. */
export type CookieHeader = string | readonly string[] | null | undefined;

/** @throws {TypeError} naming the option of `where` that is wrong. */
export function readPlace(where: string, { https, prefix }: CookiePlace): { readonly https: boolean; readonly prefix: string } {
  requireBoolean(where, 'https', https);
  return { https, prefix: pathOption(where, 'prefix', prefix, '') };
}

/** @throws {TypeError} for a name that is no token, or brings a prefix of its own. */
export function ownCookie(
  where: string,
  option: string,
  name: string,
  place: { readonly https: boolean; readonly prefix: string },
): OwnCookie {
  if (typeof name !== 'string' || !NAME.test(name) || /^__(?:host|secure)-/i.test(name)) {
    throw new TypeError(`${where}: \`${option}\` must be a cookie's name, without __Host- or __Secure-`);
  }
  const path = place.prefix || '/';
  const bare = { name, path, secure: place.https };
  const host = { name: `__Host-${name}`, path: '/', secure: true };
  const secure = { name: `__Secure-${name}`, path, secure: true };
  const own = !place.https ? bare : place.prefix === '' ? host : secure;
  return {
    name: own.name,
    set(value, maxAgeS) {
      if (typeof value !== 'string' || !VALUE.test(value))
        throw new TypeError(`${where}: a value for \`${own.name}\` holds what no cookie can`);
      return written(own, value, maxAgeS);
    },
    // Browsers ignore what takes away a cookie of these names without the attributes that setting it demands.
    clear: () => [bare, host, secure].map((variant) => written(variant, '', 0)),
    clearOwn: () => written(own, '', 0),
    read: (cookieHeader) => valuesOf(cookieHeader, own.name),
  };
}

function written(
  variant: { readonly name: string; readonly path: string; readonly secure: boolean },
  value: string,
  maxAgeS: number | undefined,
): string {
  const parts = [`${variant.name}=${value}`, `Path=${variant.path}`];
  if (maxAgeS !== undefined) parts.push(`Max-Age=${maxAgeS}`);
  parts.push('HttpOnly', 'SameSite=Lax');
  if (variant.secure) parts.push('Secure');
  return parts.join('; ');
}

function valuesOf(cookieHeader: CookieHeader, name: string): string[] {
  const values = new Set<string>();
  for (const header of [cookieHeader].flat()) {
    if (typeof header !== 'string') continue;
    for (const pair of header.split(';')) {
      const equals = pair.indexOf('=');
      if (equals === -1 || pair.slice(0, equals).trim() !== name) continue;
      const value = pair.slice(equals + 1).trim();
      if (value !== '') values.add(value);
      if (values.size === MOST_VALUES) return [...values];
    }
  }
  return [...values];
}
