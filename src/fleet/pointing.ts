import type { Credential } from '../credential/credential.js';
import type { Ledger } from '../ledger/ledger.js';
import type { Slot } from '../ledger/session.js';
import type { Identity } from '../ledger/verdicts.js';
import type { Name } from './carrier.js';
import type { Delivery } from './delivery.js';
import type { Learning } from './learning.js';
import type { Names } from './names.js';
import type { Seals } from './seals.js';
import type { StoredSlot } from './slot-text.js';
import type { Tracking } from './tracking.js';

export interface PointingOptions {
  readonly ledger: Ledger;
  readonly names: Names;
  readonly seals: Seals;
  readonly tracking: Tracking;
  readonly learning: Learning;
  /** A sealed value did not open. */
  readonly onClosed: () => void;
}

export interface PointedAt {
  readonly identity: Identity;
  readonly credential: Credential;
  readonly provider: string | undefined;
}

/** What the store's slots point at. */
export class Pointing {
  readonly #options: PointingOptions;

  constructor(options: PointingOptions) {
    this.#options = options;
  }

  /**
   * The identity that a slot of the store points at, if its credential opens there. That this process knows it from elsewhere is not enough: who can
   * write to the store could have one session's slot point at another's credential. `here`: what the ledger has in the same place.
   */
  find(stored: StoredSlot, record: Name, field: Name, here: Iterable<Slot>, delivery: Delivery): PointedAt | undefined {
    const { tracking, seals, ledger, names, learning, onClosed } = this.#options;
    for (const { identity, provider } of here) {
      const known = tracking.of(identity);
      if (known.name !== stored.identity || identity.credential === undefined) continue;
      learning.pointedAt(known, delivery);
      return { identity, credential: identity.credential, provider };
    }
    const opened = seals.openCredential(stored.value, record, field);
    if (opened === undefined) {
      if (stored.value !== '') onClosed();
      return undefined;
    }
    const { credential, provider } = opened;
    if (names.provider(provider) !== field || names.identity(provider, credential.fingerprint) !== stored.identity) return undefined;
    const identity = ledger.adoption.identity(provider, credential.fingerprint);
    learning.pointedAt(tracking.of(identity), delivery);
    return { identity, credential, provider };
  }
}
