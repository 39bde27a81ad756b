import type { Credential } from '../credential/credential.js';
import type { LedgerReader } from '../ledger/reader.js';
import { scopeKey, type WorkScope } from '../ledger/scope-key.js';
import type { RefreshClaim } from '../ledger/store.js';
import type { Identity } from '../ledger/verdicts.js';
import type { Source } from '../policy/choose.js';
import { beginRefresh, type RefreshFailure, type RefreshProgress } from '../policy/refresh.js';

/** How a refresh begins. */
interface Beginning {
  readonly now: number;
  readonly number: number;
  readonly holder: WorkScope;
  /** What it spends that others may spend, too. */
  readonly spends?: string | undefined;
}

/** One identity's refresh, from its first try until it is through or given up. Whoever waits for it waits on their own account. */
export class RefreshFlight {
  identity: Identity;
  /** Whose work asked for it first: it is made on that one's behalf. */
  readonly scope: WorkScope;
  readonly source: Source;
  /** Who presented the credential, as the refresh is told. */
  readonly holder: WorkScope;
  readonly key: string;
  /** Those that spend the same are made one after another. */
  readonly spends: string | undefined;
  /** It is the one of them that goes on. */
  hasTurn = false;
  /** The number that it has among all that happens. */
  readonly startedAt: number;
  progress: RefreshProgress;
  /** When the next try is made; undefined while one is out. Milliseconds since the epoch. */
  next: number | undefined = undefined;
  /** Why the last try failed. */
  failure: RefreshFailure | undefined = undefined;
  timer: { cancel(): void } | undefined = undefined;
  /** Of the try that is out. */
  controller: AbortController | undefined = undefined;
  /** The fleet's leave to refresh. */
  claim: Extract<RefreshClaim, { state: 'acquired' }> | undefined = undefined;
  /** Stops waiting for another process. */
  unhear: (() => void) | undefined = undefined;
  #isOver = false;
  readonly #waiters = new Set<() => void>();

  constructor(identity: Identity, scope: WorkScope, source: Source, began: Beginning) {
    this.identity = identity;
    this.key = flightKey(identity, scope.tenant);
    this.scope = scope;
    this.source = source;
    this.holder = began.holder;
    this.startedAt = began.number;
    this.spends = began.spends;
    this.progress = beginRefresh(began.now);
  }

  /** Worth waiting for: a try is out, and those before it have not failed for long. */
  get isPromising(): boolean {
    return !this.#isOver && this.next === undefined && this.progress.phase === 'refreshing';
  }

  /** A try of it has failed. */
  get hasFailed(): boolean {
    return this.progress.failed > 0 || this.progress.phase !== 'refreshing';
  }

  /** Whether it is lent by somebody that is not known here, on whose behalf nothing can be had. */
  get isStranger(): boolean {
    return this.source === 'global' && this.holder.session === undefined;
  }

  /** Evicted and presented again while a try was out, it is known anew. */
  refind(ledger: Pick<LedgerReader, 'identity'>, credential: Credential): void {
    if (!this.identity.known) this.identity = ledger.identity(this.scope, credential) ?? this.identity;
  }

  /** Calls back once, when the try that is out has not helped, or somebody has to look. Returns how to wait no more. */
  wait(proceed: () => void): () => void {
    this.#waiters.add(proceed);
    return () => this.#waiters.delete(proceed);
  }

  /** The try is over. */
  release(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const proceed of waiters) proceed();
  }

  /** The try that this called off is through. */
  through(controller: AbortController): void {
    if (this.controller === controller) this.controller = undefined;
  }

  /** Nothing goes on by itself any more. */
  stop(): void {
    this.#isOver = true;
    this.timer?.cancel();
    this.unhear?.();
    this.controller?.abort();
    this.controller = this.timer = this.unhear = undefined;
  }
}

/** One for each credential that a tenant has at a provider: another that holds the same bytes may have another refresh token. */
export function flightKey({ provider, fingerprint }: Identity, tenant: string | undefined): string {
  return scopeKey(tenant, provider, fingerprint);
}
