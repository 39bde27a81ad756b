import { createHmac, timingSafeEqual } from 'node:crypto';
import { type Clock, systemClock } from '../clock.js';
import { loginPathOption, requireFunction, requireOptions, wholeNumber } from './checked.js';
import { type CookieHeader, type CookiePlace, ownCookie, readPlace } from './cookie-variants.js';
import { safeNext } from './safe-next.js';

/** Options of `loginState`. */
export interface LoginStateOptions extends CookiePlace {
  /** Secrets of 32 bytes or more. The first one signs, all of them verify: put a new one in front. */
  readonly keys: readonly (string | Uint8Array)[];
  /** The cookie's name, without `__Host-` or `__Secure-`. Default `login-state`. */
  readonly name?: string | undefined;
  /** How long a login may take, in milliseconds. Default 10 min. */
  readonly maxAgeMs?: number | undefined;
  /** A login page of another name, which `safeNext` is to refuse. Default `/login`. */
  readonly loginPath?: string | undefined;
  /** Default: `Date.now`. */
  readonly clock?: Clock | undefined;
}

/** Where a login goes back to, in a signed cookie that lives as long as the login may take: nothing is read from the URL of a callback. */
export interface LoginState {
  /** A `Set-Cookie` value for the redirect to the identity provider. A `next` that `safeNext` refuses is stored as none. */
  issue(next: string | undefined): string;
  /** The `next` of the `Cookie` header on the callback, checked again by `safeNext`; `''` without a valid, unexpired one. Never throws. */
  read(cookieHeader: CookieHeader): string;
  /** A `Set-Cookie` value for the answer that ends the login. */
  clear(): string;
}

const KNOWN = ['keys', 'name', 'https', 'prefix', 'maxAgeMs', 'loginPath', 'clock'];
const WHERE = 'loginState';

/** @throws {TypeError} naming the option that is wrong; a key is never quoted. */
export function loginState(options: LoginStateOptions): LoginState {
  requireOptions(WHERE, options, KNOWN);
  const place = readPlace(WHERE, options);
  const cookie = ownCookie(WHERE, 'name', options.name ?? 'login-state', place);
  const keys = readKeys(options.keys);
  const maxAgeMs = wholeNumber(WHERE, 'maxAgeMs', options.maxAgeMs, 1, ' of milliseconds') ?? 10 * 60_000;
  const loginPath = loginPathOption(WHERE, options.loginPath);
  const clock = options.clock ?? systemClock;
  requireFunction(WHERE, 'clock.now', (clock as Partial<Clock> | null)?.now);
  // A clock that fails says that nothing is unexpired.
  const now = (): number => {
    try {
      return clock.now();
    } catch {
      return Number.NaN;
    }
  };
  const checked = (next: unknown): string => safeNext(next, { prefix: place.prefix, loginPath });

  // The cookie's name is signed, too: one made for another purpose with the same key says nothing here.
  const signature = (key: Uint8Array, text: string): Buffer => createHmac('sha256', key).update(`${cookie.name}\n${text}`).digest();

  const opened = (value: string): string => {
    const [expires = '', next = '', signed = '', ...more] = value.split('.');
    const given = Buffer.from(signed, 'base64url');
    const isOurs = keys.some((key) => {
      const ours = signature(key, `${expires}.${next}`);
      return given.length === ours.length && timingSafeEqual(given, ours);
    });
    if (!isOurs || more.length > 0 || !(now() < Number(expires))) return '';
    return checked(Buffer.from(next, 'base64url').toString());
  };

  return {
    issue(next) {
      const text = `${Math.ceil(now() + maxAgeMs)}.${Buffer.from(checked(next)).toString('base64url')}`;
      return cookie.set(`${text}.${signature(keys[0] as Uint8Array, text).toString('base64url')}`, Math.ceil(maxAgeMs / 1_000));
    },
    read(cookieHeader) {
      for (const value of cookie.read(cookieHeader)) {
        const next = opened(value);
        if (next !== '') return next;
      }
      return '';
    },
    clear: () => cookie.clearOwn(),
  };
}

function readKeys(keys: unknown): Uint8Array[] {
  if (!Array.isArray(keys) || keys.length === 0) throw new TypeError(`${WHERE}: \`keys\` must be a list of one or more secrets`);
  return keys.map((key: unknown, index) => {
    // A copy: what the caller does with his own afterwards changes no signature.
    const bytes = typeof key === 'string' || key instanceof Uint8Array ? Uint8Array.from(Buffer.from(key as string)) : undefined;
    if (bytes === undefined || bytes.length < 32) throw new TypeError(`${WHERE}: \`keys[${index}]\` must be a secret of 32 bytes or more`);
    return bytes;
  });
}
