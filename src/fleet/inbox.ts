import type { Credential } from '../credential/credential.js';
import type { Ledger } from '../ledger/ledger.js';
import { type Session, type Slot, Stranger, type Tenant } from '../ledger/session.js';
import type { Placed } from '../ledger/slots.js';
import { isSucceededBy } from '../ledger/successors.js';

import type { Identity } from '../ledger/verdicts.js';
import { isDead } from '../policy/choose.js';
import type { Name, RecordRef, StoredRecord } from './carrier.js';
import { type Arrival, type Captured, type Delivery, isStale, newDelivery, note, noteCaptured } from './delivery.js';
import { EvictionInbox } from './eviction-inbox.js';
import type { FollowedSession, FollowedTenant, Following } from './following.js';
import { HybridClock } from './hybrid-clock.js';
import { Learning } from './learning.js';
import type { Names } from './names.js';
import type { Outbox } from './outbox.js';
import { PinInbox } from './pin-inbox.js';
import { Pointing } from './pointing.js';
import type { Seals } from './seals.js';
import { readSlot, type StoredSlot } from './slot-text.js';
import { SuccessionInbox } from './succession-inbox.js';
import type { Tracking } from './tracking.js';
import type { Wall } from './wall.js';

const SLOT = 'p.';
const GLOBAL = 'g.';
const PIN = 'x.';

export interface InboxOptions {
  readonly ledger: Ledger;
  readonly names: Names;
  readonly seals: Seals;
  readonly following: Following;
  readonly tracking: Tracking;
  readonly outbox: Outbox;
  readonly wall: Wall;
  readonly idleMs: number;
  /** What is known of an identity has changed. */
  readonly onVerdict: (identity: Identity) => void;
  /** A slot points elsewhere now. */
  readonly onCaptured: (captured: Captured) => void;
  /** A sealed value did not open. */
  readonly onClosed: () => void;
}

/** Brings what the store holds into the ledger. The store has decided; what this process has not told it yet stays until it is told. */
export class Inbox {
  readonly #options: InboxOptions;
  readonly #learning: Learning;
  readonly #pins: PinInbox;
  readonly #pointing: Pointing;
  readonly #evictions: EvictionInbox;
  readonly successions: SuccessionInbox;
  /**
   * Records of which something was left as it is here, since the store was about to be told otherwise. What it answers then may be older than
   * what was left out: messages come another way, and overtake.
   */
  readonly #skipped = new Set<FollowedSession | FollowedTenant>();

  constructor(options: InboxOptions) {
    this.#options = options;
    const { following, outbox, ledger } = options;
    following.start(() => ledger.pins());
    this.successions = new SuccessionInbox({ ...options, learn: (tracked, delivery) => this.#learning.learn(tracked, delivery) });
    this.#learning = new Learning({
      ...options,
      scopes: following,
      successions: this.successions,
      onLearnt: (tracked) => outbox.noteAhead(tracked),
    });
    this.#pointing = new Pointing({ ...options, learning: this.#learning });
    this.#evictions = new EvictionInbox({ ledger, outbox, onSkipped: (followed) => this.#skipped.add(followed) });
    this.#pins = new PinInbox({ ...options, learning: this.#learning, onSkipped: (followed) => this.#skipped.add(followed) });
  }

  apply(records: readonly StoredRecord[], how: Arrival): void {
    const { following, tracking } = this.#options;
    const delivery = newDelivery(how, records);
    // What has come of what is here decides what it gives way to.
    for (const record of [...delivery.identities.values()]) this.#learning.learn(tracking.find(record.name), delivery);
    // Its tenant's eviction concerns a session too.
    for (const record of records) if (record.kind === 'tenant') this.#tenant(following.tenant(record.name), record, delivery);
    for (const record of records) if (record.kind === 'session') this.#session(following.session(record.name), record, delivery);
    this.successions.settle(delivery);
    this.#tell(delivery);
  }

