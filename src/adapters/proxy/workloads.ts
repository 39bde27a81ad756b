import type { Latchkey } from '../../api.js';
import type { Clock } from '../../clock.js';
import type { ScopeParts } from '../../errors.js';
import type { LatchkeyEvents } from '../../events.js';
import type { Scope } from '../../ledger/scope-key.js';
import { StatusWriter, type WriteStatus } from './status-writer.js';
import { Topics } from './topics.js';
import { type KnownOfWorkload, type Workload, workloadOf } from './workload.js';

export interface WorkloadsOptions {
  readonly latchkey: Latchkey;
  readonly clock: Clock;
  readonly limit: number;
  readonly write: WriteStatus | undefined;
  readonly writeTimeoutMs: number;
  readonly failed: (origin: 'onWorkload' | 'latchkey', error: unknown) => void;
}

export interface Learnt {
  /** Start-up is complete, or the upstream has said yes. */
  readonly proven: boolean;
  /** The upstream has said yes or no to a credential. */
  readonly judged: boolean;
  /** The request went out with a lease on the global credential. */
  readonly borrows: boolean;
}

interface Tracked {
  readonly key: string;
  /** As it was given, and as the ledger reads it. */
  readonly scope: Scope;
  readonly parts: ScopeParts;
  /** What it is subscribed to as long as it is tracked. */
  readonly topics: readonly string[];
  reached: boolean;
  borrows: boolean;
  noticed: Workload;
  /** Nobody is told of it any more; if it is still in memory, then only until the write that is out has ended. */
  dropped: boolean;
  readonly writer: StatusWriter | undefined;
}

/** What may change how a workload stands. */
const topic = {
  /** A presentation in its session, or a verdict for one scope of it. */
  session: ({ tenant, session }: { readonly tenant?: string | undefined; readonly session?: string | undefined }) =>
    JSON.stringify(['session', tenant, session]),
  /** A presentation for the global slot, of those that live on that. */
  global: ({ tenant }: { readonly tenant?: string | undefined }) => JSON.stringify(['global', tenant]),
  /** A pin serves every session of its tenant. */
  tenant: ({ tenant }: ScopeParts) => JSON.stringify(['tenant', tenant]),
  /** A yes to the credential that has got a no, or a no to one that has not: more of the same changes nothing. */
  verdict: (verdict: 'accepted' | 'rejected', fingerprint: string) => `${verdict} ${fingerprint}`,
};

