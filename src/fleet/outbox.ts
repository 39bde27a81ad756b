import { ANY } from '../ledger/change.js';
import type { Journal } from '../ledger/journal.js';
import type { Ledger } from '../ledger/ledger.js';
import type { WorkScope } from '../ledger/scope-key.js';
import type { Identity } from '../ledger/verdicts.js';
import type { Answer, Carrier, Name, Refusal, StoreChange } from './carrier.js';
import type { FollowedSession, FollowedTenant, Following } from './following.js';
import { HybridClock } from './hybrid-clock.js';
import type { Names } from './names.js';
import { isAcceptance, isScoped, registersOf } from './registers.js';
import type { Seals } from './seals.js';
import { pinText } from './slot-text.js';
import type { Tracked, Tracking } from './tracking.js';
import type { Wall } from './wall.js';

/** In one script: enough for a storm, little enough for the store to stay responsive. */
const MOST_CHANGES = 200;
/** Evictions of what this process does not know, asked for while the store was down. */
const MOST_EVICTIONS = 10_000;
/** A session that goes on presenting the same credential prolongs its record so many times in its life. */
const RENEWALS = 8;

interface Presented {
  readonly session: FollowedSession;
  readonly provider: string | undefined;
  readonly identity: Identity;
  readonly at: number;
  /** By the store's clock. */
  readonly captured: number;
}

interface Pinned {
  readonly owner: FollowedTenant;
  readonly provider: string | undefined;
  readonly purpose: string | undefined;
  readonly at: number;
}

interface Evicted {
  readonly tenant: Name;
  readonly session: Name | undefined;
  readonly at: number;
}

/** A lock that is given back once what its owner learnt has been sent. */
interface Release {
  readonly lock: Name;
  readonly owner: string;
  readonly note: string;
}

interface Batch {
  readonly changes: StoreChange[];
  readonly learnt: Identity[];
  readonly presented: Map<string, Presented>;
  readonly pinned: Map<string, Pinned>;
  readonly evicted: Evicted[];
}

export interface OutboxOptions {
  readonly carrier: Carrier;
  readonly names: Names;
  readonly seals: Seals;
  readonly following: Following;
  readonly tracking: Tracking;
  readonly wall: Wall;
  readonly idleMs: number;
  /** The epoch to send to; undefined while the store is down. */
  readonly epoch: () => string | undefined;
  readonly onAnswer: (answer: Answer) => void;
  readonly onRefused: (refusal: Refusal) => void;
  readonly onFailed: (error: unknown) => void;
}

