import type { Credential } from './credential/credential.js';
import { type ErrorCopy, redactedCopy } from './credential/redact.js';

/** Whose work it is, as far as it was named. */
export interface ScopeParts {
  readonly tenant?: string;
  readonly session?: string;
  readonly provider?: string;
  readonly purpose?: string;
}

/** Why work could not be done; the README has a line on each. */
export type LatchkeyErrorCode =
  | 'CREDENTIAL_MISSING'
  | 'CREDENTIAL_REJECTED'
  | 'CREDENTIAL_HELD'
  | 'CREDENTIAL_EXPIRED'
  | 'AUTH_RETRYING'
  | 'PARK_TIMEOUT'
  | 'PARK_OVERFLOW'
  | 'TIMEOUT'
  | 'CLOSED';

/** The decision that an error carries; nobody needs to parse its message. */
export interface LatchkeyErrorDetails {
  readonly scope: ScopeParts;
  readonly fingerprint?: string | undefined;
  readonly status?: number | undefined;
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly incident?: string | undefined;
}

/** Shared by every copy of the package in a process, so that `isLatchkeyError` works across them. */
const BRAND = Symbol.for('latchkey.error');

/** What Latchkey throws of its own; any other error of an attempt passes through untouched. */
export class LatchkeyError extends Error {
  declare readonly cause?: ErrorCopy;
  readonly code: LatchkeyErrorCode;
  readonly scope: ScopeParts;
  /** Of the credential that the error is about, where there is one. */
  readonly fingerprint: string | undefined;
  /** The HTTP status that settled it. */
  readonly status: number | undefined;
  /** Milliseconds since the epoch: since when the scope is blocked. */
  readonly since: number | undefined;
  /** Milliseconds since the epoch: when a hold ends by itself, or when a probe or a refresh is tried next. */
  readonly until: number | undefined;
  /** The id of the incident that this error belongs to: it has been (or is being) reported once, there. */
  readonly incident: string | undefined;
  readonly #original: unknown;

  constructor(
    code: LatchkeyErrorCode,
    message: string,
    details: LatchkeyErrorDetails,
    origin?: { thrown: unknown; credentials: readonly Credential[] },
  ) {
    super(message);
    this.code = code;
    this.scope = details.scope;
    this.fingerprint = details.fingerprint;
    this.status = details.status;
    this.since = details.since;
    this.until = details.until;
    this.incident = details.incident;
    if (origin !== undefined) {
      this.#original = origin.thrown;
      Object.defineProperty(this, 'cause', { value: redactedCopy(origin.thrown, origin.credentials), configurable: true, writable: true });
    }
  }

  /** What the attempt threw or returned, if it did. It may hold the credential in clear: do not log it. `cause` is the copy that is safe. */
  original(): unknown {
    return this.#original;
  }

  get [BRAND](): true {
    return true;
  }
}

Object.defineProperty(LatchkeyError.prototype, 'name', { value: 'LatchkeyError', configurable: true, writable: true });

/** Whether a value is an error of Latchkey's, of this copy of the package or another. */
export function isLatchkeyError(value: unknown): value is LatchkeyError {
  try {
    return typeof value === 'object' && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true;
  } catch {
    // Anything can be thrown; what cannot be read is none of ours.
    return false;
  }
}

/**
 * What `context.check` throws for an answer that is not a 2xx. `run` understands it; outside of a rejection it reaches the caller
 * untouched. `response` is unread.
 */
export class ResponseError extends Error {
  readonly status: number;
  readonly response: { readonly status: number; readonly headers: unknown };

  constructor(response: { readonly status: number; readonly headers: unknown }) {
    super(`the upstream answered ${response.status}`);
    this.status = response.status;
    this.response = response;
    // A response can hold anything: it is there for the caller, not for printing.
    Object.defineProperty(this, 'response', { enumerable: false });
  }
}

Object.defineProperty(ResponseError.prototype, 'name', { value: 'ResponseError', configurable: true, writable: true });
