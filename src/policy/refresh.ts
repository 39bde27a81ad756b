import type { Outcome } from './outcome.js';

/** The short retry: so many tries, with pauses from the first to the longest, in so long in all. In milliseconds. */
const SHORT = { tries: 5, firstPauseMs: 10_000, longestPauseMs: 2 * 60_000, longestMs: 5 * 60_000 } as const;
/** After it: one try every so often, for so long. */
const LONG = { everyMs: 10 * 60_000, longestMs: 24 * 3_600_000 } as const;

/** Where a refresh that goes on stands. Times are milliseconds since the epoch. */
export interface RefreshProgress {
  /** `refreshing`: the first tries. `auth_retrying`: those did not help, and it is tried now and then. */
  readonly phase: 'refreshing' | 'auth_retrying';
  /** When the phase began. */
  readonly since: number;
  /** Tries of the phase that have failed. */
  readonly failed: number;
}

export function beginRefresh(now: number): RefreshProgress {
  return { phase: 'refreshing', since: now, failed: 0 };
}

/** After a try that failed for reasons that pass: where it stands then and when the next one is, or undefined: it is given up. */
export function afterTransient(
  progress: RefreshProgress,
  now: number,
): { readonly progress: RefreshProgress; readonly at: number } | undefined {
  const failed = progress.failed + 1;
  if (progress.phase === 'refreshing') {
    const at = now + Math.min(SHORT.firstPauseMs * 2 ** (failed - 1), SHORT.longestPauseMs);
    if (failed < SHORT.tries && at - progress.since <= SHORT.longestMs) return { progress: { ...progress, failed }, at };
    return { progress: { phase: 'auth_retrying', since: now, failed: 0 }, at: now + LONG.everyMs };
  }
  const at = now + LONG.everyMs;
  return at - progress.since > LONG.longestMs ? undefined : { progress: { ...progress, failed }, at };
}

/** Why a refresh failed. */
export interface RefreshFailure {
  /** `aborted`: somebody called it off, which says nothing. */
  readonly kind: 'permanent' | 'transient' | 'aborted';
  /** The token endpoint's status, if it answered. */
  readonly status: number | undefined;
  /** Its `error` code (RFC 6749, section 5.2), or the code of the connection's failure; nothing else of its answer. */
  readonly code: string | undefined;
}

/**
 * `error` codes that only the user or an operator can do something about: RFC 6749, section 5.2, OpenID Connect Core, section 3.1.2.6, RFC 8628,
 * section 3.5, and RFC 8707, section 2. `server_error` and `temporarily_unavailable` are none of them.
 */
const PERMANENT_CODES = new Set([
  'access_denied',
  'account_selection_required',
  'consent_required',
  'expired_token',
  'interaction_required',
  'invalid_client',
  'invalid_grant',
  'invalid_request',
  'invalid_scope',
  'invalid_target',
  'login_required',
  'unauthorized_client',
  'unsupported_grant_type',
]);

/** OpenSSL's and Node's codes for a peer that cannot be trusted or spoken to: no repetition changes that. One that is slow may be quick the next time. */
const TLS_CODE =
  /^(?:CERT_|CRL_|ERR_SSL_|ERR_TLS_(?!HANDSHAKE_TIMEOUT$)|EPROTO$|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(?:GET|VERIFY|DECRYPT|DECODE)_|HOSTNAME_MISMATCH$|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_EXCEEDED$)/;

/**
 * What a failed refresh means. Permanent: a 4xx of the token endpoint with an OAuth `error` code, and what TLS will not have. Everything else passes: no
 * answer, 5xx, 429 whatever it says, a 4xx without such a code (a firewall's page), an answer that nobody can read.
 */
export function classifyRefreshFailure(outcome: Outcome): RefreshFailure {
  const { status } = outcome;
  if (status === undefined) {
    // A function's own errors may have anything there.
    const code = outcome.code !== undefined && /^[A-Z][A-Z0-9_]{1,63}$/.test(outcome.code) ? outcome.code : undefined;
    const kind =
      code !== undefined && TLS_CODE.test(code)
        ? 'permanent'
        : outcome.aborted === true && outcome.timedOut !== true
          ? 'aborted'
          : 'transient';
    return { kind, status, code };
  }
  const code = oauthCode(outcome);
  const isPermanent = status >= 400 && status < 500 && status !== 429 && code !== undefined && PERMANENT_CODES.has(code);
  return { kind: isPermanent ? 'permanent' : 'transient', status, code };
}

/** Where clients keep it: in the body, as `error` (oauth4webapi, openid-client), or as `oauth2Code`. A code is words, without digits, and never long: no token is. */
function oauthCode({ body, error }: Outcome): string | undefined {
  const candidates = [
    fieldOf(body, 'error'),
    fieldOf(error, 'error'),
    fieldOf(error, 'oauth2Code'),
    fieldOf(fieldOf(fieldOf(error, 'data'), 'payload'), 'error'),
  ];
  return candidates.find((code): code is string => typeof code === 'string' && code.length <= 50 && /^[a-z]+(?:_[a-z]+)*$/.test(code));
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  try {
    return (value as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}
