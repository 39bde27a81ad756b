import { scopeKey, type WorkScope } from '../ledger/scope-key.js';
import type { Name, RecordRef } from './carrier.js';
import type { Names } from './names.js';
import type { ScopeNames } from './registers.js';

/** A client that names its purposes freely must not fill memory through one session. */
const MOST_PURPOSES = 64;
/** Nor one that pins for ever new tenants: with more than these it is looked which are of use. */
const MANY_TENANTS = 1_000;

/** A tenant's record that this process has a copy of. */
export class FollowedTenant {
  readonly tenant: string | undefined;
  readonly ref: RecordRef;
  version = 0;
  /** Presentations numbered below this count no more. */
  evictedAt = 0;
  /** The store has been asked for it: no message says all of it. */
  loaded = false;
  /** Sessions of it that are followed. */
  readonly sessions = new Set<FollowedSession>();
  /** How many of them are in the ledger. */
  open = 0;

  constructor(tenant: string | undefined, name: Name) {
    this.tenant = tenant;
    this.ref = { kind: 'tenant', name };
  }
}

/** A session's record that this process has a copy of. */
export class FollowedSession {
  readonly owner: FollowedTenant;
  readonly session: string | undefined;
  readonly ref: RecordRef;
  version = 0;
  evictedAt = 0;
  loaded = false;
  /** Kinds of work that were asked about, by the name of their scope. */
  readonly purposes = new Map<string | undefined, Name>();
  /** Who waits for it to change: it is followed for as long, whether or not there is room for it in the ledger. */
  waiters = 0;
  /** When a presentation was last sent, by provider: milliseconds since the epoch. */
  readonly sent = new Map<string | undefined, { readonly at: number; readonly captured: number }>();

  #isOpen = false;

  constructor(owner: FollowedTenant, session: string | undefined, name: Name) {
    this.owner = owner;
    this.session = session;
    this.ref = { kind: 'session', name };
  }

  /** Its session is in the ledger. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  set isOpen(isOpen: boolean) {
    if (isOpen !== this.#isOpen) this.owner.open += isOpen ? 1 : -1;
    this.#isOpen = isOpen;
  }
}

/** The sessions and tenants that this process has to do with: as many as its ledger has room for. */
export class Following implements ScopeNames {
  readonly #names: Names;
  readonly #onNamed: (concern: Name) => void;
  readonly #sessions = new Map<string, FollowedSession>();
  readonly #sessionsByName = new Map<Name, FollowedSession>();
  readonly #tenants = new Map<string | undefined, FollowedTenant>();
  readonly #tenantsByName = new Map<Name, FollowedTenant>();
  readonly #scopes = new Map<Name, string>();
  #pins: () => Iterable<Pick<WorkScope, 'tenant'>> = () => [];
  #manyTenants = MANY_TENANTS;

  /** `onNamed`: a scope, or a tenant, is known by its name from now on. */
  constructor(names: Names, onNamed: (concern: Name) => void) {
    this.#names = names;
    this.#onNamed = onNamed;
  }

  /** A tenant that something is pinned for is of use without a session. */
  start(pins: () => Iterable<Pick<WorkScope, 'tenant'>>): void {
    this.#pins = pins;
  }

  find(tenant: string | undefined, session: string | undefined): FollowedSession | undefined {
    return this.#sessions.get(scopeKey(tenant, session));
  }

  session(name: Name): FollowedSession | undefined {
    return this.#sessionsByName.get(name);
  }

  /** Another process's session, which only what it lent is known of. */
  static stranger(owner: FollowedTenant, name: Name): FollowedSession {
    return new FollowedSession(owner, undefined, name);
  }

  tenant(name: Name): FollowedTenant | undefined {
    return this.#tenantsByName.get(name);
  }

  nameOfTenant(tenant: string | undefined): Name {
    return this.#tenants.get(tenant)?.ref.name ?? this.#names.tenant(tenant);
  }

