import { LRUCache } from 'lru-cache';
import { scopeKey } from './scope-key.js';

/** Whether a presentation that waits for its commit is still wanted. All of a session's share one. */
export interface Pending {
  readonly tenant: string | undefined;
  dropped: boolean;
}

/** Sessions with presentations that are not committed yet: an eviction in between forgets them, whether or not the session had slots. */
export class Provisional {
  readonly #pending: LRUCache<string, Pending>;

  constructor(limit: number) {
    this.#pending = new LRUCache({
      // By size, as in identities.ts.
      maxSize: limit,
      sizeCalculation: () => 1,
      dispose: (pending, _, reason) => {
        // Set again under the same key is no farewell; anything else is.
        if (reason !== 'set') pending.dropped = true;
      },
    });
  }

  open(tenant: string | undefined, session: string | undefined): Pending {
    const key = scopeKey(tenant, session);
    const present = this.#pending.get(key);
    if (present !== undefined) return present;
    const pending: Pending = { tenant, dropped: false };
    this.#pending.set(key, pending);
    return pending;
  }

  drop(tenant: string | undefined, session: string | undefined): void {
    this.#pending.delete(scopeKey(tenant, session));
  }

  dropTenant(tenant: string | undefined): void {
    for (const [key, pending] of [...this.#pending.entries()]) if (pending.tenant === tenant) this.#pending.delete(key);
  }
}
