import { ANY } from '../ledger/change.js';
import type { GivenHint } from '../ledger/hints.js';
import type { Ledger } from '../ledger/ledger.js';
import type { Name } from './carrier.js';
import { type Delivery, isStale } from './delivery.js';
import { adoptRegisters, type ScopeNames } from './registers.js';
import type { SuccessionInbox } from './succession-inbox.js';
import type { Tracked, Tracking } from './tracking.js';
import type { Wall } from './wall.js';

export interface LearningOptions {
  readonly ledger: Ledger;
  readonly scopes: ScopeNames;
  readonly tracking: Tracking;
  readonly wall: Wall;
  readonly successions: Pick<SuccessionInbox, 'note'>;
  /** More may be known here than the store says. */
  readonly onLearnt: (tracked: Tracked) => void;
}

/** Brings what the fleet has learnt about identities into the ledger. */
export class Learning {
  readonly #options: LearningOptions;

  constructor(options: LearningOptions) {
    this.#options = options;
  }

  /** A record of the delivery's points at it: what the store knows of it comes with that, or is lost. */
  pointedAt(tracked: Tracked, delivery: Delivery): void {
    this.learn(tracked, delivery);
    delivery.pointed.add(tracked);
    if (delivery.how === 'message' || delivery.arrived.has(tracked.name) || tracked.stored.size === 0) return;
    tracked.lose();
    this.#options.onLearnt(tracked);
  }

  /** What the delivery says of an identity, once. */
  learn(tracked: Tracked | undefined, delivery: Delivery): void {
    const record = tracked && delivery.identities.get(tracked.name);
    if (tracked === undefined || record === undefined) return;
    delivery.identities.delete(tracked.name);
    if (isStale(record, tracked.version, delivery.how)) return;
    tracked.read(record);
    delivery.pointed.add(tracked);
    this.#adopt(tracked, delivery);
    this.#options.successions.note(tracked, delivery);
    this.#options.onLearnt(tracked);
  }

  #adopt(tracked: Tracked, delivery: Delivery): void {
    const { ledger, scopes, tracking, wall } = this.#options;
    const { identity, stored } = tracked;
    const { unobstructed, forgivenAt } = identity;
    const onUnknown = (scope: Name): void => tracking.wait(scope, tracked);
    const onHint = (hint: GivenHint): void => ledger.adoption.hint(identity, hint);
    if (!adoptRegisters(identity, Object.fromEntries(stored), scopes, wall, onUnknown, onHint)) return;
    delivery.learnt.add(identity);
    const cause = identity.ruling.state === 'held' ? 'held' : identity.forgivenAt > forgivenAt ? 'forgiven' : 'proven';
    if (!unobstructed || cause === 'held') delivery.changes.push({ cause, tenant: ANY, provider: identity.provider, session: ANY });
  }

  /** A scope is known by its name from now on: rulings for it may have come before. */
  named(scope: Name, delivery: Delivery): void {
    for (const tracked of this.#options.tracking.named(scope)) this.#adopt(tracked, delivery);
  }
}
