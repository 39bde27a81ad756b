import type { Ledger } from '../ledger/ledger.js';
import type { Session } from '../ledger/session.js';
import { type Delivery, note } from './delivery.js';
import type { FollowedSession } from './following.js';
import type { Outbox } from './outbox.js';

export interface EvictionInboxOptions {
  readonly ledger: Ledger;
  readonly outbox: Outbox;
  /** Something of its record was left as it is here, since the store is about to be told otherwise. */
  readonly onSkipped: (followed: FollowedSession) => void;
}

/** Brings evictions of sessions, and of whole tenants, into the ledger. */
export class EvictionInbox {
  readonly #options: EvictionInboxOptions;

  constructor(options: EvictionInboxOptions) {
    this.#options = options;
  }

  /** Everything that the session holds here is older than an eviction; one that holds nothing has to hear of it once. */
  isEvicted(session: Session, followed: FollowedSession, at: number, holdsMore: boolean, isFirst: boolean): boolean {
    const evictedAt = Math.max(at, followed.owner.evictedAt);
    if (holdsMore || evictedAt === 0) return false;
    for (const { provider, at: placedAt } of session.allSlots())
      if (placedAt >= evictedAt || this.#options.outbox.pending.isSlotPending(followed, provider)) return false;
    const isNews = evictedAt > followed.evictedAt && !isFirst;
    followed.evictedAt = evictedAt;
    return isNews || session.slots !== undefined;
  }

  /** What a session holds here that is older than its tenant's eviction. */
  evictIfOlder(followed: FollowedSession, isFirst: boolean, delivery: Delivery): void {
    const { ledger, outbox, onSkipped } = this.#options;
    const { owner } = followed;
    const session = ledger.adoption.find(owner.tenant, followed.session);
    if (session === undefined) return;
    if (this.isEvicted(session, followed, owner.evictedAt, false, isFirst)) {
      ledger.adoption.evictSession(owner.tenant, followed.session);
      return;
    }
    for (const { provider, at } of [...session.allSlots()]) {
      if (at >= owner.evictedAt) continue;
      if (outbox.pending.isSlotPending(followed, provider)) onSkipped(followed);
      else note(delivery, ledger.adoption.slot(session, provider, undefined));
    }
  }
}
