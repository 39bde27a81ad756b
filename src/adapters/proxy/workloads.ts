import type { Latchkey } from '../../api.js';
import type { ScopeParts } from '../../errors.js';
import type { LatchkeyEvents } from '../../events.js';
import type { Scope } from '../../ledger/scope-key.js';
import { StatusWriter, type WriteStatus } from './status-writer.js';
import { type KnownOfWorkload, type Workload, workloadOf } from './workload.js';

export interface WorkloadsOptions {
  readonly latchkey: Latchkey;
  readonly limit: number;
  readonly write: WriteStatus | undefined;
  readonly writeTimeoutMs: number;
  readonly failed: (origin: 'onWorkload' | 'latchkey', error: unknown) => void;
}

interface Tracked {
  readonly key: string;
  /** As it was given, and as the ledger reads it. */
  readonly scope: Scope;
  readonly parts: ScopeParts;
  reached: boolean;
  borrows: boolean;
  noticed: Workload;
  /** Nobody is told of it any more; if it is still in memory, then only until the write that is out has ended. */
  dropped: boolean;
  readonly writer: StatusWriter | undefined;
}

/** The workloads that were heard of: what was written of each is brought up to date whenever something may have changed. */
export class Workloads {
  readonly #options: WorkloadsOptions;
  /** The one heard of last comes last. */
  readonly #tracked = new Map<string, Tracked>();
  readonly #bySession = new Groups();
  /** Those that live on their tenant's global credential. */
  readonly #byTenant = new Groups();
  /** Those that are unauthenticated, by the credential that is to blame. */
  readonly #byFingerprint = new Groups();
  readonly #since = Date.now();
  readonly #unsubscribe: (() => void)[];
  /** While `atOnce` is at work: what may stand differently at its end. */
  #touched: Set<Tracked> | undefined;
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(options: WorkloadsOptions) {
    this.#options = options;
    const { latchkey, write } = options;
    this.#unsubscribe = [latchkey.on('evicted', (event) => this.#evicted(event))];
    if (write === undefined) return;
    this.#unsubscribe.push(
      latchkey.on('captured', (event) => this.#captured(event)),
      latchkey.on('accepted', ({ scope, fingerprint }) => this.#look(this.#byFingerprint.get(fingerprint), scope.provider)),
      latchkey.on('rejected', ({ scope }) => this.#look(this.#bySession.get(groupOf(scope)), scope.provider)),
    );
  }

  /** What is learnt in the course of `work` is looked at once, at its end: one answer makes one try at a write, however many events it causes. */
  atOnce(work: () => void): void {
    if (this.#touched !== undefined) {
      work();
      return;
    }
    const touched = new Set<Tracked>();
    this.#touched = touched;
    try {
      work();
    } finally {
      this.#touched = undefined;
      for (const tracked of touched) this.#sync(tracked);
    }
  }

  /** Something was learnt of a workload, which may stand differently now. */
  heardOf(scope: Scope, learnt: { readonly reached: boolean; readonly borrows: boolean }): void {
    if (this.#closing !== undefined) return;
    const tracked = this.#track(scope, learnt);
    if (tracked === undefined) return;
    tracked.reached ||= learnt.reached;
    tracked.borrows ||= learnt.borrows;
    if (tracked.borrows) this.#byTenant.add(tenantOf(tracked.parts), tracked);
    this.#sync(tracked);
  }

  read(scope: Scope): Workload {
    const explanation = this.#options.latchkey.explain(scope);
    const known = this.#tracked.get(keyOf(explanation.scope));
    return workloadOf(explanation, known ?? this.#unknown(), known === undefined ? this.#since : Date.now());
  }

  /** Resolves when no write is out. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  #end(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    return new Promise((resolve) => {
      this.#onIdle = () => {
        for (const { writer } of this.#tracked.values()) if (writer?.busy) return;
        resolve();
      };
      this.#onIdle();
    });
  }

  #track(scope: Scope, { borrows }: { readonly borrows: boolean }): Tracked | undefined {
    const explanation = this.#options.latchkey.explain(scope);
    const key = keyOf(explanation.scope);
    const found = this.#tracked.get(key);
    if (found !== undefined) {
      found.dropped = false;
      this.#tracked.delete(key);
      this.#tracked.set(key, found);
      return found;
    }
    if (this.#tracked.size >= this.#options.limit && !this.#makeRoom()) return undefined;
    const parts = explanation.scope;
    const tracked: Tracked = {
      key,
      scope: typeof scope === 'string' ? scope : { ...scope },
      parts,
      reached: false,
      borrows,
      noticed: workloadOf(explanation, this.#unknown(), Date.now()),
      dropped: false,
      writer: this.#writer(() => tracked),
    };
    this.#tracked.set(key, tracked);
    this.#bySession.add(groupOf(parts), tracked);
    if (parts.session === undefined) this.#byTenant.add(tenantOf(parts), tracked);
    return tracked;
  }

  /** The oldest goes, but none of which a write is out: two writes of one workload must never overlap. */
  #makeRoom(): boolean {
    for (const tracked of this.#tracked.values()) {
      if (tracked.writer?.busy) continue;
      this.#forget(tracked);
      return true;
    }
    return false;
  }

  #sync(tracked: Tracked): void {
    if (this.#touched !== undefined) {
      this.#touched.add(tracked);
      return;
    }
    if (tracked.writer === undefined) this.#current(tracked);
    else tracked.writer.sync();
  }

  #writer(tracked: () => Tracked): StatusWriter | undefined {
    const { write, writeTimeoutMs, failed } = this.#options;
    if (write === undefined) return undefined;
    return new StatusWriter({
      write,
      timeoutMs: writeTimeoutMs,
      failed: (error) => failed('onWorkload', error),
      current: () => this.#current(tracked()),
      idle: () => this.#idle(tracked()),
    });
  }

  #current(tracked: Tracked): Workload | undefined {
    if (this.#closing !== undefined || tracked.dropped) return undefined;
    let workload: Workload;
    try {
      workload = workloadOf(this.#options.latchkey.explain(tracked.scope), tracked, Date.now());
    } catch (error) {
      this.#options.failed('latchkey', error);
      return undefined;
    }
    this.#unblame(tracked);
    tracked.noticed = workload;
    if (workload.state === 'unauthenticated' && workload.fingerprint !== undefined) this.#byFingerprint.add(workload.fingerprint, tracked);
    return workload;
  }

  #captured({ scope, pinned }: LatchkeyEvents['captured']): void {
    const { provider } = scope;
    if (pinned) {
      // A pin serves every session of its tenant.
      this.#look(
        [...this.#tracked.values()].filter(({ parts }) => parts.tenant === scope.tenant),
        provider,
      );
      return;
    }
    this.#look(this.#bySession.get(groupOf(scope)), provider);
    this.#look(this.#byTenant.get(tenantOf(scope)), provider);
  }

  #look(concerned: Iterable<Tracked>, provider: string | undefined): void {
    for (const tracked of [...concerned]) if (tracked.parts.provider === provider) this.#sync(tracked);
  }

