import type { Answer } from './answer.js';
import { loginUrl } from './login-url.js';
import { type GatewayRequest, targetOf } from './request.js';

/** Whom an answer is for, and where that one is. */
export interface Denial {
  readonly request: GatewayRequest;
  /** Where the browser sees the gateway. */
  readonly prefix: string;
  /** Who says that there is a prefix has taken it off the path. */
  readonly isPrefixForwarded: boolean;
  readonly apiPrefix: string;
  readonly loginPath: string;
}

/** Shorter than the default `reuseMs`: who heeds it still finds the tokens that came just after the time was over. */
const RETRY_AFTER_S = 5;
const NOT_STORED = { 'Cache-Control': 'no-store' };

/** 401 for the API, else a redirect to the login. `clearing`: the `Set-Cookie` values of a session that is over; undefined if there was none. */
export function loginAnswer(denial: Denial, clearing: readonly string[] | undefined): Answer {
  const { isApi, next } = placeOf(denial);
  const url = loginUrl({ prefix: denial.prefix, next, loginPath: denial.loginPath });
  const headers = { ...NOT_STORED, ...(clearing === undefined ? {} : { 'Set-Cookie': [...clearing] }) };
  if (!isApi) return { status: 302, headers: { ...headers, Location: url }, body: '' };
  return json(401, headers, {
    error: clearing === undefined ? 'unauthenticated' : 'session_expired',
    detail: 'Unauthorized',
    reason: clearing === undefined ? 'no_cookie' : 'invalid_or_expired_session',
    login_url: url,
  });
}

/** 503: nobody could tell, so nobody is sent away and no cookie is cleared. `setCookies`: those that a refresh has replaced. */
export function unavailableAnswer(denial: Denial, setCookies: readonly string[]): Answer {
  const headers = {
    ...NOT_STORED,
    'Retry-After': String(RETRY_AFTER_S),
    ...(setCookies.length === 0 ? {} : { 'Set-Cookie': [...setCookies] }),
  };
  if (placeOf(denial).isApi) return json(503, headers, { error: 'identity_provider_unreachable', detail: 'Service Unavailable' });
  return { status: 503, headers: { ...headers, 'Content-Type': 'text/plain; charset=utf-8' }, body: 'Service Unavailable' };
}

function placeOf({ request, prefix, isPrefixForwarded, apiPrefix }: Denial): {
  readonly isApi: boolean;
  readonly next: string | undefined;
} {
  const target = targetOf(request);
  if (target === undefined) return { isApi: false, next: undefined };
  const isPrefixed = !isPrefixForwarded && prefix !== '' && isAtOrBelow(target.pathname, prefix);
  const seen = isPrefixed ? target.pathname.slice(prefix.length) || '/' : target.pathname;
  if (isAtOrBelow(seen, apiPrefix)) return { isApi: true, next: undefined };
  // A login cannot come back to what was a form's submission.
  const isPage = request.method === undefined || request.method === 'GET' || request.method === 'HEAD';
  return { isApi: false, next: isPage ? prefix + seen + target.search : undefined };
}

function isAtOrBelow(path: string, place: string): boolean {
  return path === place || path.startsWith(`${place}/`);
}

function json(status: number, headers: Record<string, string | string[]>, body: object): Answer {
  return { status, headers: { ...headers, 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
}
