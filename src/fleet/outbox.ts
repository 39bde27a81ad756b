import { ANY } from '../ledger/change.js';
import type { Journal } from '../ledger/journal.js';
import type { Ledger } from '../ledger/ledger.js';
import type { WorkScope } from '../ledger/scope-key.js';
import type { Identity } from '../ledger/verdicts.js';
import type { Answer, Carrier, Name, Refusal, StoreChange } from './carrier.js';
import { ChangeWriter, type Evicted, type Pinned } from './change-writer.js';
import type { FollowedTenant, Following } from './following.js';
import { HybridClock } from './hybrid-clock.js';
import type { Names } from './names.js';
import { type Batch, evictionKey, Pending } from './pending.js';
import { Presentations } from './presentations.js';
import { isHintNews } from './registers.js';
import { Releases } from './releases.js';
import { Removed } from './removed.js';
import type { Seals } from './seals.js';
import type { Tracked, Tracking } from './tracking.js';
import type { Wall } from './wall.js';

/** In one script: enough for a storm, little enough for the store to stay responsive. */
const MOST_CHANGES = 200;
/** A session that goes on presenting the same credential prolongs its record so many times in its life. */
const RENEWALS = 8;

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
  /** The number of the last message up to which all are known: a store that has not got so far has lost some. */
  readonly heard: () => number;
  readonly onAnswer: (answer: Answer) => void;
  /** Some of it has been told. */
  readonly onSent: () => void;
  readonly onRefused: (refusal: Refusal) => void;
  readonly onFailed: (error: unknown) => void;
}