  tenantOf(tenant: string | undefined): FollowedTenant {
    let found = this.#tenants.get(tenant);
    if (found === undefined) {
      if (this.#tenants.size >= this.#manyTenants) this.#forgetTenants();
      found = new FollowedTenant(tenant, this.#names.tenant(tenant));
      this.#tenants.set(tenant, found);
      this.#tenantsByName.set(found.ref.name, found);
      this.#onNamed(found.ref.name);
    }
    return found;
  }

  /** Its session is in the ledger. */
  follow(scope: Pick<WorkScope, 'tenant' | 'session' | 'purpose'>): FollowedSession {
    const found = this.#follow(scope);
    found.isOpen = true;
    return found;
  }

  #follow({ tenant, session, purpose }: Pick<WorkScope, 'tenant' | 'session' | 'purpose'>): FollowedSession {
    const key = scopeKey(tenant, session);
    let found = this.#sessions.get(key);
    if (found === undefined) {
      const owner = this.tenantOf(tenant);
      found = new FollowedSession(owner, session, this.#names.session(tenant, session));
      owner.sessions.add(found);
      this.#sessions.set(key, found);
      this.#sessionsByName.set(found.ref.name, found);
      this.#note(found, tenant, undefined);
    }
    if (!found.purposes.has(purpose)) {
      this.#note(found, tenant, purpose);
      // What is known of this kind of work has not been looked at.
      found.loaded = false;
    }
    return found;
  }

  /** Its session has left the ledger; its tenant goes with the last one. What somebody waits for is asked for again. Returns it if it was followed. */
  drop(tenant: string | undefined, session: string | undefined): FollowedSession | undefined {
    const key = scopeKey(tenant, session);
    const found = this.#sessions.get(key);
    if (found === undefined) return undefined;
    const { owner } = found;
    found.isOpen = false;
    if (found.waiters > 0) {
      found.loaded = false;
    } else {
      this.#sessions.delete(key);
      this.#sessionsByName.delete(found.ref.name);
      for (const name of found.purposes.values()) this.#scopes.delete(name);
      owner.sessions.delete(found);
    }
    if (owner.sessions.size === 0) this.#forget(owner);
    else if (owner.open === 0) owner.loaded = false;
    return found;
  }

  /** Somebody waits for a scope to be able to work. Returns how to say that this is over. */
  wait(scope: WorkScope): () => void {
    const found = this.#follow(scope);
    found.waiters++;
    let over = false;
    return () => {
      if (over) return;
      over = true;
      found.waiters--;
      if (!found.isOpen && found.waiters === 0) this.drop(scope.tenant, scope.session);
    };
  }

  isLoaded({ tenant, session, purpose }: WorkScope): boolean {
    const found = this.find(tenant, session);
    return found?.loaded === true && found.owner.loaded && found.purposes.has(purpose);
  }

  *sessions(): Iterable<FollowedSession> {
    yield* this.#sessions.values();
  }

  *tenants(): Iterable<FollowedTenant> {
    yield* this.#tenants.values();
  }

  nameOf(key: string): Name {
    return this.#names.scope(key);
  }

  keyOf(name: Name): string | undefined {
    return this.#scopes.get(name);
  }

  #forget({ tenant, ref }: FollowedTenant): void {
    this.#tenants.delete(tenant);
    this.#tenantsByName.delete(ref.name);
  }

  #forgetTenants(): void {
    const pinned = new Set<string | undefined>();
    for (const { tenant } of this.#pins()) pinned.add(tenant);
    for (const owner of this.#tenants.values()) if (owner.sessions.size === 0 && !pinned.has(owner.tenant)) this.#forget(owner);
    this.#manyTenants = Math.max(MANY_TENANTS, 2 * this.#tenants.size);
  }

  #note(followed: FollowedSession, tenant: string | undefined, purpose: string | undefined): void {
    const key = scopeKey(tenant, followed.session, purpose);
    const name = this.#names.scope(key);
    followed.purposes.set(purpose, name);
    this.#scopes.set(name, key);
    this.#onNamed(name);
    if (followed.purposes.size <= MOST_PURPOSES) return;
    for (const [oldest, oldName] of followed.purposes) {
      if (oldest === undefined) continue;
      followed.purposes.delete(oldest);
      this.#scopes.delete(oldName);
      return;
    }
  }
}
