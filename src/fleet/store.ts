import { randomInt } from 'node:crypto';
import type { Emitter } from '../events.js';
import type { Ledger } from '../ledger/ledger.js';
import { WorkScope } from '../ledger/scope-key.js';
import type { Replica, Store, StoreHost, StoreState } from '../ledger/store.js';
import type { Identity } from '../ledger/verdicts.js';
import type { Carrier, RecordRef } from './carrier.js';
import { FleetCoordinator } from './coordinator.js';
import type { Captured } from './delivery.js';
import { Following } from './following.js';
import { Inbox } from './inbox.js';
import { Link } from './link.js';
import { Loading } from './loading.js';
import { Names } from './names.js';
import { Outbox } from './outbox.js';
import { type KeyOptions, readKeys, Sealer } from './seal.js';
import { Seals } from './seals.js';
import { StoreError, type StoreErrorCode } from './store-error.js';
import { Tracking } from './tracking.js';
import { Wall } from './wall.js';

export interface FleetStoreOptions extends KeyOptions {
  readonly carrier: Carrier;
  readonly namespace: string;
  /** How often a process looks whether it has missed anything, in milliseconds. */
  readonly syncMs: number;
  /** Where this process begins to count within a millisecond. Default: drawn at random. */
  readonly process?: number | undefined;
}

/** Half of a millisecond's numbers: a process that counts from the last of these has as many left before it runs ahead of the time. */
const PROCESSES = 2_048;

/**
 * A store behind a carrier.
 * @throws {TypeError} for a key that is none.
 */
export function createFleetStore(options: FleetStoreOptions): Store {
  const { keys, fingerprintKey } = readKeys(options);
  const names = new Names(fingerprintKey, options.namespace);
  const seals = new Seals(keys.length === 0 ? undefined : new Sealer(keys));
  let attached = false;
  return {
    attach(host) {
      if (attached) throw new TypeError('createLatchkey: `store` serves another Latchkey already');
      attached = true;
      return new FleetReplica(host, options, names, seals);
    },
  };
}

/** One process's copy. */
class FleetReplica implements Replica {
  readonly coordinator: FleetCoordinator;
  readonly journal: Outbox;
  readonly #host: StoreHost;
  readonly #names: Names;
  readonly #seals: Seals;
  readonly #wall: Wall;
  readonly #following: Following;
  readonly #tracking: Tracking;
  readonly #link: Link;
  /** Told once, until the store has been away. */
  readonly #told = new Set<StoreErrorCode>();
  #ledger: Ledger | undefined;
  #inbox: Inbox | undefined;
  #loading: Loading | undefined;

