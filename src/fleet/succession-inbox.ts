import type { Credential } from '../credential/credential.js';
import { ANY } from '../ledger/change.js';
import type { Ledger } from '../ledger/ledger.js';
import type { Session, Slot } from '../ledger/session.js';
import { isSucceededBy, successionOf } from '../ledger/successors.js';
import type { Identity } from '../ledger/verdicts.js';
import { isDead } from '../policy/choose.js';
import type { Name } from './carrier.js';
import type { Delivery } from './delivery.js';
import type { FollowedTenant, Following } from './following.js';
import type { Names } from './names.js';
import type { Outbox } from './outbox.js';
import { SUCCESSOR_PREFIX } from './registers.js';
import type { Seals } from './seals.js';
import { readSuccessor } from './slot-text.js';
import type { Tracked, Tracking } from './tracking.js';
import type { Wall } from './wall.js';

/** Slots of which it is remembered that the store was told of a successor. */
const MOST_TOLD = 10_000;

export interface SuccessionInboxOptions {
  readonly ledger: Ledger;
  readonly names: Names;
  readonly seals: Seals;
  readonly following: Following;
  readonly tracking: Tracking;
  readonly outbox: Outbox;
  readonly wall: Wall;
  /** What the delivery says of an identity. */
  readonly learn: (tracked: Tracked, delivery: Delivery) => void;
  /** A sealed value did not open. */
  readonly onClosed: () => void;
}

interface Successor {
  readonly identity: Identity;
  readonly credential: Credential;
  readonly at: number;
}

/** Brings what other processes' refreshes put in an identity's place wherever a tenant holds that here. */
export class SuccessionInbox {
  readonly #options: SuccessionInboxOptions;
  /** The number under which a slot's successor was told: a store that will not have it is not told again and again. */
  readonly #told = new Map<string, number>();

  constructor(options: SuccessionInboxOptions) {
    this.#options = options;
  }

  /** The store has lost what it had. */
  reset(): void {
    this.#told.clear();
  }

  /** What has come of an identity is known from now on, for the tenants that this process has to do with. */
  note(tracked: Tracked, delivery: Delivery): void {
    for (const field of tracked.successions.keys()) {
      const followed = this.#options.following.tenant(field);
      if (followed !== undefined) this.#open(tracked, followed, delivery);
    }
  }

  /** Once all else of the delivery is there. */
  settle(delivery: Delivery): void {
    const { following } = this.#options;
    for (const tracked of delivery.pointed) {
      if (tracked.identity.references === 0) continue;
      for (const field of tracked.successions.keys()) {
        const followed = following.tenant(field);
        if (followed !== undefined) this.#succeed(tracked.identity, followed, delivery);
      }
    }
  }

  #succeed(from: Identity, followed: FollowedTenant, delivery: Delivery): void {
    const { ledger, outbox } = this.#options;
    const { tenant } = followed;
    const successor = this.#successor(from, followed, delivery);
    if (successor === undefined) return;
    const { credential, at } = successor;
    // Forgotten in between it would be another one now.
    const identity = ledger.adoption.identity(from.provider, credential.fingerprint);
    const mayTake = (slot: Slot, own: Session | undefined): boolean => this.#isNews(followed, slot, own, identity, at);
    let pinned = false;
    const to = ledger.succeed(from, { tenant, credential, at, remote: { mayTake } }, (scope, _, isPin) => {
      pinned ||= isPin;
      if (isPin) outbox.pinned(scope, ledger.adoption.pin(tenant, scope.provider, scope.purpose)?.at ?? at);
      else outbox.succeeded(scope, identity, from);
      delivery.captured.push({ tenant, session: scope.session, identity, pinned: isPin, refreshed: true });
    });
    if (to === undefined) return;
    // What has come and gone at once is not told of.
    delivery.captured = delivery.captured.filter((one) => one.identity !== from || one.tenant !== tenant);
    delivery.changes.push({ cause: pinned ? 'pinned' : 'captured', tenant, provider: from.provider, session: ANY });
  }

  /** The last that has come of it, is not dead, and can be had here. */
  #successor(from: Identity, followed: FollowedTenant, delivery: Delivery): Successor | undefined {
    const { tracking, wall } = this.#options;
    const { tenant } = followed;
    const now = wall.own();
    let [current, found]: [Identity, Successor | undefined] = [from, undefined];
    this.#open(tracking.of(from), followed, delivery);
    for (const { identity, at } of successionOf(from, tenant)) {
      const credential = identity.credential ?? this.#open(tracking.of(current), followed, delivery, identity);
      if (credential !== undefined && !isDead(identity, now) && isSucceededBy(from, identity, tenant)) found = { identity, credential, at };
      if (identity.known) this.#open(tracking.of(identity), followed, delivery);
      current = identity;
    }
    return found;
  }

  /** Reads what the store says has come of it, and opens that if it is news, or `wanted`. */
  #open(
    { identity, name, successions }: Tracked,
    { tenant, ref }: FollowedTenant,
    delivery: Delivery,
    wanted?: Identity,
  ): Credential | undefined {
    const { ledger, names, seals, wall, tracking, learn, onClosed } = this.#options;
    const stored = readSuccessor(successions.get(ref.name) ?? '');
    if (stored === undefined || !wall.believes(stored.at)) return undefined;
    const known = identity.successors?.get(tenant);
    const isNews = known === undefined || known.at < stored.at || !known.identity.known;
    if (!isNews && (wanted === undefined || tracking.of(wanted).name !== stored.identity)) return undefined;
    const opened = seals.openCredential(stored.value, name, `${SUCCESSOR_PREFIX}${ref.name}`);
    if (opened === undefined) {
      if (stored.value !== '') onClosed();
      return undefined;
    }
    const { credential, provider } = opened;
    if (provider !== identity.provider || names.identity(provider, credential.fingerprint) !== stored.identity) return undefined;
    if (isNews) {
      const to = ledger.adoption.identity(provider, credential.fingerprint);
      identity.succeeded(tenant, to, stored.at);
      learn(tracking.of(to), delivery);
    }
    return credential;
  }

  #isNews({ tenant, ref }: FollowedTenant, slot: Slot, own: Session | undefined, to: Identity, at: number): boolean {
    const { following, tracking } = this.#options;
    const record: Name | undefined = own === undefined ? ref.name : following.find(tenant, own.name)?.ref.name;
    const key = `${record}/${tracking.of(to).name}`;
    const number = Math.max(slot.at, at);
    if ((this.#told.get(key) ?? -1) >= number) return false;
    this.#told.delete(key);
    this.#told.set(key, number);
    for (const oldest of this.#told.keys()) {
      if (this.#told.size <= MOST_TOLD) break;
      this.#told.delete(oldest);
    }
    return true;
  }
}
