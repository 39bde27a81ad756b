import type { Emitter } from '../events.js';
import { type Change, Watchlist } from '../ledger/change.js';
import type { Ledger } from '../ledger/ledger.js';
import { type WorkScope, workKey } from '../ledger/scope-key.js';
import type { Identity } from '../ledger/verdicts.js';
import type { Status, StatusState } from '../policy/status.js';
import type { Refresher } from './refresher.js';

export interface StatusBoardOptions {
  readonly ledger: Ledger;
  readonly emitter: Emitter;
  readonly refresher: () => Refresher | undefined;
  readonly isClosed: () => boolean;
  /** How many scopes that are not ready are remembered. */
  readonly scopes: number;
}

interface Told {
  readonly key: string;
  readonly scope: WorkScope;
  state: StatusState;
}

/** How scopes stand: derived from what is known whenever somebody asks, and told when work meets that it has changed. */
export class StatusBoard {
  readonly #options: StatusBoardOptions;
  /** What was told of scopes that are not ready. */
  readonly #told = new Map<string, Told>();
  readonly #watch = new Watchlist<Told>();

  constructor(options: StatusBoardOptions) {
    this.#options = options;
  }

  of(scope: WorkScope): Status {
    const { ledger, refresher, isClosed } = this.#options;
    if (isClosed()) return { state: 'blocked', reason: 'closed', since: undefined, next: undefined };
    const choice = ledger.choose(scope);
    if (choice !== undefined) {
      const { ruling } = choice.identity;
      return { state: 'ready', reason: undefined, since: ruling.state === 'accepted' ? ruling.since : undefined, next: undefined };
    }
    const block = ledger.block(scope);
    if (block === undefined || block.reason === 'missing')
      return { state: 'missing', reason: 'missing', since: undefined, next: undefined };
    const { reason, since, until } = block;
    const refresh = refresher()?.progress(scope);
    if (refresh !== undefined) return { state: refresh.progress.phase, reason, since: refresh.progress.since, next: refresh.next };
    const next = earlier(until, refresher()?.restsUntil(scope));
    return { state: reason === 'held' ? 'held' : 'blocked', reason, since, next };
  }

  /** Work of a scope has met how it stands. */
  note(scope: WorkScope): void {
    if (!this.#options.emitter.heard('status')) return;
    const key = workKey(scope);
    let told = this.#told.get(key);
    if (told === undefined) {
      if (!this.#makeRoom(scope)) return;
      // However long one of its runs needs a credential to last.
      told = { key, scope: scope.lasting(0), state: 'ready' };
      this.#told.set(key, told);
      this.#watch.add(told);
    }
    this.#tell(told);
  }

  /** Names that clients made up, which never had a credential, make room for those that did. */
  #makeRoom(scope: WorkScope): boolean {
    if (this.#told.size < this.#options.scopes) return true;
    if (this.of(scope).state === 'missing') return false;
    for (const oldest of this.#told.values()) {
      if (oldest.state !== 'missing') continue;
      this.#forget(oldest);
      return true;
    }
    return false;
  }

  /** Work of a scope was accepted: what ended by itself is over. */
  worked(scope: WorkScope): void {
    const told = this.#told.size === 0 ? undefined : this.#told.get(workKey(scope));
    if (told !== undefined) this.#tell(told);
  }

  changed(change: Change): void {
    for (const told of this.#watch.concernedBy(change)) {
      this.#tell(told);
      // Sessions come and go, and nothing will be heard of this one any more.
      if (told.state === 'missing' && change.cause === 'evicted') this.#forget(told);
    }
  }

  /** Something about how an identity is refreshed has changed. */
  refreshChanged(identity: Identity): void {
    if (this.#told.size === 0) return;
    const { provider } = identity;
    for (const told of [...this.#told.values()])
      if (told.scope.provider === provider && this.#options.ledger.isCandidate(told.scope, identity)) this.#tell(told);
  }

  close(): void {
    for (const told of this.#told.values()) this.#watch.delete(told);
    this.#told.clear();
  }

  #forget(told: Told): void {
    if (this.#told.get(told.key) === told) this.#told.delete(told.key);
    this.#watch.delete(told);
  }

  #tell(told: Told): void {
    // A listener to what the last one caused may have had it told already.
    if (this.#told.get(told.key) !== told) return;
    const status = this.of(told.scope);
    const from = told.state;
    told.state = status.state;
    if (status.state === 'ready') this.#forget(told);
    if (status.state !== from) this.#options.emitter.emit('status', () => ({ scope: told.scope.parts, from, ...status }));
  }
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}
