import type { Identity } from '../ledger/verdicts.js';
import type { Name } from './carrier.js';
import type { Names } from './names.js';

/** An identity of this process's, and what its record in the store is known to say. */
export interface Tracked {
  readonly identity: Identity;
  readonly name: Name;
  readonly stored: Map<string, string>;
  version: number;
}

/** The identities that this process knows, by the names that the store knows them by: as many as its ledger has room for. */
export class Tracking {
  readonly #names: Names;
  readonly #byIdentity = new Map<Identity, Tracked>();
  readonly #byName = new Map<Name, Tracked>();

  constructor(names: Names) {
    this.#names = names;
  }

  of(identity: Identity): Tracked {
    let tracked = this.#byIdentity.get(identity);
    if (tracked === undefined) {
      const name = this.#names.identity(identity.provider, identity.fingerprint);
      tracked = { identity, name, stored: new Map(), version: 0 };
      this.#byIdentity.set(identity, tracked);
      this.#byName.set(name, tracked);
    }
    return tracked;
  }

  named(name: Name): Tracked | undefined {
    return this.#byName.get(name);
  }

  forget(identity: Identity): void {
    const tracked = this.#byIdentity.get(identity);
    if (tracked === undefined) return;
    this.#byIdentity.delete(identity);
    this.#byName.delete(tracked.name);
  }

  all(): Iterable<Tracked> {
    return this.#byIdentity.values();
  }
}
