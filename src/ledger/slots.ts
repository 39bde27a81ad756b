import { LRUCache } from 'lru-cache';
import type { Credential } from '../credential/credential.js';
import { displaces, isDead } from '../policy/choose.js';
import type { Identities, Identity } from './verdicts.js';

/** What one scope points at. */
export class Slot {
  readonly provider: string | undefined;
  identity: Identity;
  /** The number of the capture that put it here. */
  at: number;
  /** It was dead already when it came, and took the place only because nothing alive held it. */
  deadOnArrival: boolean;
  /** Who presented it last. */
  by: Session;
  /** The same session's slot for another provider. */
  next: Slot | undefined;

  constructor(provider: string | undefined, identity: Identity, at: number, deadOnArrival: boolean, by: Session) {
    this.provider = provider;
    this.identity = identity;
    this.at = at;
    this.deadOnArrival = deadOnArrival;
    this.by = by;
    this.next = undefined;
  }
}

/** Who presents credentials: a session, or (without a name) the requests of no session, which only fill the global slot. */
export class Session {
  readonly tenant: Tenant;
  readonly name: string | undefined;
  /** Milliseconds since the ledger was made: small numbers take no memory of their own. */
  capturedAt = 0;
  slots: Slot | undefined = undefined;

  constructor(tenant: Tenant, name: string | undefined) {
    this.tenant = tenant;
    this.name = name;
  }

  slot(provider: string | undefined): Slot | undefined {
    let slot = this.slots;
    while (slot !== undefined && slot.provider !== provider) slot = slot.next;
    return slot;
  }

  *allSlots(): Iterable<Slot> {
    for (let slot = this.slots; slot !== undefined; slot = slot.next) yield slot;
  }
}

export class Tenant {
  readonly name: string | undefined;
  readonly sessions = new Map<string | undefined, Session>();
  readonly globals = new Map<string | undefined, Slot>();

  constructor(name: string | undefined) {
    this.name = name;
  }
}

/** A gateway has few providers; a client that could name them freely must not fill memory through one session. */
const MOST_PROVIDERS = 64;

export type EvictionCause = 'asked' | 'idle' | 'limit';

export interface SlotsListener {
  evicted(session: Session, cause: EvictionCause): void;
  /** A tenant's global slot for a provider is empty now. */
  unlent(tenant: Tenant, provider: string | undefined): void;
}

/** Which slot points at which identity: sessions, up to a limit, and the global slots that they fill. */
export class Slots {
  readonly #tenants = new Map<string | undefined, Tenant>();
  readonly #recency: LRUCache<Session, true>;
  readonly #identities: Identities;
  readonly #told: SlotsListener;
  /** The tenant of scopes that name none, at hand without a look-up. */
  readonly #unnamed: Tenant = new Tenant(undefined);

