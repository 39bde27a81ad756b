/**
 * `TOKEN_FILE`: a token file cannot be read, is empty, holds no token, or one that may be another user's. `TOKEN_NOT_SAVED`: a token cannot be written where clients look for it.
 * `CLEARTEXT_CREDENTIAL`: a credential would travel where others can read it.
 */
export type GuardErrorCode = 'TOKEN_FILE' | 'TOKEN_NOT_SAVED' | 'CLEARTEXT_CREDENTIAL';

/** A guard that cannot be set up as it was asked for: a gateway must not start on it. A malformed option is a `TypeError` instead. */
export class GuardError extends Error {
  readonly code: GuardErrorCode;

  constructor(code: GuardErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

Object.defineProperty(GuardError.prototype, 'name', { value: 'GuardError', configurable: true, writable: true });