  #evicted(event: LatchkeyEvents['evicted']): void {
    for (const tracked of [...this.#bySession.get(groupOf(event))]) {
      if (tracked.writer?.busy) tracked.dropped = true;
      else this.#forget(tracked);
    }
  }

  #idle(tracked: Tracked): void {
    if (tracked.dropped) this.#forget(tracked);
    this.#onIdle?.();
  }

  #forget(tracked: Tracked): void {
    tracked.dropped = true;
    this.#tracked.delete(tracked.key);
    this.#bySession.delete(groupOf(tracked.parts), tracked);
    this.#byTenant.delete(tenantOf(tracked.parts), tracked);
    this.#unblame(tracked);
  }

  #unblame(tracked: Tracked): void {
    const { fingerprint } = tracked.noticed;
    if (fingerprint !== undefined) this.#byFingerprint.delete(fingerprint, tracked);
  }

  #unknown(): KnownOfWorkload {
    return { reached: false, borrows: false, noticed: { state: 'starting', since: this.#since } };
  }
}

class Groups {
  readonly #groups = new Map<string, Set<Tracked>>();

  get(key: string): Iterable<Tracked> {
    return this.#groups.get(key) ?? [];
  }

  add(key: string, tracked: Tracked): void {
    const group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, new Set([tracked]));
    else group.add(tracked);
  }

  delete(key: string, tracked: Tracked): void {
    const group = this.#groups.get(key);
    if (group?.delete(tracked) && group.size === 0) this.#groups.delete(key);
  }
}

function keyOf({ tenant, session, provider, purpose }: ScopeParts): string {
  return JSON.stringify([tenant, session, provider, purpose]);
}

function groupOf({ tenant, session }: { readonly tenant?: string | undefined; readonly session?: string | undefined }): string {
  return JSON.stringify([tenant, session]);
}

function tenantOf({ tenant }: ScopeParts): string {
  return JSON.stringify([tenant]);
}
