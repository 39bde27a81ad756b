import type { Credential } from '../credential/credential.js';
import { redactedCopy } from '../credential/redact.js';

/** `SOURCE_UNAVAILABLE`: whether a source has a credential cannot be told now. */
export type SourceErrorCode = 'SOURCE_UNAVAILABLE';

/**
 * A source that failed, was too slow, or answered with something that is no answer. Nobody is asked in its place: a lesser credential would be
 * sent where a better one belongs.
 */
export class SourceError extends Error {
  readonly code: SourceErrorCode = 'SOURCE_UNAVAILABLE';
  /** The name of the source. */
  readonly source: string;
  /** Why it is unavailable, in a few words. */
  readonly reason: string;

  /**
   * `cause`: of what was thrown only a copy is kept (name, message, code, status and stack), without the values of `credentials`. `firstOf` gives
   * those of the query: of headers named like a secret, user info, and values of the URL's query, if they have 8 characters or more, and 32 at most.
   * What else it may quote cannot be told: a source must not put a credential of its own into its errors.
   */
  constructor(source: string, reason: string, options: { readonly cause?: unknown; readonly credentials?: readonly Credential[] } = {}) {
    super(`the credential source ${source} is unavailable: ${reason}`);
    this.source = source;
    this.reason = reason;
    const { cause, credentials = [] } = options;
    if (cause !== undefined)
      Object.defineProperty(this, 'cause', { value: redactedCopy(cause, credentials), configurable: true, writable: true });
  }
}

Object.defineProperty(SourceError.prototype, 'name', { value: 'SourceError', configurable: true, writable: true });
