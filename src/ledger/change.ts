import type { Credential } from '../credential/credential.js';
import type { WorkScope } from './scope-key.js';

/** A slot points at another credential now: told before what comes of it. */
export type OnInstalled = (scope: WorkScope, credential: Credential, usable: boolean) => void;

/** Why scopes may be able to work again, now or when a hold ends (`held`), or are gone (`evicted`), or have lost what they could borrow (`unlent`). */
type ChangeCause = 'captured' | 'pinned' | 'proven' | 'forgiven' | 'held' | 'evicted' | 'unlent';

/** What has changed in the ledger, and whose work it can concern. */
export interface Change {
  readonly cause: ChangeCause;
  /** `any` where the change is one of an identity, which several tenants may hold. */
  readonly tenant: string | undefined | typeof ANY;
  /** `any` where a session or tenant is gone. */
  readonly provider: string | undefined | typeof ANY;
  /** The session whose own slot changed, where the global one did not; `any` for everybody. */
  readonly session: string | undefined | typeof ANY;
}

export const ANY: unique symbol = Symbol('any');

export type Concerned = Pick<WorkScope, 'tenant' | 'provider' | 'session'>;

interface Realm<T> {
  readonly all: Set<T>;
  readonly sessions: Map<string | undefined, Set<T>>;
}

/** Who waits under which tenant and provider, so that a change looks only at those it can concern. Iterates in the order of arrival. */
export class Watchlist<T extends { readonly scope: Concerned }> {
  readonly #realms = new Map<string | undefined, Map<string | undefined, Realm<T>>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(entry: T): void {
    const { tenant, provider, session } = entry.scope;
    const tenants = entryOf(this.#realms, provider, () => new Map<string | undefined, Realm<T>>());
    const realm = entryOf(tenants, tenant, () => ({ all: new Set<T>(), sessions: new Map<string | undefined, Set<T>>() }));
    const own = entryOf(realm.sessions, session, () => new Set<T>());
    if (realm.all.has(entry)) return;
    realm.all.add(entry);
    own.add(entry);
    this.#size++;
  }

  delete(entry: T): boolean {
    const { tenant, provider, session } = entry.scope;
    const tenants = this.#realms.get(provider);
    const realm = tenants?.get(tenant);
    if (tenants === undefined || realm === undefined || !realm.all.delete(entry)) return false;
    this.#size--;
    const own = realm.sessions.get(session);
    own?.delete(entry);
    if (own?.size === 0) realm.sessions.delete(session);
    if (realm.all.size === 0) tenants.delete(tenant);
    if (tenants.size === 0) this.#realms.delete(provider);
    return true;
  }

  /** Those that a change can concern, as they stand now. */
  concernedBy(change: Change): T[] {
    if (this.#size === 0) return [];
    const found: T[] = [];
    for (const realm of this.#matching(change))
      for (const entry of change.session === ANY ? realm.all : (realm.sessions.get(change.session) ?? [])) found.push(entry);
    return found;
  }

  *[Symbol.iterator](): Iterator<T> {
    for (const tenants of this.#realms.values()) for (const realm of tenants.values()) yield* realm.all;
  }

  *#matching({ provider, tenant }: Change): Iterable<Realm<T>> {
    const byProvider = provider === ANY ? [...this.#realms.values()] : [this.#realms.get(provider)];
    for (const tenants of byProvider) {
      if (tenants === undefined) continue;
      if (tenant === ANY) yield* tenants.values();
      else {
        const realm = tenants.get(tenant);
        if (realm !== undefined) yield realm;
      }
    }
  }
}

function entryOf<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const created = create();
  map.set(key, created);
  return created;
}
