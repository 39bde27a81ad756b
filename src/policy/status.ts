/** Why a scope has no credential to work with. */
export type BlockReason = 'missing' | 'rejected' | 'held' | 'expired' | 'closed';

/**
 * How a scope's work stands. `ready`: it has a credential. `refreshing`: it has none, and one is being fetched. `auth_retrying`: that has failed for a
 * while for reasons that pass, and is tried now and then. `held`: the upstream asked for a pause. `missing`: there never was a credential. `blocked`: there
 * is none that is not dead.
 */
export type StatusState = 'ready' | 'refreshing' | 'auth_retrying' | 'blocked' | 'held' | 'missing';

/** Times are milliseconds since the epoch. */
export interface Status {
  readonly state: StatusState;
  /** Why it has nothing to work with; undefined if it has. */
  readonly reason: BlockReason | undefined;
  /** Since when it stands like that; undefined where nobody knows. */
  readonly since: number | undefined;
  /** When something is tried next without anybody's doing: a refresh, a probe, or the end of a hold; or from when on work has a refresh tried again that rests. */
  readonly next: number | undefined;
}
