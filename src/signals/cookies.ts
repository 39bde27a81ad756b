import { requireOptions, wholeNumber } from './checked.js';
import { type CookieHeader, type CookiePlace, ownCookie, readPlace } from './cookie-variants.js';

/** Options of `sessionCookies`. */
export interface SessionCookieOptions extends CookiePlace {
  /** The session cookie's name, without `__Host-` or `__Secure-`. Default `session`. */
  readonly name?: string | undefined;
  /** The refresh cookie's name. Default `refresh`. */
  readonly refreshName?: string | undefined;
  /** How long the browser keeps the session cookie, in seconds. Default: until it is closed. */
  readonly maxAgeS?: number | undefined;
  /** How long the browser keeps the refresh cookie, in seconds. Default: until it is closed. */
  readonly refreshMaxAgeS?: number | undefined;
}

/**
 * The session and refresh cookies of one deployment: `HttpOnly`, `SameSite=Lax`, and named `__Host-…` on HTTPS at the root, `__Secure-…` on HTTPS
 * below a prefix, bare on HTTP.
 */
export interface SessionCookies {
  /** Where the deployment is mounted; `''` for the root. */
  readonly prefix: string;
  /**
   * `Set-Cookie` values. Without a refresh token, or with an empty one, no refresh cookie is written.
   * @throws {TypeError} for a value that no cookie can hold (RFC 6265, section 4.1.1); the message does not quote it.
   */
  set(session: string, refresh?: string): string[];
  /** `Set-Cookie` values that delete both cookies in all three variants, at this deployment's path: those of another prefix stay. */
  clear(): string[];
  /** What the browser sent under this deployment's names, in its order, up to 8 values each; other variants are not looked at. */
  read(cookieHeader: CookieHeader): { readonly session: readonly string[]; readonly refresh: readonly string[] };
}

const KNOWN = ['name', 'refreshName', 'https', 'prefix', 'maxAgeS', 'refreshMaxAgeS'];

/** @throws {TypeError} naming the option that is wrong. */
export function sessionCookies(options: SessionCookieOptions): SessionCookies {
  requireOptions('sessionCookies', options, KNOWN);
  const place = readPlace('sessionCookies', options);
  const { name = 'session', refreshName = 'refresh' } = options;
  const sessionCookie = ownCookie('sessionCookies', 'name', name, place);
  const refreshCookie = ownCookie('sessionCookies', 'refreshName', refreshName, place);
  if (name === refreshName) throw new TypeError('sessionCookies: `refreshName` must be another than `name`');
  const maxAgeS = wholeNumber('sessionCookies', 'maxAgeS', options.maxAgeS, 1, ' of seconds');
  const refreshMaxAgeS = wholeNumber('sessionCookies', 'refreshMaxAgeS', options.refreshMaxAgeS, 1, ' of seconds');
  return {
    prefix: place.prefix,
    set(session, refresh = '') {
      const written = [sessionCookie.set(session, maxAgeS)];
      if (refresh !== '') written.push(refreshCookie.set(refresh, refreshMaxAgeS));
      return written;
    },
    clear: () => [...sessionCookie.clear(), ...refreshCookie.clear()],
    read: (cookieHeader) => ({ session: sessionCookie.read(cookieHeader), refresh: refreshCookie.read(cookieHeader) }),
  };
}