  constructor(host: StoreHost, { carrier, syncMs, process = randomInt(PROCESSES) }: FleetStoreOptions, names: Names, seals: Seals) {
    this.#host = host;
    this.#names = names;
    this.#seals = seals;
    this.#wall = new Wall(host.clock, process);
    this.#following = new Following(names, (scope) => this.#inbox?.named(scope));
    this.#tracking = new Tracking(names);
    const { idleMs } = host;
    this.#link = new Link({
      carrier,
      settings: { idleMs },
      wall: this.#wall,
      syncMs,
      onRecords: (records, how) => this.#inbox?.apply(records, how),
      onFetched: (refs, records) => this.#fetched(refs, new Set(records.map((record) => record.name))),
      onReleased: (lock, note) => this.coordinator.released(lock, note),
      onReset: () => this.#reset(),
      onStepBack: (greatest) => {
        this.#ledger?.adoption.restamp(greatest);
        this.journal.restamp(greatest);
      },
      send: () => this.journal.sendAll(),
      followed: () => this.#followed(() => true),
      isFollowed: (ref) => this.#isFollowed(ref),
      unloaded: () => this.#unfetched(),
      onState: (state, error) => this.#changed(state, error),
      onSkew: (ms) => this.#tell('STORE_SKEW', `this process's clock is ${Math.round(-ms)} ms ahead of the store's`),
    });
    this.journal = new Outbox({
      carrier,
      names,
      seals,
      following: this.#following,
      tracking: this.#tracking,
      wall: this.#wall,
      idleMs,
      epoch: () => this.#link.epoch,
      heard: () => this.#link.seq,
      onAnswer: (answer) => void this.#link.heard(answer),
      onSent: () => this.#fetchSkipped(),
      onRefused: () => this.#link.refused(),
      onFailed: (error) => this.#link.failed(error),
    });
    this.coordinator = new FleetCoordinator({
      carrier,
      names,
      isUp: () => this.#link.epoch !== undefined,
      greet: () => (this.#link.state === 'up' ? this.#link.greet() : Promise.resolve()),
      release: (lock, owner, note) => this.journal.release(lock, owner, note),
      fetch: (refs) => this.#link.fetch(refs),
    });
  }

  get state(): StoreState {
    return this.#link.state;
  }

  get sequence(): Wall['numbers'] {
    return this.#wall.numbers;
  }

  start(ledger: Ledger, onVerdict: (identity: Identity) => void): void {
    const { emitter, idleMs } = this.#host;
    this.#ledger = ledger;
    this.journal.start(ledger);
    this.#inbox = new Inbox({
      ledger,
      names: this.#names,
      seals: this.#seals,
      following: this.#following,
      tracking: this.#tracking,
      outbox: this.journal,
      wall: this.#wall,
      idleMs,
      onVerdict,
      onCaptured: (captured) => announce(emitter, ledger, captured),
      onClosed: () => this.#tell('STORE_SEAL', 'a credential in the store does not open with any key of `seal`'),
    });
    this.#loading = new Loading({ ledger, following: this.#following, link: this.#link });
    this.#link.start();
  }

  ready(): Promise<void> {
    return this.#link.ready();
  }

  isLoaded(scope: WorkScope): boolean {
    return this.#following.isLoaded(scope);
  }

  async load(scopes: readonly WorkScope[]): Promise<void> {
    await this.#loading?.load(scopes);
  }

  wait(scope: WorkScope): () => void {
    return this.#following.wait(scope);
  }

  async flush(): Promise<void> {
    await this.#link.ready();
    await this.journal.sendAll();
  }

  async close(): Promise<void> {
    await this.coordinator.close();
    await this.#link.close();
  }

  #reset(): void {
    this.coordinator.reset();
    this.#inbox?.successions.reset();
    for (const session of this.#following.sessions()) session.version = 0;
    for (const tenant of this.#following.tenants()) tenant.version = 0;
    if (this.#ledger !== undefined) this.journal.noteAll(this.#ledger);
  }

  #fetched(refs: readonly RecordRef[], arrived: ReadonlySet<string>): void {
    for (const { kind, name } of refs) {
      const followed = kind === 'session' ? this.#following.session(name) : this.#following.tenant(name);
      if (followed === undefined) continue;
      followed.loaded = true;
      if (arrived.has(name)) continue;
      this.#inbox?.absent(followed);
      // The store has lost what it had, or has let it expire.
      if (followed.version === 0) continue;
      followed.version = 0;
      if ('owner' in followed) this.journal.presentations.noteSession(followed);
      else this.journal.noteTenant(followed);
    }
  }

  *#followed(isWanted: (loaded: boolean) => boolean): Iterable<RecordRef> {
    for (const tenant of this.#following.tenants()) if (isWanted(tenant.loaded)) yield tenant.ref;
    for (const session of this.#following.sessions()) if (isWanted(session.loaded)) yield session.ref;
    if (isWanted(true)) for (const { name } of this.#tracking.all()) yield { kind: 'identity', name };
  }

  *#unfetched(): Iterable<RecordRef> {
    yield* this.#followed((loaded) => !loaded);
    yield* this.#inbox?.skipped ?? [];
  }

  #fetchSkipped(): void {
    const skipped = this.#inbox?.skipped ?? [];
    if (skipped.length > 0) this.#link.fetch(skipped).catch((error: unknown) => this.#link.failed(error));
  }

  #isFollowed({ kind, name }: RecordRef): boolean {
    if (kind === 'identity') return this.#tracking.find(name) !== undefined;
    return (kind === 'session' ? this.#following.session(name) : this.#following.tenant(name)) !== undefined;
  }

  #changed(state: StoreState, error: StoreError | undefined): void {
    if (state === 'down') {
      this.#told.clear();
      this.coordinator.lost();
    } else this.coordinator.found();
    this.#host.emitter.emit('store', () => ({ state, error }));
  }

  /** An operator is to look at it; that it is so at every record is not worth a word each. */
  #tell(code: StoreErrorCode, message: string): void {
    if (this.#told.has(code)) return;
    this.#told.add(code);
    this.#host.emitter.contain('store', new StoreError(code, message));
  }
}

function announce(emitter: Emitter, ledger: Ledger, { tenant, session, purpose, identity, pinned, refreshed }: Captured): void {
  const { provider, fingerprint } = identity;
  const scope = new WorkScope(tenant, session, provider, purpose, false);
  emitter.emit('captured', () => ({
    scope: scope.parts,
    fingerprint,
    usable: ledger.isUsable(identity, scope),
    pinned,
    remote: true,
    ...(refreshed ? { refreshed } : {}),
  }));
}
