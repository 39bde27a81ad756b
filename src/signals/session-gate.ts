import type { Answer } from './answer.js';
import { callWithin, heeding } from './call-within.js';
import { loginPathOption, pathOption, requireFunction, requireOptions, wholeNumber } from './checked.js';
import type { SessionCookies } from './cookies.js';
import { type Denial, loginAnswer, unavailableAnswer } from './denial.js';
import { type RefreshedTokens, RefreshFlights } from './refresh-flights.js';
import { type GatewayRequest, headerOf } from './request.js';
import { forwardedPrefix, type PeerOptions, type TrustedProxies } from './trusted-proxies.js';
import { firstValid, type Verification } from './verification.js';

/**
 * Nothing: the session is not valid.
 * @inline
 */
type No = null | undefined | false;

/** Options of `createSessionGate`. */
export interface SessionGateOptions<S> {
  readonly cookies: SessionCookies;
  /**
   * Who a session cookie's value stands for. Undefined, like everything falsy (`''`, `0`), says that it is invalid or expired. Throw when that
   * cannot be told: the answer is then a 503.
   */
  readonly verify: (session: string, context: { readonly signal: AbortSignal }) => S | No | PromiseLike<S | No>;
  /**
   * New tokens for a refresh cookie's value; undefined if the provider refuses it. Throw when that cannot be told. It is called once for all who
   * bring the value, and its signal is aborted `reuseMs` after the time is over: tokens that come late are kept. Default: nothing refreshes.
   */
  readonly refresh?:
    | ((
        refreshToken: string,
        context: { readonly signal: AbortSignal },
      ) => RefreshedTokens | null | undefined | PromiseLike<RefreshedTokens | null | undefined>)
    | undefined;
  /** The login page, below the prefix. Default `/login`. */
  readonly loginPath?: string | undefined;
  /** Where the API is, below the prefix; it gets JSON and no redirect. Default `/api`. */
  readonly apiPrefix?: string | undefined;
  /** Whose `X-Forwarded-Prefix` counts. Default: nobody's, the prefix is that of the cookies. */
  readonly trusted?: TrustedProxies | undefined;
  /** How long a request waits for one call of `verify` or `refresh`, in milliseconds. Default 5 s. */
  readonly timeoutMs?: number | undefined;
  /** How long after a refresh those who still bring the old refresh cookie get the same result, in milliseconds. Default 10 s. */
  readonly reuseMs?: number | undefined;
  /** Refreshes under way at once (one more is a 503), and as many new tokens and refusals kept for `reuseMs`. Default 10,000. */
  readonly limit?: number | undefined;
  /** Hears what `verify` or `refresh` threw. What it throws is contained. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Options of a single `authenticate`. */
export interface AuthenticateOptions extends PeerOptions {
  /** Ends the waiting of this request alone; `authenticate` rejects with its reason. Default, or null: nothing does. */
  readonly signal?: AbortSignal | null | undefined;
}

/** `setCookies`: the `Set-Cookie` values to send along; they hold tokens, and are empty unless the session was refreshed. */
export type Authentication<S> =
  | { readonly ok: true; readonly session: S; readonly setCookies: readonly string[] }
  | { readonly ok: false; readonly answer: Answer };

/** What `createSessionGate` gives. */
export interface SessionGate<S> {
  /** Who is asking, or what to answer. It rejects with its signal's reason once that is aborted, and with a TypeError for an unknown option. */
  authenticate(request: GatewayRequest, options?: AuthenticateOptions): Promise<Authentication<S>>;
}

interface Renewed<S> {
  readonly session: string;
  readonly setCookies: readonly string[];
  /** Shared by those who waited for the same refresh. */
  verifying: Promise<Verification<S>> | undefined;
}

const KNOWN = ['cookies', 'verify', 'refresh', 'loginPath', 'apiPrefix', 'trusted', 'timeoutMs', 'reuseMs', 'limit', 'onError'];
const WHERE = 'createSessionGate';

/** @throws {TypeError} naming the option that is wrong. */
export function createSessionGate<S>(options: SessionGateOptions<S>): SessionGate<S> {
  requireOptions(WHERE, options, KNOWN);
  const { cookies, verify, refresh, trusted, onError } = options;
  requireCookies(cookies);
  requireFunction(WHERE, 'verify', verify);
  if (refresh !== undefined) requireFunction(WHERE, 'refresh', refresh);
  if (onError !== undefined) requireFunction(WHERE, 'onError', onError);
  if (trusted !== undefined) requireFunction(WHERE, 'trusted.trusts', (trusted as Partial<TrustedProxies> | null)?.trusts);
  const loginPath = loginPathOption(WHERE, options.loginPath);
  const apiPrefix = pathOption(WHERE, 'apiPrefix', options.apiPrefix, '/api');
  const timeoutMs = wholeNumber(WHERE, 'timeoutMs', options.timeoutMs, 1, ' of milliseconds') ?? 5_000;
  const reuseMs = wholeNumber(WHERE, 'reuseMs', options.reuseMs, 0, ' of milliseconds') ?? 10_000;
  const limit = wholeNumber(WHERE, 'limit', options.limit, 1, '') ?? 10_000;

  const failed = (error: unknown): void => {
    try {
      onError?.(error);
    } catch {
      // Told as far as it can be.
    }
  };

  const verified = async (session: string, signal?: AbortSignal): Promise<Verification<S>> => {
    try {
      const who = await callWithin<S | No>((own) => verify(session, { signal: own }), { timeoutMs, signal });
      return who ? { kind: 'valid', session: who as S } : { kind: 'invalid' };
    } catch (error) {
      if (!signal?.aborted) failed(error);
      return { kind: 'unknown' };
    }
  };

  const flights =
    refresh &&
    new RefreshFlights<Renewed<S>>({
      refresh,
      accept: ({ session, refresh: next }) => ({ session, setCookies: cookies.set(session, next), verifying: undefined }),
      timeoutMs,
      reuseMs,
      limit,
      failed,
    });

  const verifiedTogether = (renewed: Renewed<S>): Promise<Verification<S>> => {
    renewed.verifying ??= verified(renewed.session).finally(() => {
      renewed.verifying = undefined;
    });
    return renewed.verifying;
  };

  const decide = async (request: GatewayRequest, denial: Denial, signal: AbortSignal | undefined): Promise<Authentication<S>> => {
    const presented = cookies.read(headerOf(request.headers, 'cookie', '; '));
    const unavailable = (setCookies: readonly string[] = []): Authentication<S> => ({
      ok: false,
      answer: unavailableAnswer(denial, setCookies),
    });

    const known = await firstValid(presented.session, verified, signal);
    if (known.kind === 'valid') return { ok: true, session: known.session, setCookies: [] };
    if (known.kind === 'unknown') return unavailable();

    // One after the other: each use may use a token up.
    for (const refreshToken of flights === undefined ? [] : presented.refresh) {
      const renewal = await flights?.renew(refreshToken);
      if (renewal?.kind === 'unknown') return unavailable();
      if (renewal?.kind !== 'renewed') continue;
      const { renewed } = renewal;
      const result = await verifiedTogether(renewed);
      if (result.kind === 'valid') return { ok: true, session: result.session, setCookies: renewed.setCookies };
      // The old tokens are used up; without the new ones this would end the session.
      if (result.kind === 'unknown') return unavailable(renewed.setCookies);
    }
    return { ok: false, answer: loginAnswer(denial, presented.session.length > 0 ? cookies.clear() : undefined) };
  };

  return {
    async authenticate(request, options = {}) {
      requireOptions('authenticate', options, ['peer', 'signal']);
      const { peer } = options;
      const signal = options.signal ?? undefined;
      signal?.throwIfAborted();
      const forwarded = forwardedPrefix(request, trusted, { peer });
      const prefix = forwarded || cookies.prefix;
      return heeding(decide(request, { request, prefix, isPrefixForwarded: forwarded !== '', apiPrefix, loginPath }, signal), signal);
    },
  };
}

function requireCookies(cookies: unknown): void {
  const { read, set, clear } = (cookies ?? {}) as Partial<SessionCookies>;
  if (typeof read !== 'function' || typeof set !== 'function' || typeof clear !== 'function') {
    throw new TypeError(`${WHERE}: \`cookies\` must be what sessionCookies gives`);
  }
}
