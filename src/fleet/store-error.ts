/** Why a store is of no use now, or a part of it. */
export type StoreErrorCode =
  /** It cannot be reached, or did not answer in time. */
  | 'STORE_DOWN'
  /** What is in it was written by another version of the package. */
  | 'STORE_FORMAT'
  /** A sealed value does not open with any key that was given. */
  | 'STORE_SEAL'
  /** This process's clock and the store's are more than a second apart. */
  | 'STORE_SKEW';

/** What went wrong between Latchkey and its store. It holds no credential, sealed or open. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

Object.defineProperty(StoreError.prototype, 'name', { value: 'StoreError', configurable: true, writable: true });