  /** What is to be asked for again, once everything has been told. */
  get skipped(): RecordRef[] {
    const { following } = this.#options;
    for (const followed of this.#skipped)
      if (following.session(followed.ref.name) !== followed && following.tenant(followed.ref.name) !== followed)
        this.#skipped.delete(followed);
    return [...this.#skipped].map(({ ref }) => ref);
  }

  /** The store has no such record. */
  absent(followed: FollowedSession | FollowedTenant): void {
    this.#skipped.delete(followed);
    const delivery = newDelivery('answer');
    if ('owner' in followed) this.#evictions.evictIfOlder(followed, true, delivery);
    // One that the store has lost is told again; one that it never had lends nothing.
    else if (followed.version === 0) this.#globals(followed, {}, delivery);
    this.#tell(delivery);
  }

  #session(followed: FollowedSession | undefined, record: StoredRecord, delivery: Delivery): void {
    if (followed === undefined || isStale(record, followed.version, delivery.how)) return;
    const { wall, ledger } = this.#options;
    const { adoption } = ledger;
    const { owner } = followed;
    const isFirst = !followed.loaded;
    followed.version = record.version;
    this.#skipped.delete(followed);
    if (delivery.how === 'answer') followed.loaded = true;
    const evictedAt = HybridClock.parse(record.fields['e'] ?? '');
    const stored = new Map<Name, StoredSlot>();
    for (const [field, text] of Object.entries(record.fields)) {
      const slot = field.startsWith(SLOT) ? readSlot(text) : undefined;
      if (slot !== undefined && slot.at >= owner.evictedAt && wall.believes(slot.at)) stored.set(field.slice(SLOT.length), slot);
    }
    const session = adoption.find(owner.tenant, followed.session) ?? adoption.open(owner.tenant, followed.session);
    followed.isOpen = true;
    if (this.#evictions.isEvicted(session, followed, evictedAt, stored.size > 0, isFirst)) {
      adoption.evictSession(owner.tenant, followed.session);
      return;
    }
    for (const [name, provider] of this.#byName(session.allSlots())) {
      if (stored.has(name)) continue;
      if (this.#options.outbox.pending.isSlotPending(followed, provider)) this.#skipped.add(followed);
      else note(delivery, adoption.slot(session, provider, undefined));
    }
    for (const [name, slot] of stored) this.#adoptSlot(followed, session, name, slot, delivery);
  }

  #adoptSlot(followed: FollowedSession, session: Session, field: Name, stored: StoredSlot, delivery: Delivery): void {
    const { outbox, wall, ledger, idleMs } = this.#options;
    const found = this.#pointing.find(stored, followed.ref.name, field, session.allSlots(), delivery);
    if (found === undefined) return;
    const { identity, credential, provider } = found;
    if (outbox.pending.isSlotPending(followed, provider)) {
      this.#skipped.add(followed);
      return;
    }
    const slot = session.slot(provider);
    const captured = wall.fromStore(stored.captured);
    if (slot === undefined && captured + idleMs <= wall.own()) return;
    const isRefreshed = slot !== undefined && isSucceededBy(slot.identity, identity, followed.owner.tenant);
    // Presented again here meanwhile, which was not worth telling until somebody else took its place.
    if (
      slot !== undefined &&
      slot.identity !== identity &&
      slot.at > stored.at &&
      !isRefreshed &&
      !isDead(slot.identity, wall.own()) &&
      !outbox.presentations.wasTold(followed, provider, slot.at)
    ) {
      outbox.presentations.again(followed, provider, slot.identity, slot.at);
      return;
    }
    const change = ledger.adoption.slot(session, provider, this.#placed(stored, identity, credential, slot, session));
    ledger.adoption.open(followed.owner.tenant, followed.session, captured);
    noteCaptured(delivery, change, {
      tenant: followed.owner.tenant,
      session: followed.session,
      identity,
      pinned: false,
      refreshed: isRefreshed,
    });
  }

  #tenant(followed: FollowedTenant | undefined, record: StoredRecord, delivery: Delivery): void {
    if (followed === undefined || isStale(record, followed.version, delivery.how)) return;
    const isFirst = !followed.loaded;
    followed.version = record.version;
    this.#skipped.delete(followed);
    if (delivery.how === 'answer') followed.loaded = true;
    const evictedAt = HybridClock.parse(record.fields['e'] ?? '');
    if (evictedAt > followed.evictedAt) {
      followed.evictedAt = evictedAt;
      for (const session of [...followed.sessions]) this.#evictions.evictIfOlder(session, isFirst, delivery);
    }
    this.#globals(followed, record.fields, delivery);
    for (const [field, text] of Object.entries(record.fields))
      if (field.startsWith(PIN)) this.#pins.adopt(followed, field.slice(PIN.length), text, delivery);
  }

  #globals(followed: FollowedTenant, fields: StoredRecord['fields'], delivery: Delivery): void {
    const { ledger, outbox, wall } = this.#options;
    const tenant = this.#tenantFor(followed);
    if (tenant === undefined) return;
    const names = new Set<Name>();
    for (const [field, text] of Object.entries(fields)) {
      const slot = field.startsWith(GLOBAL) ? readSlot(text) : undefined;
      if (slot === undefined || slot.at < followed.evictedAt || !wall.believes(slot.at)) continue;
      names.add(field.slice(GLOBAL.length));
      this.#adoptGlobal(followed, tenant, field.slice(GLOBAL.length), slot, delivery);
    }
    for (const [name, provider] of this.#byName([...tenant.globals.values()])) {
      if (names.has(name)) continue;
      if (outbox.pending.isGlobalPending(followed, provider)) this.#skipped.add(followed);
      else note(delivery, ledger.adoption.global(tenant, provider, undefined));
    }
  }

