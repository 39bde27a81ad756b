import { LRUCache } from 'lru-cache';
import type { Credential } from '../credential/credential.js';
import { displaces, isDead } from '../policy/choose.js';
import type { Identities } from './identities.js';
import { isGone, isPresented, lendOn } from './lending.js';
import { Session, Slot, Stranger, Tenant } from './session.js';
import { isSucceededBy } from './successors.js';
import type { Identity } from './verdicts.js';

/** A gateway has few providers; a client that could name them freely must not fill memory through one session. */
const MOST_PROVIDERS = 64;

export type EvictionCause = 'asked' | 'idle' | 'limit';

/** What the store has a slot hold. */
export interface Placed {
  readonly identity: Identity;
  readonly credential: Credential;
  readonly at: number;
  readonly deadOnArrival: boolean;
  readonly by: Session;
}

/** Whether a slot may have what a refresh brought; `own`: it is that session's, otherwise the tenant's global one. */
export type MayTake = (slot: Slot, own: Session | undefined) => boolean;

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
  /** Other processes share them: that this one has no room for a session does not take away what it lent. */
  readonly #shared: boolean;
  /** The tenant of scopes that name none, at hand without a look-up. */
  readonly #unnamed: Tenant = new Tenant(undefined);

  constructor(limit: number, identities: Identities, shared: boolean, told: SlotsListener) {
    this.#identities = identities;
    this.#shared = shared;
    this.#told = told;
    this.#recency = new LRUCache({
      max: limit,
      disposeAfter: (_, session, reason) => {
        if (reason === 'evict') this.#drop(session, 'limit', !this.#shared);
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

  /**
   * Puts what a refresh brought wherever a tenant's slots point at what was refreshed. Returns the names of the sessions that have it now; undefined for
   * a global slot that no session here stands for.
   */
  succeed(
    tenantName: string | undefined,
    from: Identity,
    to: Identity,
    credential: Credential,
    at: number,
    mayTake: MayTake = () => true,
  ): (string | undefined)[] {
    const tenant = this.tenant(tenantName);
    const names: (string | undefined)[] = [];
    const replace = (slot: Slot | undefined, own?: Session): boolean => {
      if (slot?.identity !== from || !mayTake(slot, own)) return false;
      this.#put(slot, slot.provider, { identity: to, credential, at: Math.max(at, slot.at), deadOnArrival: false, by: slot.by }, () => {});
      return true;
    };
    for (const session of tenant?.sessions.values() ?? []) if (replace(session.slot(from.provider), session)) names.push(session.name);
    const global = tenant?.globals.get(from.provider);
    if (global === undefined || !replace(global)) return names;
    if (global.by instanceof Stranger || !names.includes(global.by.name)) names.push(undefined);
    return names;
  }

  /** Makes room for a session of which others know more than this process does. */
  open(tenantName: string | undefined, name: string | undefined, sinceStart: number): Session {
    const known = this.tenant(tenantName)?.sessions.get(name);
    const session = known ?? this.#session(tenantName, name);
    if (known === undefined) session.capturedAt = sinceStart;
    this.#recency.set(session, true);
    return session;
  }

  /** Has a session's slot hold what the store decided, or nothing. Returns whether it points elsewhere now. */
  adopt(session: Session, provider: string | undefined, placed: Placed | undefined): boolean {
    const slot = session.slot(provider);
    if (placed !== undefined) return this.#put(slot, provider, placed, (created) => this.#append(session, created));
    if (slot === undefined) return false;
    session.remove(slot);
    this.#identities.release(slot.identity, true);
    return true;
  }

  /** The same for a tenant's global slot. */
  adoptGlobal(tenant: Tenant, provider: string | undefined, placed: Placed | undefined): boolean {
    const { globals } = tenant;
    const slot = globals.get(provider);
    if (placed !== undefined) return this.#put(slot, provider, placed, (created) => globals.set(provider, created));
    if (slot === undefined) return false;
    globals.delete(provider);
    this.#identities.release(slot.identity, true);
    return true;
  }

  /**
   * Drops a session with all its slots; undefined for the tenant's requests of no session. `lentToo`: what it lent goes, too, if nobody else presented
   * that. Returns whether it was there.
   */
  evict(
    tenant: string | undefined,
    session: string | undefined,
    cause: EvictionCause,
    lentToo = !this.#shared || cause === 'asked',
  ): boolean {
    const found = this.tenant(tenant)?.sessions.get(session);
    if (found === undefined) return false;
    this.#recency.delete(found);
    this.#drop(found, cause, lentToo);
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
    const present = { at: slot.at, deadOnArrival: slot.deadOnArrival, dead: isDead(slot.identity, now) };
    const isSuccessor = isSucceededBy(slot.identity, identity, by.tenant.name);
    // A client that does not know of a refresh goes on presenting what was refreshed.
    if (!present.dead && (isSuccessor ? dead : isSucceededBy(identity, slot.identity, by.tenant.name))) return false;
    if (!isSuccessor && !displaces({ at, dead }, present)) return false;
    this.#identities.retain(identity, credential);
    this.#identities.release(slot.identity, false);
    slot.identity = identity;
    slot.at = isSuccessor ? Math.max(at, slot.at) : at;
    slot.deadOnArrival = dead;
    slot.by = by;
    return true;
  }

  #put(slot: Slot | undefined, provider: string | undefined, placed: Placed, create: (slot: Slot) => void): boolean {
    const { identity, credential, at, deadOnArrival, by } = placed;
    if (slot === undefined) {
      this.#identities.retain(identity, credential);
      create(new Slot(provider, identity, at, deadOnArrival, by));
      return true;
    }
    const changed = slot.identity !== identity;
    if (changed) {
      this.#identities.retain(identity, credential);
      this.#identities.release(slot.identity, false);
      slot.identity = identity;
    }
    slot.at = at;
    slot.deadOnArrival = deadOnArrival;
    slot.by = by;
    return changed;
  }

  #append(session: Session, slot: Slot): void {
    slot.next = session.slots;
    session.slots = slot;
    let count = 0;
    for (const held of session.allSlots()) {
      if (++count < MOST_PROVIDERS || held.next === undefined) continue;
      const dropped = held.next;
      held.next = dropped.next;
      this.#letGo(session, dropped, true);
    }
  }

  #drop(session: Session, cause: EvictionCause, lentToo: boolean): void {
    const { tenant } = session;
    tenant.sessions.delete(session.name);
    for (const slot of session.allSlots()) this.#letGo(session, slot, lentToo);
    if (!lentToo) lendOn(session);
    if (tenant.sessions.size === 0) this.#empty(tenant);
    this.#told.evicted(session, cause);
  }

  /** Nothing of a tenant is kept that no session here has to do with; what it still lends is the store's to remember. */
  #empty(tenant: Tenant): void {
    for (const { provider, identity } of [...tenant.globals.values()]) {
      tenant.globals.delete(provider);
      this.#identities.release(identity, true);
      this.#told.unlent(tenant, provider);
    }
    if (tenant !== this.#unnamed) this.#tenants.delete(tenant.name);
  }

  /** Gives up a session's slot, and the global one too if nobody else who is still there presented what it holds. */
  #letGo(session: Session, slot: Slot, lentToo: boolean): void {
    const { tenant } = session;
    const { identity, provider } = slot;
    const global = lentToo ? tenant.globals.get(provider) : undefined;
    // Not only the session's own: what was presented last may stand in the global slot alone, where another dead one had made room for it.
    if (global !== undefined && (global.by === session || isGone(global.by)) && !isPresented(tenant, global.identity)) {
      tenant.globals.delete(provider);
      this.#identities.release(global.identity, true);
      this.#told.unlent(tenant, provider);
    }
    this.#identities.release(identity, true);
  }
}
