import { loginPathOption, requireOptions } from './checked.js';
import { readPrefix } from './prefix.js';
import { safeNext } from './safe-next.js';

/** Options of `loginUrl`. */
export interface LoginUrlOptions {
  /** Where a reverse proxy mounts the gateway; one that cannot be a path of this origin is dropped. Default: the root. */
  readonly prefix?: string | undefined;
  /** Where to go after the login, as the browser sees it, prefix included; what `safeNext` refuses is dropped. Default: nowhere. */
  readonly next?: string | undefined;
  /** The login page, below the prefix. Default `/login`. */
  readonly loginPath?: string | undefined;
}

/**
 * `<prefix>/login`, or `<prefix>/login?next=<percent-encoded>`.
 * @throws {TypeError} only for a mistake of the caller's own: an unknown option, or a `loginPath` that is no path or the root.
 */
export function loginUrl(options: LoginUrlOptions = {}): string {
  requireOptions('loginUrl', options, ['prefix', 'next', 'loginPath']);
  const prefix = readPrefix(options.prefix ?? '') ?? '';
  const loginPath = loginPathOption('loginUrl', options.loginPath);
  const next = safeNext(options.next, { prefix, loginPath });
  return `${prefix}${loginPath}${next === '' ? '' : `?next=${encodeURIComponent(next)}`}`;
}
