import { safeNext } from '../signals/safe-next.js';
import { checkOptions, requirePrefix, windowOf } from './options.js';
import type { FetchJsonWindow, ReturnToWindow } from './window.js';

/** Options of `takeReturnTo`. */
export interface TakeReturnToOptions {
  /** Whose session storage is read. Default the global one. */
  readonly window?: ReturnToWindow | undefined;
  /** The path that the gateway is served under, such as `/gw`. Default none. */
  readonly prefix?: string | undefined;
}

const KEY = 'latchkey:return-to';
/** As long as `safeNext` lets a path be. */
const MAX_HASH = 2_048;

/** Remembers where the user is, hash included: the server never sees that. A storage that is full or forbidden costs the place, not the login. */
export function saveReturnTo(window: FetchJsonWindow): void {
  const { pathname, search, hash } = window.location;
  try {
    window.sessionStorage.setItem(KEY, pathname + search + hash);
  } catch {}
}

/**
 * Where the user was when `fetchJson` sent them to the login page: path, query and hash, once. Empty if nothing was saved, or if it is
 * not a path that a login may lead to. Put the origin in front where you navigate (`location.assign(location.origin + path)`): on a page with
 * a `<base href>` a bare path leads to that host.
 * @throws {TypeError} for an option that is unknown or malformed.
 */
export function takeReturnTo(options: TakeReturnToOptions = {}): string {
  checkOptions('takeReturnTo', options, ['window', 'prefix']);
  requirePrefix('takeReturnTo', options.prefix);
  const window = windowOf('takeReturnTo', options.window, []);
  let saved: string;
  try {
    saved = window.sessionStorage.getItem(KEY) ?? '';
    window.sessionStorage.removeItem(KEY);
  } catch {
    return '';
  }
  const cut = saved.indexOf('#');
  const path = checkedNext(cut === -1 ? saved : saved.slice(0, cut), options.prefix);
  const hash = cut === -1 ? '' : saved.slice(cut);
  return path === '' || hash.length > MAX_HASH ? path : path + hash;
}

export function checkedNext(target: string, prefix: string | undefined): string {
  return safeNext(target, prefix === undefined ? {} : { prefix });
}
