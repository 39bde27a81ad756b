import type { Identity } from '../ledger/verdicts.js';
import type { Name, StoredRecord } from './carrier.js';
import type { Names } from './names.js';
import { SUCCESSOR_PREFIX } from './registers.js';

/** An identity of this process's, and what its record in the store is known to say. */
export class Tracked {
  readonly identity: Identity;
  readonly name: Name;
  readonly stored = new Map<string, string>();
  /** Of those the ones that say what has come of it, by the names of tenants. */
  readonly successions = new Map<Name, string>();
  /** What is not known here of which it says something. */
  readonly waits = new Set<Name>();
  version = 0;

  constructor(identity: Identity, name: Name) {
    this.identity = identity;
    this.name = name;
  }

  read({ version, fields }: StoredRecord): void {
    this.lose();
    this.version = version;
    for (const [field, text] of Object.entries(fields)) {
      this.stored.set(field, text);
      if (field.startsWith(SUCCESSOR_PREFIX)) this.successions.set(field.slice(SUCCESSOR_PREFIX.length), text);
    }
  }

  /** The store has it no more. */
  lose(): void {
    this.version = 0;
    this.stored.clear();
    this.successions.clear();
  }
}

/** The identities that this process knows, by the names that the store knows them by: as many as its ledger has room for. */
export class Tracking {
  readonly #names: Names;
  readonly #byIdentity = new Map<Identity, Tracked>();
  readonly #byName = new Map<Name, Tracked>();
  /** By a scope or tenant that nobody here has asked about: identities of which the store says something for it. */
  readonly #waiting = new Map<Name, Set<Tracked>>();

  constructor(names: Names) {
    this.#names = names;
  }

  of(identity: Identity): Tracked {
    let tracked = this.#byIdentity.get(identity);
    if (tracked === undefined) {
      const name = this.#names.identity(identity.provider, identity.fingerprint);
      tracked = new Tracked(identity, name);
      this.#byIdentity.set(identity, tracked);
      this.#byName.set(name, tracked);
    }
    return tracked;
  }

  find(name: Name): Tracked | undefined {
    return this.#byName.get(name);
  }

  forget(identity: Identity): void {
    const tracked = this.#byIdentity.get(identity);
    if (tracked === undefined) return;
    this.#byIdentity.delete(identity);
    this.#byName.delete(tracked.name);
    for (const concern of tracked.waits) {
      const waiting = this.#waiting.get(concern);
      if (waiting?.delete(tracked) && waiting.size === 0) this.#waiting.delete(concern);
    }
  }

  /** The record says something for a scope or tenant that is not known here by this name. */
  wait(concern: Name, tracked: Tracked): void {
    const waiting = this.#waiting.get(concern) ?? new Set();
    this.#waiting.set(concern, waiting.add(tracked));
    tracked.waits.add(concern);
  }

  /** Those of which the store says something for one that is known from now on. */
  named(concern: Name): Iterable<Tracked> {
    const waiting = this.#waiting.get(concern) ?? [];
    this.#waiting.delete(concern);
    for (const tracked of waiting) tracked.waits.delete(concern);
    return waiting;
  }

  all(): Iterable<Tracked> {
    return this.#byIdentity.values();
  }
}