  constructor(limit: number, identities: Identities, told: SlotsListener) {
    this.#identities = identities;
    this.#told = told;
    this.#recency = new LRUCache({
      max: limit,
      disposeAfter: (_, session, reason) => {
        if (reason === 'evict') this.#drop(session, 'limit');
      },
    });
  }

  get sessions(): number {
    return this.#recency.size;
  }

  tenant(name: string | undefined): Tenant | undefined {
    return name === undefined ? this.#unnamed : this.#tenants.get(name);
  }

  *tenants(): Iterable<Tenant> {
    yield this.#unnamed;
    yield* this.#tenants.values();
  }

  /** Its session has just been of use. */
  touch(session: Session): void {
    this.#recency.get(session);
  }

  /**
   * Puts a presented credential into its session's slot and the tenant's global slot, where it displaces what is there.
   * Says which of the two point at another identity now.
   */
  present(
    who: { tenant: string | undefined; session: string | undefined; provider: string | undefined },
    presented: { identity: Identity; credential: Credential; at: number; now: number; sinceStart: number },
  ): { own: boolean; global: boolean } {
    const session = this.#session(who.tenant, who.session);
    session.capturedAt = presented.sinceStart;
    // Held while the slots are rearranged, so that what moves from one slot to another is not forgotten in between.
    this.#identities.retain(presented.identity, presented.credential);
    const own = this.#place(session.slot(who.provider), presented, who.provider, session, (slot) => this.#append(session, slot));
    const { globals } = session.tenant;
    const global = this.#place(globals.get(who.provider), presented, who.provider, session, (slot) => globals.set(who.provider, slot));
    this.#identities.release(presented.identity, false);
    this.#recency.set(session, true);
    return { own, global };
  }

  /** Drops a session with all its slots; undefined for the tenant's requests of no session. Returns whether it was there. */
  evict(tenant: string | undefined, session: string | undefined, cause: EvictionCause): boolean {
    const found = this.tenant(tenant)?.sessions.get(session);
    if (found === undefined) return false;
    this.#recency.delete(found);
    this.#drop(found, cause);
    return true;
  }

  evictTenant(name: string | undefined): void {
    for (const session of [...(this.tenant(name)?.sessions.keys() ?? [])]) this.evict(name, session, 'asked');
  }

  /** Drops the sessions that presented nothing since `before` (milliseconds since the ledger was made). */
  evictIdle(before: number): void {
    for (const session of [...this.#recency.keys()]) {
      if (session.capturedAt <= before) this.evict(session.tenant.name, session.name, 'idle');
    }
  }

  #session(tenantName: string | undefined, name: string | undefined): Session {
    let tenant = this.tenant(tenantName);
    if (tenant === undefined) {
      tenant = new Tenant(tenantName);
      this.#tenants.set(tenantName, tenant);
    }
    let session = tenant.sessions.get(name);
    if (session === undefined) {
      session = new Session(tenant, name);
      tenant.sessions.set(name, session);
    }
    return session;
  }

  #place(
    slot: Slot | undefined,
    presented: { identity: Identity; credential: Credential; at: number; now: number },
    provider: string | undefined,
    by: Session,
    create: (slot: Slot) => void,
  ): boolean {
    const { identity, credential, at, now } = presented;
    if (slot === undefined) {
      this.#identities.retain(identity, credential);
      create(new Slot(provider, identity, at, isDead(identity, now), by));
      return true;
    }
    const dead = isDead(identity, now);
    if (slot.identity === identity) {
      slot.by = by;
      // Presented again while it is dead it earns no newer place: a live one that arrived in between may still be committed.
      if (at > slot.at && !dead) {
        slot.at = at;
        slot.deadOnArrival = false;
      }
      return false;
    }
    if (!displaces({ at, dead }, { at: slot.at, deadOnArrival: slot.deadOnArrival, dead: isDead(slot.identity, now) })) return false;
    this.#identities.retain(identity, credential);
    this.#identities.release(slot.identity, false);
    slot.identity = identity;
    slot.at = at;
    slot.deadOnArrival = dead;
    slot.by = by;
    return true;
  }

  #append(session: Session, slot: Slot): void {
    slot.next = session.slots;
    session.slots = slot;
    let count = 0;
    for (const held of session.allSlots()) {
      if (++count < MOST_PROVIDERS || held.next === undefined) continue;
      const dropped = held.next;
      held.next = dropped.next;
      this.#letGo(session, dropped);
    }
  }

  #drop(session: Session, cause: EvictionCause): void {
    const { tenant } = session;
    tenant.sessions.delete(session.name);
    for (const slot of session.allSlots()) this.#letGo(session, slot);
    if (tenant.sessions.size === 0 && tenant !== this.#unnamed) this.#tenants.delete(tenant.name);
    this.#told.evicted(session, cause);
  }

  /** Gives up a session's slot, and the global one too if nobody else who is still there presented what it holds. */
  #letGo(session: Session, slot: Slot): void {
    const { tenant } = session;
    const { identity, provider } = slot;
    const global = tenant.globals.get(provider);
    // Not only the session's own: what was presented last may stand in the global slot alone, where another dead one had made room for it.
    if (global !== undefined && (global.by === session || isGone(global.by)) && !isPresented(tenant, global.identity)) {
      tenant.globals.delete(provider);
      this.#identities.release(global.identity, true);
      this.#told.unlent(tenant, provider);
    }
    this.#identities.release(identity, true);
  }
}

function isGone(session: Session): boolean {
  return session.tenant.sessions.get(session.name) !== session;
}

function isPresented(tenant: Tenant, identity: Identity): boolean {
  for (const session of tenant.sessions.values()) {
    if (session.slot(identity.provider)?.identity === identity) return true;
  }
  return false;
}