/** The workloads that were heard of: what was written of each is brought up to date whenever something may have changed. */
export class Workloads {
  readonly #options: WorkloadsOptions;
  /** The one heard of last comes last. */
  readonly #tracked = new Map<string, Tracked>();
  readonly #topics = new Topics<Tracked>();
  readonly #since: number;
  readonly #unsubscribe: (() => void)[];
  /** While `atOnce` is at work: what may stand differently at its end. */
  #touched: Set<Tracked> | undefined;
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(options: WorkloadsOptions) {
    this.#options = options;
    const { latchkey, clock, write } = options;
    this.#since = clock.now();
    this.#unsubscribe = [latchkey.on('evicted', (event) => this.#evicted(event))];
    if (write === undefined) return;
    this.#unsubscribe.push(
      latchkey.on('captured', ({ scope, pinned }) =>
        this.#look(scope.provider, ...(pinned ? [topic.tenant(scope)] : [topic.session(scope), topic.global(scope)])),
      ),
      latchkey.on('accepted', ({ scope, fingerprint }) => this.#look(scope.provider, topic.verdict('accepted', fingerprint))),
      latchkey.on('rejected', ({ scope, fingerprint, reach }) =>
        this.#look(scope.provider, reach === 'scope' ? topic.session(scope) : topic.verdict('rejected', fingerprint)),
      ),
      // Told before it is given up, if it is.
      latchkey.on('refreshFailed', ({ scope, fingerprint }) =>
        queueMicrotask(() => this.#look(scope.provider, topic.verdict('accepted', fingerprint), topic.verdict('rejected', fingerprint))),
      ),
      latchkey.on('status', ({ scope }) => this.#look(scope.provider, topic.session(scope))),
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

  /** The upstream has answered a request of a workload's, or its start-up is complete. */
  heardOf(scope: Scope, { proven, judged, borrows }: Learnt): void {
    if (this.#closing !== undefined) return;
    const tracked = this.#track(scope);
    if (tracked === undefined) return;
    if (borrows && !tracked.borrows) {
      tracked.borrows = true;
      this.#subscribe(tracked);
    }
    // A no to a credential that the workload does not hold says nothing of the workload.
    tracked.reached ||= proven || (judged && this.read(scope).fingerprint !== undefined);
    this.#sync(tracked);
  }

  read(scope: Scope): Workload {
    const explanation = this.#options.latchkey.explain(scope);
    const known = this.#tracked.get(keyOf(explanation.scope));
    const now = known === undefined ? this.#since : this.#options.clock.now();
    return workloadOf(explanation, this.#known(known, scope), now);
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

  #track(scope: Scope): Tracked | undefined {
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
      topics: [topic.session(parts), topic.tenant(parts)],
      reached: false,
      borrows: false,
      noticed: workloadOf(explanation, this.#known(undefined, scope), this.#options.clock.now()),
      dropped: false,
      writer: this.#writer(() => tracked),
    };
    this.#tracked.set(key, tracked);
    this.#subscribe(tracked);
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
      workload = workloadOf(this.#options.latchkey.explain(tracked.scope), this.#known(tracked, tracked.scope), this.#options.clock.now());
    } catch (error) {
      this.#options.failed('latchkey', error);
      return undefined;
    }
    const { state, fingerprint } = tracked.noticed;
    tracked.noticed = workload;
    // What comes after it is never the start again.
    if (isRejected(workload)) tracked.reached = true;
    if (workload.state !== state || workload.fingerprint !== fingerprint) this.#subscribe(tracked);
    return workload;
  }

  #subscribe(tracked: Tracked): void {
    const { parts, borrows, noticed } = tracked;
    const topics = [...tracked.topics];
    if (parts.session === undefined || borrows) topics.push(topic.global(parts));
    if (noticed.fingerprint !== undefined) topics.push(topic.verdict(isRejected(noticed) ? 'accepted' : 'rejected', noticed.fingerprint));
    this.#topics.subscribe(tracked, topics);
  }

  #look(provider: string | undefined, ...topics: string[]): void {
    for (const name of topics) {
      for (const tracked of this.#topics.of(name)) if (tracked.parts.provider === provider) this.#sync(tracked);
    }
  }

  #evicted(event: LatchkeyEvents['evicted']): void {
    for (const tracked of this.#topics.of(topic.session(event))) {
      if (tracked.writer?.busy) tracked.dropped = true;
      else this.#forget(tracked);
    }
    // It may have taken its credential out of the global slot.
    for (const tracked of this.#topics.of(topic.global(event))) this.#sync(tracked);
  }

  #idle(tracked: Tracked): void {
    if (tracked.dropped) this.#forget(tracked);
    this.#onIdle?.();
  }

  #forget(tracked: Tracked): void {
    tracked.dropped = true;
    this.#tracked.delete(tracked.key);
    this.#topics.subscribe(tracked, []);
  }

  #known(tracked: Tracked | undefined, scope: Scope): KnownOfWorkload {
    const { reached, borrows, noticed } = tracked ?? { reached: false, borrows: false, noticed: { state: 'starting', since: this.#since } };
    return { reached, borrows, noticed, status: () => this.#options.latchkey.status(scope).state };
  }
}

function isRejected({ state }: Workload): boolean {
  return state === 'unauthenticated' || state === 'auth_retrying';
}

function keyOf({ tenant, session, provider, purpose }: ScopeParts): string {
  return JSON.stringify([tenant, session, provider, purpose]);
}
