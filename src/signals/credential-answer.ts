import { type Clock, systemClock } from '../clock.js';
import { isLatchkeyError, type LatchkeyErrorCode } from '../errors.js';
import type { Answer } from './answer.js';
import { requireFunction, requireOptions } from './checked.js';

/** Options of `credentialAnswer`. */
export interface CredentialAnswerOptions {
  /** Where the time is read that `Retry-After` counts from. Default `Date`. */
  readonly clock?: Clock | undefined;
  /** What the body says, in place of a sentence of ours. */
  readonly detail?: string | undefined;
}

interface Form {
  readonly status: 503 | 504;
  readonly detail: string;
  /** Seconds, where the error does not say when to come back. */
  readonly retryAfter?: number;
}

const FORMS: Readonly<Record<LatchkeyErrorCode, Form>> = {
  CREDENTIAL_MISSING: { status: 503, detail: 'No credential for the upstream has been presented yet.' },
  CREDENTIAL_REJECTED: { status: 503, detail: 'The upstream has rejected the credential, and nothing fresh has come yet.' },
  CREDENTIAL_HELD: { status: 503, detail: 'The upstream asked for a pause.' },
  CREDENTIAL_EXPIRED: { status: 503, detail: 'The credential for the upstream has expired, or would before the work is done.' },
  AUTH_RETRYING: { status: 503, detail: 'The credential for the upstream is being refreshed.', retryAfter: 10 },
  PARK_TIMEOUT: { status: 504, detail: 'No fresh credential for the upstream came in time.' },
  PARK_OVERFLOW: { status: 503, detail: 'Too much work waits for a fresh credential already.', retryAfter: 10 },
  TIMEOUT: { status: 504, detail: 'The work took too long.' },
  CLOSED: { status: 503, detail: 'The gateway is shutting down.' },
};
/** Of another copy of the package that knows more codes. */
const UNKNOWN: Form = { status: 503, detail: 'There is no credential for the upstream now.' };
/** An error may have been wrapped, by `fetch` as by anybody else. */
const DEEPEST = 8;
const WHERE = 'credentialAnswer';

/**
 * What to answer a client of the gateway's own whose work failed with a `LatchkeyError`, or with an error that has one among its causes; undefined
 * for any other. Never a 401 or 403: the client's own session is fine, and nobody has to log in again.
 *
 * 503 where there is nothing to work with now (missing, rejected, expired, held, being refreshed; too many wait; closed), 504 where time ran out (RFC 9110,
 * section 15.6); no 502, which says that the gateway itself is broken. `Retry-After` is 10 s while a refresh goes on, as where too many wait, and otherwise what is left
 * until the end of a hold or the next probe, if there is one.
 *
 * The body is JSON of `error`, the code, and `detail`, a sentence: no scope, no fingerprint, and no word of the upstream's.
 * @throws {TypeError} only for options that are wrong.
 */
export function credentialAnswer(error: unknown, options: CredentialAnswerOptions = {}): Answer | undefined {
  requireOptions(WHERE, options, ['clock', 'detail']);
  const { clock = systemClock } = options;
  requireFunction(WHERE, 'clock.now', (clock as Partial<Clock> | null)?.now);
  if (options.detail !== undefined && typeof options.detail !== 'string') throw new TypeError(`${WHERE}: \`detail\` must be a text`);
  const found = latchkeyErrorOf(error);
  if (found === undefined) return undefined;
  const { code, until } = found;
  const { status, detail, retryAfter = secondsUntil(until, clock) } = Object.hasOwn(FORMS, code) ? FORMS[code] : UNKNOWN;
  return {
    status,
    headers: {
      'Cache-Control': 'no-store',
      'Content-Type': 'application/json',
      ...(retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) }),
    },
    body: JSON.stringify({ error: code, detail: options.detail ?? detail }),
  };
}

function latchkeyErrorOf(error: unknown): { readonly code: LatchkeyErrorCode; readonly until: unknown } | undefined {
  let current = error;
  try {
    for (let depth = 0; depth < DEEPEST && typeof current === 'object' && current !== null; depth++) {
      if (isLatchkeyError(current)) return typeof current.code === 'string' ? { code: current.code, until: current.until } : undefined;
      current = (current as { cause?: unknown }).cause;
    }
  } catch {
    // An error that cannot be read is nobody's of ours.
  }
  return undefined;
}

/** At least one: whoever comes back at once comes too early. */
function secondsUntil(until: unknown, clock: Clock): number | undefined {
  try {
    const seconds = typeof until === 'number' ? Math.ceil((until - clock.now()) / 1_000) : Number.NaN;
    return Number.isSafeInteger(seconds) ? Math.max(1, seconds) : undefined;
  } catch {
    // A clock that fails says nothing.
    return undefined;
  }
}