/** What the store has not been told yet. Only which things have changed is kept, not how: what is sent is how they stand then. */
export class Outbox implements Journal {
  readonly #options: OutboxOptions;
  #ledger: Ledger | undefined;
  readonly #pending: Pending;
  readonly #writer: ChangeWriter;
  /** What was taken away, for a store that has lost it: others may still have it. */
  readonly #evicted: Removed<Evicted>;
  readonly #unpinned: Removed<Pinned>;
  readonly presentations: Presentations;
  readonly #releases: Releases;
  /** When the pins were last told, by the store's clock. */
  #pinsSentAt = 0;
  #flushing: Promise<void> | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#pending = new Pending(options.names);
    this.#releases = new Releases(options.carrier, this.#pending);
    this.presentations = new Presentations({
      ...options,
      pending: this.#pending,
      renewMs: options.idleMs / RENEWALS,
      ledger: () => this.#ledger,
      onPending: () => this.#soon(),
    });
    const onForgotten = (key: string): void => this.#pending.dropRemoved(key);
    this.#evicted = new Removed(onForgotten);
    this.#unpinned = new Removed(onForgotten);
    this.#writer = new ChangeWriter({ ...options, scopes: options.following, ledger: () => this.#ledger });
  }

  start(ledger: Ledger): void {
    this.#ledger = ledger;
  }

  presented(scope: WorkScope, identity: Identity, at: number, placed: boolean): void {
    const tracked = this.#options.tracking.of(identity);
    if (isHintNews(tracked)) this.noteAhead(tracked);
    this.presentations.presented(scope, identity, at, placed);
  }

  succeeded(scope: WorkScope, identity: Identity, from: Identity): void {
    this.presentations.succeeded(scope, identity, from);
  }

  proven(identity: Identity): void {
    this.#pending.proven(identity);
  }

  learnt(identity: Identity): void {
    this.noteAhead(this.#options.tracking.of(identity));
  }

  pinned({ tenant, provider, purpose }: Pick<WorkScope, 'tenant' | 'provider' | 'purpose'>, at: number): void {
    const owner = this.#options.following.tenantOf(tenant);
    const key = this.#pending.pinKey(owner, provider, purpose);
    const pinned = { owner, provider, purpose, at };
    this.#pending.pinned(pinned);
    if (this.#ledger?.adoption.pin(tenant, provider, purpose) === undefined) this.#unpinned.remember(key, pinned);
    else this.#unpinned.forget(key);
    this.#soon();
  }

  evicted(tenant: string | undefined, session: string | undefined | typeof ANY, at: number): void {
    const { names } = this.#options;
    const owner = names.tenant(tenant);
    const name = session === ANY ? undefined : names.session(tenant, session);
    const evicted = { tenant: owner, session: name, at };
    this.#pending.evicted(evicted);
    this.#evicted.remember(evictionKey(evicted), evicted);
    this.#soon();
  }

  dropped(tenant: string | undefined, session: string | undefined): void {
    const dropped = this.#options.following.drop(tenant, session);
    if (dropped !== undefined) this.#pending.dropSession(dropped);
  }

  forgotten(identity: Identity): void {
    this.#pending.forget(identity);
    this.#options.tracking.forget(identity);
  }

  /** Looks whether more is known of an identity than the store says; what others need at once is sent at once. */
  noteAhead(tracked: Tracked): void {
    const { changes, urgent } = this.#writer.learn(tracked);
    if (changes.length === 0) return;
    if (!urgent) {
      this.#pending.proven(tracked.identity);
      return;
    }
    this.#pending.learnt(tracked.identity);
    this.#soon();
  }

  release(lock: Name, owner: string, note: string): void {
    this.#pending.hasten();
    this.#releases.add(lock, owner, note);
    this.#soon();
  }

  /** What has not been told yet: the store's word on it is not the last. */
  get pending(): Pick<Pending, 'isSlotPending' | 'isGlobalPending' | 'isPinPending'> {
    return this.#pending;
  }

  /** The clock that numbered what is to be told was wrong: nothing is numbered above `greatest`. */
  restamp(greatest: number): void {
    this.#pending.restamp(greatest);
    this.#evicted.restamp(greatest);
    this.#unpinned.restamp(greatest);
  }

  /** Everything that this process knows, for a store that has lost it. */
  noteAll(ledger: Ledger): void {
    for (const identity of ledger.identities()) {
      const tracked = this.#options.tracking.of(identity);
      tracked.lose();
      if (this.#writer.learn(tracked).changes.length > 0) this.#pending.learnt(identity);
    }
    for (const tenant of ledger.tenants()) this.presentations.noteTenant(tenant);
    for (const evicted of this.#evicted) this.#pending.evicted(evicted);
    for (const unpinned of this.#unpinned) this.#pending.pinned(unpinned);
    for (const pin of ledger.pins()) this.pinned(pin, pin.at);
    this.#soon();
  }

  /** The same for a tenant: its eviction, what its sessions hold, and its pins. */
  noteTenant(owner: FollowedTenant): void {
    const { evictedAt, ref } = owner;
    if (evictedAt > 0) this.#pending.evicted({ tenant: ref.name, session: undefined, at: evictedAt });
    for (const session of owner.sessions) this.presentations.noteSession(session);
    for (const pin of this.#ledger?.pins() ?? []) if (pin.tenant === owner.tenant) this.pinned(pin, pin.at);
  }

  /** Sends what could have waited, too. Resolves when nothing is left that can be sent now; never rejects. */
  async sendAll(): Promise<void> {
    this.#pending.hasten();
    this.#renewPins();
    this.#soon();
    while (this.#flushing !== undefined) await this.#flushing;
  }

  /** Nobody presents a pin again and again: whoever has it keeps it from expiring. */
  #renewPins(): void {
    const now = this.#options.wall.now();
    if (this.#ledger === undefined || now - this.#pinsSentAt < this.#options.idleMs / RENEWALS) return;
    this.#pinsSentAt = now;
    for (const pin of this.#ledger.pins()) this.pinned(pin, pin.at);
  }

  get #isIdle(): boolean {
    return this.#pending.isEmpty && this.#releases.isEmpty;
  }

  #soon(): void {
    if (this.#flushing !== undefined || this.#isIdle || this.#options.epoch() === undefined) return;
    this.#flushing = Promise.resolve()
      .then(() => this.#flush())
      .catch((error: unknown) => this.#options.onFailed(error))
      .finally(() => {
        this.#flushing = undefined;
        this.#soon();
      });
  }

  async #flush(): Promise<void> {
    const { carrier, wall, onAnswer, onRefused, onSent } = this.#options;
    for (let epoch = this.#options.epoch(); epoch !== undefined && !this.#isIdle; epoch = this.#options.epoch()) {
      const batch = this.#pending.take(MOST_CHANGES);
      let answer: Answer | Refusal | undefined;
      try {
        const changes = this.#write(batch);
        if (changes.length > 0)
          answer = await carrier.push(epoch, changes, wall.now(), HybridClock.stamp(wall.numbers.last), this.#options.heard());
      } catch (error) {
        this.#pending.putBack(batch);
        this.#releases.putOff();
        throw error;
      }
      if (answer !== undefined && 'refused' in answer) {
        this.#pending.putBack(batch);
        this.#releases.putOff();
        onRefused(answer);
        return;
      }
      this.#pending.sent();
      if (answer !== undefined) onAnswer(answer);
      onSent();
      await this.#releases.send();
    }
  }

  /** Verdicts first, so that the store decides the slots with what this process knows. */
  #write({ learnt, evicted, presented, pinned }: Batch): StoreChange[] {
    const { tracking } = this.#options;
    return [
      ...learnt.flatMap((identity) => this.#writer.learn(tracking.of(identity)).changes),
      ...evicted.map((one) => this.#writer.evict(one)),
      ...[...presented.values()].flatMap((one) => this.#writer.present(one) ?? []),
      ...[...pinned.values()].flatMap((one) => this.#writer.pin(one) ?? []),
    ];
  }
}