/** What the store has not been told yet. Only which things have changed is kept, not how: what is sent is how they stand then. */
export class Outbox implements Journal {
  readonly #options: OutboxOptions;
  #ledger: Ledger | undefined;
  readonly #learnt = new Set<Identity>();
  /** One more success of what was known to work: it can wait, unless somebody else says otherwise. */
  readonly #proven = new Set<Identity>();
  #presented = new Map<string, Presented>();
  #pinned = new Map<string, Pinned>();
  #evicted = new Map<string, Evicted>();
  #releases: Release[] = [];
  /** On its way. */
  #sending: { presented: Map<string, Presented>; pinned: Map<string, Pinned> } | undefined;
  #flushing: Promise<void> | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  start(ledger: Ledger): void {
    this.#ledger = ledger;
  }

  presented({ tenant, session, provider }: WorkScope, identity: Identity, at: number, placed: boolean): void {
    const { following, tracking, wall, idleMs } = this.#options;
    const followed = following.follow({ tenant, session, purpose: undefined });
    tracking.of(identity);
    const now = wall.now();
    if (!placed) {
      const slot = this.#ledger?.adoption.find(tenant, session)?.slot(provider);
      // Presented again: what the store has is right, but it must not grow too old.
      if (slot?.identity !== identity || now - (followed.sentAt.get(provider) ?? 0) < idleMs / RENEWALS) return;
    }
    this.#present({ session: followed, provider, identity, at, captured: now });
  }

  learnt(identity: Identity): void {
    this.noteAhead(this.#options.tracking.of(identity));
  }

  pinned({ tenant, provider, purpose }: Pick<WorkScope, 'tenant' | 'provider' | 'purpose'>, at: number): void {
    const owner = this.#options.following.tenantOf(tenant);
    this.#pinned.set(this.#pinKey(owner, provider, purpose), { owner, provider, purpose, at });
    this.#soon();
  }

  evicted(tenant: string | undefined, session: string | undefined | typeof ANY, at: number): void {
    const { names } = this.#options;
    const owner = names.tenant(tenant);
    const name = session === ANY ? undefined : names.session(tenant, session);
    this.#evicted.set(`${owner}/${name}`, { tenant: owner, session: name, at });
    for (const key of this.#evicted.keys()) {
      if (this.#evicted.size <= MOST_EVICTIONS) break;
      this.#evicted.delete(key);
    }
    this.#soon();
  }

  dropped(tenant: string | undefined, session: string | undefined): void {
    this.#options.following.drop(tenant, session);
  }

  forgotten(identity: Identity): void {
    this.#learnt.delete(identity);
    this.#proven.delete(identity);
    this.#options.tracking.forget(identity);
  }

  /** The slot holds something newer than what the store says. */
  presentAgain(session: FollowedSession, provider: string | undefined, identity: Identity, at: number): void {
    this.#present({ session, provider, identity, at, captured: this.#options.wall.now() });
  }

  /** Looks whether more is known of an identity than the store says; what others need at once is sent at once. */
  noteAhead(tracked: Tracked): void {
    const { changes, urgent } = this.#difference(tracked);
    if (changes.length === 0) return;
    if (!urgent) {
      this.#proven.add(tracked.identity);
      return;
    }
    this.#learnt.add(tracked.identity);
    this.#soon();
  }

  release(lock: Name, owner: string, note: string): void {
    this.#releases.push({ lock, owner, note });
    void this.sendAll();
  }

  isSlotPending(session: FollowedSession, provider: string | undefined): boolean {
    const key = this.#slotKey(session.ref.name, provider);
    return this.#presented.has(key) || this.#sending?.presented.has(key) === true;
  }

  /** Whether a presentation is on its way that may fill this tenant's global slot. */
  isGlobalPending(owner: FollowedTenant, provider: string | undefined): boolean {
    for (const entries of [this.#presented, this.#sending?.presented]) {
      for (const entry of entries?.values() ?? []) if (entry.session.owner === owner && entry.provider === provider) return true;
    }
    return false;
  }

  isPinPending(owner: FollowedTenant, provider: string | undefined, purpose: string | undefined): boolean {
    const key = this.#pinKey(owner, provider, purpose);
    return this.#pinned.has(key) || this.#sending?.pinned.has(key) === true;
  }

  /** Everything that this process knows, for a store that has lost it. */
  noteAll(ledger: Ledger): void {
    const { following, tracking } = this.#options;
    for (const identity of ledger.identities()) {
      const tracked = tracking.of(identity);
      tracked.stored.clear();
      tracked.version = 0;
      if (this.#difference(tracked).changes.length > 0) this.#learnt.add(identity);
    }
    for (const tenant of ledger.tenants()) {
      for (const session of tenant.sessions.values())
        this.noteSession(following.follow({ tenant: tenant.name, session: session.name, purpose: undefined }));
    }
    for (const pin of ledger.pins()) this.pinned(pin, pin.at);
    this.#soon();
  }

  /** The same for a tenant: what its sessions hold, and its pins. */
  noteTenant(owner: FollowedTenant): void {
    for (const session of owner.sessions) this.noteSession(session);
    for (const pin of this.#ledger?.pins() ?? []) if (pin.tenant === owner.tenant) this.pinned(pin, pin.at);
  }

  /** What a session holds, for a store that has lost its record. */
  noteSession(followed: FollowedSession): void {
    const adoption = this.#ledger?.adoption;
    const session = adoption?.find(followed.owner.tenant, followed.session);
    if (adoption === undefined || session === undefined) return;
    const captured = this.#options.wall.toStore(adoption.capturedAt(session));
    for (const { provider, identity, at } of session.allSlots()) this.#present({ session: followed, provider, identity, at, captured });
  }

  /** Sends what could have waited, too. Resolves when nothing is left that can be sent now; never rejects. */
  async sendAll(): Promise<void> {
    for (const identity of this.#proven) this.#learnt.add(identity);
    this.#proven.clear();
    this.#soon();
    while (this.#flushing !== undefined) await this.#flushing;
  }

  #present(presented: Presented): void {
    this.#keep(presented);
    this.#soon();
  }

  #keep(presented: Presented): void {
    const key = this.#slotKey(presented.session.ref.name, presented.provider);
    const waiting = this.#presented.get(key);
    if (waiting !== undefined && waiting.at > presented.at) return;
    this.#presented.set(key, presented);
    presented.session.sentAt.set(presented.provider, presented.captured);
  }

  #soon(): void {
    if (this.#flushing !== undefined || this.#isEmpty || this.#options.epoch() === undefined) return;
    this.#flushing = Promise.resolve()
      .then(() => this.#flush())
      .finally(() => {
        this.#flushing = undefined;
        this.#soon();
      });
  }

  get #isEmpty(): boolean {
    return this.#learnt.size + this.#presented.size + this.#pinned.size + this.#evicted.size + this.#releases.length === 0;
  }

  async #flush(): Promise<void> {
    const { carrier, wall, onAnswer, onRefused, onFailed } = this.#options;
    for (let epoch = this.#options.epoch(); epoch !== undefined && !this.#isEmpty; epoch = this.#options.epoch()) {
      const releases = this.#releases;
      this.#releases = [];
      const batch = this.#take();
      try {
        if (batch.changes.length > 0) {
          const answer = await carrier.push(epoch, batch.changes, wall.now(), HybridClock.stamp(wall.numbers.last));
          this.#sending = undefined;
          if ('refused' in answer) {
            this.#putBack(batch);
            onRefused(answer);
            return;
          }
          onAnswer(answer);
        }
        this.#sending = undefined;
        for (const { lock, owner, note } of releases) await carrier.unlock(lock, owner, note);
      } catch (error) {
        this.#sending = undefined;
        this.#putBack(batch);
        onFailed(error);
        return;
      }
    }
  }

  /** Verdicts first, so that the store decides the slots with what this process knows. */
  #take(): Batch {
    const { tracking } = this.#options;
    const changes: StoreChange[] = [];
    const learnt = first(this.#learnt, MOST_CHANGES);
    for (const identity of learnt) {
      this.#learnt.delete(identity);
      changes.push(...this.#difference(tracking.of(identity)).changes);
    }
    const evicted = [...this.#evicted.values()].slice(0, MOST_CHANGES);
    for (const one of evicted) {
      this.#evicted.delete(`${one.tenant}/${one.session}`);
      const at = HybridClock.stamp(one.at);
      const { tenant, session } = one;
      changes.push(session === undefined ? { kind: 'evict-tenant', tenant, at } : { kind: 'evict', tenant, session, at });
    }
    const presented = new Map(first(this.#presented, MOST_CHANGES));
    for (const [key, one] of presented) {
      this.#presented.delete(key);
      const change = this.#presentation(one);
      if (change !== undefined) changes.push(change);
    }
    const pinned = this.#pinned;
    this.#pinned = new Map();
    for (const one of pinned.values()) {
      const change = this.#pinning(one);
      if (change !== undefined) changes.push(change);
    }
    this.#sending = { presented, pinned };
    return { changes, learnt, presented, pinned, evicted };
  }

  #putBack(batch: Batch): void {
    for (const identity of batch.learnt) if (identity.known) this.#learnt.add(identity);
    for (const one of batch.evicted) {
      const key = `${one.tenant}/${one.session}`;
      if ((this.#evicted.get(key)?.at ?? 0) < one.at) this.#evicted.set(key, one);
    }
    for (const one of batch.presented.values()) this.#keep(one);
    for (const [key, one] of batch.pinned) if (!this.#pinned.has(key)) this.#pinned.set(key, one);
  }

  #difference(tracked: Tracked): { changes: StoreChange[]; urgent: boolean } {
    const { following, wall } = this.#options;
    const { identity, name, stored } = tracked;
    const fields: Record<string, string> = {};
    let urgent = false;
    let any = false;
    for (const [field, text] of registersOf(identity, following, wall)) {
      const known = stored.get(field);
      if (known !== undefined && text <= known) continue;
      // That work of one scope succeeded is of interest only to those who heard that it was turned away.
      if (isScoped(field) && isAcceptance(text) && (known === undefined || isAcceptance(known))) continue;
      fields[field] = text;
      any = true;
      if (!(field === 'r' && isAcceptance(text) && isAcceptance(known))) urgent = true;
    }
    return { changes: any ? [{ kind: 'learn', identity: name, fields }] : [], urgent };
  }

  #presentation({ session, provider, identity, at, captured }: Presented): StoreChange | undefined {
    const { names, seals, tracking } = this.#options;
    const { credential } = identity;
    // Displaced meanwhile: what took its place is told itself.
    if (credential === undefined) return undefined;
    const field = names.provider(provider);
    const [own, owner] = [session.ref.name, session.owner.ref.name];
    return {
      kind: 'present',
      tenant: owner,
      session: own,
      provider: field,
      identity: tracking.of(identity).name,
      at: HybridClock.stamp(at),
      captured: Math.max(0, Math.round(captured)),
      own: seals.credential(credential, provider, own, field),
      lent: seals.credential(credential, provider, owner, field),
    };
  }

  #pinning({ owner, provider, purpose, at }: Pinned): StoreChange | undefined {
    const { names, seals, tracking } = this.#options;
    const pin = this.#ledger?.adoption.pin(owner.tenant, provider, purpose);
    if (pin !== undefined && pin.at !== at) return undefined;
    const [tenant, name] = [owner.ref.name, names.pin(provider, purpose)];
    const value =
      pin?.identity.credential === undefined
        ? pinText(at, undefined)
        : pinText(at, {
            identity: tracking.of(pin.identity).name,
            credential: seals.credential(pin.identity.credential, provider, tenant, name),
            place: seals.pinPlace({ provider, purpose }, tenant, name),
          });
    return { kind: 'pin', tenant, field: `x.${name}`, value };
  }

  #slotKey(session: Name, provider: string | undefined): string {
    return `${session}/${provider === undefined ? '' : `=${provider}`}`;
  }

  #pinKey(owner: FollowedTenant, provider: string | undefined, purpose: string | undefined): string {
    return `${owner.ref.name}/${this.#options.names.pin(provider, purpose)}`;
  }
}

function first<T>(all: Iterable<T>, most: number): T[] {
  const some: T[] = [];
  for (const one of all) {
    if (some.length >= most) break;
    some.push(one);
  }
  return some;
}
