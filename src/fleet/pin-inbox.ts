import type { Ledger } from '../ledger/ledger.js';
import { isSucceededBy } from '../ledger/successors.js';
import type { Name } from './carrier.js';
import { type Delivery, note, noteCaptured } from './delivery.js';
import type { FollowedTenant } from './following.js';
import type { Learning } from './learning.js';
import type { Names } from './names.js';
import type { Outbox } from './outbox.js';
import type { Seals } from './seals.js';
import { readPin } from './slot-text.js';
import type { Tracking } from './tracking.js';
import type { Wall } from './wall.js';

export interface PinInboxOptions {
  readonly ledger: Ledger;
  readonly names: Names;
  readonly seals: Seals;
  readonly tracking: Tracking;
  readonly outbox: Outbox;
  readonly wall: Wall;
  readonly learning: Learning;
  readonly onClosed: () => void;
  /** Something of its record was left as it is here, since the store is about to be told otherwise. */
  readonly onSkipped: (followed: FollowedTenant) => void;
}

/** Brings the pins of a tenant's record into the ledger. */
export class PinInbox {
  readonly #options: PinInboxOptions;

  constructor(options: PinInboxOptions) {
    this.#options = options;
  }

  /** A pin was set somewhere, or taken away. */
  adopt(followed: FollowedTenant, field: Name, text: string, delivery: Delivery): void {
    const { ledger, outbox, seals } = this.#options;
    const stored = readPin(text);
    if (stored === undefined || !this.#options.wall.believes(stored.at)) return;
    const { pin, at } = stored;
    if (pin === undefined) {
      for (const held of [...ledger.pins()]) {
        if (held.tenant !== followed.tenant || this.#options.names.pin(held.provider, held.purpose) !== field) continue;
        if (held.at > at) continue;
        if (outbox.pending.isPinPending(followed, held.provider, held.purpose)) this.#options.onSkipped(followed);
        else note(delivery, ledger.adoption.pinned(held, undefined));
      }
      return;
    }
    const place = seals.openPinPlace(pin.place, followed.ref.name, field);
    const opened = place && seals.openCredential(pin.credential, followed.ref.name, field);
    if (place === undefined || opened === undefined) {
      if (pin.credential !== '') this.#options.onClosed();
      return;
    }
    const { provider, purpose } = place;
    const held = ledger.adoption.pin(followed.tenant, provider, purpose);
    if (held !== undefined && held.at > at) return;
    if (outbox.pending.isPinPending(followed, provider, purpose)) {
      this.#options.onSkipped(followed);
      return;
    }
    const identity = ledger.adoption.identity(provider, opened.credential.fingerprint);
    this.#options.learning.pointedAt(this.#options.tracking.of(identity), delivery);
    if (held?.at === at && held.identity === identity) return;
    const refreshed = held !== undefined && isSucceededBy(held.identity, identity, followed.tenant);
    const change = ledger.adoption.pinned({ tenant: followed.tenant, provider, purpose }, { identity, credential: opened.credential, at });
    noteCaptured(delivery, change, { tenant: followed.tenant, purpose, identity, pinned: true, refreshed });
  }
}
