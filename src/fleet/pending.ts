import type { Identity } from '../ledger/verdicts.js';
import type { Evicted, Pinned, Presented } from './change-writer.js';
import type { FollowedSession, FollowedTenant } from './following.js';
import type { Names } from './names.js';

/** What is sent at once. */
export interface Batch {
  readonly learnt: readonly Identity[];
  readonly evicted: readonly Evicted[];
  readonly presented: ReadonlyMap<string, Presented>;
  readonly pinned: ReadonlyMap<string, Pinned>;
}

/** Which things have changed and are to be told: each once, however often it changed. */
export class Pending {
  readonly #names: Names;
  /** In the order in which they came, each with its number in it. */
  readonly #learnt = new Map<Identity, number>();
  #lastLearnt = 0;
  /** One more success of what was known to work: it can wait, unless somebody else says otherwise. */
  readonly #proven = new Set<Identity>();
  readonly #presented = new Map<string, Presented>();
  readonly #pinned = new Map<string, Pinned>();
  readonly #evicted = new Map<string, Evicted>();
  /** On its way. */
  #sending: Batch | undefined;

  constructor(names: Names) {
    this.#names = names;
  }

  get isEmpty(): boolean {
    return this.#learnt.size + this.#presented.size + this.#pinned.size + this.#evicted.size === 0;
  }

  learnt(identity: Identity): void {
    if (!this.#learnt.has(identity)) this.#learnt.set(identity, ++this.#lastLearnt);
  }

  /** The number of the verdict that came last. */
  get lastLearnt(): number {
    return this.#lastLearnt;
  }

  /** Whether one that came so early has not been told yet. */
  hasLearnt(number: number): boolean {
    for (const oldest of this.#learnt.values()) return oldest <= number;
    return false;
  }

  proven(identity: Identity): void {
    this.#proven.add(identity);
  }

  /** What could have waited waits no longer. */
  hasten(): void {
    for (const identity of this.#proven) this.learnt(identity);
    this.#proven.clear();
  }

  forget(identity: Identity): void {
    this.#learnt.delete(identity);
    this.#proven.delete(identity);
  }

  /** A session has left the ledger, and what it presented with it. */
  dropSession(session: FollowedSession): void {
    for (const provider of session.sent.keys()) this.dropSlot(session, provider);
  }

  dropSlot(session: FollowedSession, provider: string | undefined): void {
    this.#presented.delete(slotKey(session, provider));
  }

  /** What was taken away so long ago is not told any more. */
  dropRemoved(key: string): void {
    this.#evicted.delete(key);
    this.#pinned.delete(key);
  }

  presented(presented: Presented): void {
    const key = slotKey(presented.session, presented.provider);
    const waiting = this.#presented.get(key);
    const newer = waiting === undefined || waiting.at <= presented.at ? presented : waiting;
    // What it is to take the place of is what the store has, if it has been told of that.
    const instead =
      waiting === undefined ? presented.instead : presented.instead && waiting.instead && (newer === waiting ? presented : waiting).instead;
    this.#presented.set(key, newer.instead === instead ? newer : { ...newer, instead });
  }

  pinned(pinned: Pinned): void {
    this.#pinned.set(this.pinKey(pinned.owner, pinned.provider, pinned.purpose), pinned);
  }

  evicted(evicted: Evicted): void {
    const key = evictionKey(evicted);
    if ((this.#evicted.get(key)?.at ?? 0) < evicted.at) this.#evicted.set(key, evicted);
  }

  isSlotPending(session: FollowedSession, provider: string | undefined): boolean {
    const key = slotKey(session, provider);
    return this.#presented.has(key) || this.#sending?.presented.has(key) === true;
  }

  /** Whether a presentation is to be told that may fill this tenant's global slot. */
  isGlobalPending(owner: FollowedTenant, provider: string | undefined): boolean {
    for (const entries of [this.#presented, this.#sending?.presented]) {
      for (const entry of entries?.values() ?? []) if (entry.session.owner === owner && entry.provider === provider) return true;
    }
    return false;
  }

  isPinPending(owner: FollowedTenant, provider: string | undefined, purpose: string | undefined): boolean {
    const key = this.pinKey(owner, provider, purpose);
    return this.#pinned.has(key) || this.#sending?.pinned.has(key) === true;
  }

  /** Takes some of it out, to be sent; until `sent` or `putBack` it counts as pending still. */
  take(most: number): Batch {
    const batch = {
      learnt: drawnFrom(this.#learnt, most).map(([identity]) => identity),
      evicted: drawnFrom(this.#evicted, most).map(([, one]) => one),
      presented: new Map(drawnFrom(this.#presented, most)),
      pinned: new Map(drawnFrom(this.#pinned, most)),
    };
    this.#sending = batch;
    return batch;
  }

  /** The store has it. */
  sent(): void {
    this.#sending = undefined;
  }

  /** The store does not have it, as far as is known. What has changed again since stands. */
  putBack(batch: Batch): void {
    this.#sending = undefined;
    for (const identity of batch.learnt) if (identity.known) this.learnt(identity);
    for (const one of batch.evicted) this.evicted(one);
    for (const one of batch.presented.values()) this.presented(one);
    for (const [key, one] of batch.pinned) if (!this.#pinned.has(key)) this.#pinned.set(key, one);
  }

  /** The clock that numbered them was wrong: nothing is numbered above `greatest`. */
  restamp(greatest: number): void {
    restampAll(this.#presented, greatest);
    restampAll(this.#pinned, greatest);
    restampAll(this.#evicted, greatest);
  }

  pinKey(owner: FollowedTenant, provider: string | undefined, purpose: string | undefined): string {
    return `${owner.ref.name}/${this.#names.pin(provider, purpose)}`;
  }
}

export function evictionKey({ tenant, session }: Evicted): string {
  return `${tenant}/${session ?? ''}`;
}

function slotKey({ ref }: FollowedSession, provider: string | undefined): string {
  return `${ref.name}/${provider === undefined ? '' : `=${provider}`}`;
}

/** None of them is numbered above `greatest`. */
export function restampAll<T extends { readonly at: number }>(entries: Map<string, T>, greatest: number): void {
  for (const [key, entry] of entries) if (entry.at > greatest) entries.set(key, { ...entry, at: greatest });
}

/** The first of them, which are there no longer. */
function drawnFrom<K, V>(map: Map<K, V>, most: number): [K, V][] {
  const some: [K, V][] = [];
  for (const entry of map) {
    if (some.length >= most) break;
    some.push(entry);
    map.delete(entry[0]);
  }
  return some;
}
