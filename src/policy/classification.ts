import type { ScopeParts } from '../errors.js';
import type { Outcome } from './outcome.js';
import type { Reach } from './verdict.js';

/** What an outcome says about the credential that it was got with. */
export type Classification =
  /** The credential works. */
  | { readonly kind: 'accepted' }
  /** It does not: for everybody, or for this scope. */
  | { readonly kind: 'rejected'; readonly reach: Reach }
  /** It will again, in so many milliseconds. */
  | { readonly kind: 'held'; readonly ms: number; readonly reason?: string | undefined }
  /** The credential is fine, this request is not allowed with it. */
  | { readonly kind: 'denied' }
  /** Nothing about the credential; the call may be worth repeating. */
  | { readonly kind: 'transient'; readonly retryAfterMs?: number | undefined }
  /** Nothing about the credential. */
  | { readonly kind: 'none' };

/** A rule of the user's: a classification, or undefined to leave it to the built-in rules. */
export type ClassifyRule = (outcome: Outcome, scope: ScopeParts) => Classification | undefined;
