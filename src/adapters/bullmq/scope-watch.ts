import type { Latchkey } from '../../api.js';
import { startTimer } from '../../clock.js';
import { isLatchkeyError, type ScopeParts } from '../../errors.js';

/** Scopes waited for at a time: they take places of the Latchkey's, which its own runs need too. The rest is asked for. */
const WAITERS = 100;
const WAIT_MS = 5 * 60_000;
const ASK_EVERY_MS = 1_000;

/** A job that is known here to be parked. */
export interface WaitingJob {
  readonly id: string;
  readonly scope: ScopeParts;
  /** Milliseconds since the epoch: when it was first parked. */
  readonly since: number;
}

interface Group {
  readonly key: string;
  readonly scope: ScopeParts;
  readonly jobs: Map<string, WaitingJob>;
  readonly gone: AbortController;
}

/** Waits for the scopes of parked jobs, once for each scope however many jobs it has. */
export class ScopeWatch {
  readonly #latchkey: Pick<Latchkey, 'canRun' | 'whenRunnable'>;
  readonly #onRunnable: (jobs: readonly WaitingJob[]) => void;
  readonly #failed: (error: unknown) => void;
  readonly #groups = new Map<string, Group>();
  readonly #byId = new Map<string, Group>();
  /** Those that nobody waits for. */
  readonly #asked = new Set<Group>();
  #waiters = 0;
  #timer: { cancel(): void } | undefined = undefined;
  #closed = false;

  constructor(
    latchkey: Pick<Latchkey, 'canRun' | 'whenRunnable'>,
    onRunnable: (jobs: readonly WaitingJob[]) => void,
    failed: (error: unknown) => void,
  ) {
    this.#latchkey = latchkey;
    this.#onRunnable = onRunnable;
    this.#failed = failed;
  }

  get jobs(): number {
    return this.#byId.size;
  }

  get scopes(): number {
    return this.#groups.size;
  }

  ids(): Iterable<string> {
    return this.#byId.keys();
  }

  add(job: WaitingJob): void {
    if (this.#closed) return;
    const { tenant, session, provider, purpose } = job.scope;
    const key = JSON.stringify([tenant, session, provider, purpose]);
    if (this.#byId.get(job.id)?.key === key) return;
    this.remove(job.id);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { key, scope: job.scope, jobs: new Map(), gone: new AbortController() };
      this.#groups.set(key, group);
      this.#wait(group);
    }
    group.jobs.set(job.id, job);
    this.#byId.set(job.id, group);
  }

  remove(id: string): void {
    const group = this.#byId.get(id);
    if (group === undefined) return;
    this.#byId.delete(id);
    group.jobs.delete(id);
    if (group.jobs.size === 0) this.#drop(group);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    for (const group of [...this.#groups.values()]) this.#drop(group);
  }

  #wait(group: Group): void {
    if (this.#waiters >= WAITERS) {
      this.#askLater(group);
      return;
    }
    this.#waiters++;
    this.#latchkey
      .whenRunnable(group.scope, { signal: group.gone.signal, timeoutMs: WAIT_MS })
      .finally(() => this.#waiters--)
      .then(
        () => this.#runnable(group),
        (error: unknown) => this.#waitedInVain(group, error),
      );
  }

  #waitedInVain(group: Group, error: unknown): void {
    if (this.#groups.get(group.key) !== group) return;
    const code = isLatchkeyError(error) ? error.code : undefined;
    if (code === 'PARK_TIMEOUT' || code === 'TIMEOUT') this.#wait(group);
    else if (code === 'CLOSED') this.#drop(group);
    else {
      if (code !== 'PARK_OVERFLOW') this.#failed(error);
      this.#askLater(group);
    }
  }

  #askLater(group: Group): void {
    this.#asked.add(group);
    this.#timer ??= startTimer(ASK_EVERY_MS, () => {
      this.#timer = undefined;
      const asked = [...this.#asked];
      this.#asked.clear();
      for (const one of asked) this.#ask(one);
    });
  }

  #ask(group: Group): void {
    try {
      if (this.#latchkey.canRun(group.scope)) this.#runnable(group);
      else this.#wait(group);
    } catch {
      // It has been told. A scope that is none here may be one in another process.
      this.#askLater(group);
    }
  }

  #runnable(group: Group): void {
    if (this.#groups.get(group.key) !== group) return;
    const jobs = [...group.jobs.values()];
    this.#drop(group);
    this.#onRunnable(jobs);
  }

  #drop(group: Group): void {
    this.#groups.delete(group.key);
    this.#asked.delete(group);
    for (const id of group.jobs.keys()) this.#byId.delete(id);
    group.gone.abort();
  }
}
