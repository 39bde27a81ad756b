import type { ANY } from './change.js';
import type { WorkScope } from './scope-key.js';
import type { Identity } from './verdicts.js';

/** Hears of what this process does itself, after it was done, so that others can be told; what came from them is not told back. */
export interface Journal {
  /** A client presented what `identity` is of. `placed`: a slot points there only now. */
  presented(scope: WorkScope, identity: Identity, at: number, placed: boolean): void;
  /** What a refresh brought is in the place of `from` in the scope's slot; nobody presented it. */
  succeeded(scope: WorkScope, identity: Identity, from: Identity): void;
  /** One more success of a credential that was known to work. */
  proven(identity: Identity): void;
  /** The verdict on an identity has changed, or its expiry hint. */
  learnt(identity: Identity): void;
  /** A pin was set, or taken away: its number says which. */
  pinned(scope: WorkScope, at: number): void;
  /** An eviction that was asked for; of a whole tenant if no session is named. */
  evicted(tenant: string | undefined, session: string | undefined | typeof ANY, at: number): void;
  /** A session left this process's memory, whatever the reason. */
  dropped(tenant: string | undefined, session: string | undefined): void;
  forgotten(identity: Identity): void;
}
