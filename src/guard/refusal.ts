/** Why a request was not let in. */
export type RefusalReason = 'missing' | 'malformed' | 'mismatch';

/** A request that was not let in, for a log: nothing of what it presented. */
export interface Refusal {
  readonly reason: RefusalReason;
  /** The peer's address, where there is a socket. */
  readonly peer: string | undefined;
  readonly method: string | undefined;
  /** Without query; `''` if the token is in it, encoded in a way of its own. */
  readonly path: string;
}