  /** One that has left the ledger comes back for whoever waits for what it lends. */
  #tenantFor(followed: FollowedTenant): Tenant | undefined {
    const { adoption } = this.#options.ledger;
    const tenant = adoption.tenant(followed.tenant);
    if (followed.open > 0) return tenant;
    for (const waited of followed.sessions) {
      if (waited.waiters === 0) continue;
      waited.isOpen = true;
      return adoption.open(followed.tenant, waited.session).tenant;
    }
    return tenant;
  }

  #adoptGlobal(followed: FollowedTenant, tenant: Tenant, field: Name, stored: StoredSlot, delivery: Delivery): void {
    const { ledger, outbox, following, wall, idleMs } = this.#options;
    const found = this.#pointing.find(stored, followed.ref.name, field, tenant.globals.values(), delivery);
    if (found === undefined) return;
    const { identity, credential, provider } = found;
    if (outbox.pending.isGlobalPending(followed, provider)) {
      this.#skipped.add(followed);
      return;
    }
    const slot = tenant.globals.get(provider);
    if (slot === undefined && wall.fromStore(stored.captured) + idleMs <= wall.own()) return;
    const presenter = following.session(stored.by);
    const by = presenter && ledger.adoption.find(followed.tenant, presenter.session);
    // Newer here, and not worth telling before: its own session's slot is told again, and the store decides.
    const isRefreshed = slot !== undefined && isSucceededBy(slot.identity, identity, followed.tenant);
    if (slot !== undefined && slot.identity !== identity && slot.at > stored.at && !isRefreshed) {
      const session = isDead(slot.identity, wall.own()) ? undefined : following.find(followed.tenant, slot.by.name);
      const isHeld = session !== undefined && slot.by.slot(provider)?.identity === slot.identity;
      if (isHeld && !outbox.presentations.wasTold(session, provider, slot.at)) {
        outbox.presentations.again(session, provider, slot.identity, slot.at);
        return;
      }
    }
    const placed = this.#placed(stored, identity, credential, slot, by ?? this.#stranger(tenant, stored));
    const change = ledger.adoption.global(tenant, provider, placed);
    noteCaptured(delivery, change, { tenant: followed.tenant, identity, pinned: false, refreshed: isRefreshed });
  }

  /** Who presented what a global slot holds, where that session is not known here. */
  #stranger(tenant: Tenant, { by, captured }: StoredSlot): Session {
    const session = new Stranger(tenant, undefined);
    this.#options.outbox.presentations.noteStranger(session, by, captured);
    return session;
  }

  #placed(stored: StoredSlot, identity: Identity, credential: Credential, present: Slot | undefined, by: Session): Placed {
    // It may have been presented again here; when something else was says nothing about it.
    const at = present?.identity === identity ? Math.max(stored.at, present.at) : stored.at;
    return { identity, credential, at, deadOnArrival: stored.deadOnArrival, by };
  }

  /** A scope is known by its name from now on: rulings for it may have come before. */
  named(scope: Name): void {
    const delivery = newDelivery('answer');
    this.#learning.named(scope, delivery);
    this.#tell(delivery);
  }

  #byName(slots: Iterable<{ readonly provider: string | undefined }>): Map<Name, string | undefined> {
    const byName = new Map<Name, string | undefined>();
    for (const { provider } of slots) byName.set(this.#options.names.provider(provider), provider);
    return byName;
  }

  #tell({ changes, captured, learnt }: Delivery): void {
    const { ledger, onVerdict, onCaptured } = this.#options;
    for (const one of captured) onCaptured(one);
    for (const identity of learnt) onVerdict(identity);
    for (const change of changes) ledger.adoption.tell(change);
  }
}
