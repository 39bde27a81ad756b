import { type Clock, startTimer } from '../../clock.js';
import type { ScopeParts } from '../../errors.js';
import type { ParkedJob, ParkedJobs } from './parked-jobs.js';
import type { WaitingJob } from './scope-watch.js';
import type { JobQueue } from './types.js';

/** Jobs go back in batches, so that fresh auth does not set off a stampede. */
const BATCH = 25;
const BATCH_EVERY_MS = 10;
/** A job that is rejected again and again although its scope can run goes back more and more slowly. */
const FREE_STRIKES = 3;
const BACKOFF_MS = { least: 1_000, most: 60_000 };

export interface ReleaseParts {
  readonly queue: JobQueue;
  readonly parked: ParkedJobs;
  readonly clock: Clock;
  readonly canRun: (scope: ScopeParts) => boolean;
  /** The scope was blocked again before the job's turn. */
  readonly onBlocked: (job: WaitingJob) => void;
  readonly onReleased: () => void;
  readonly failed: (error: unknown) => void;
}

/** Gives parked jobs back to their queue, in the order in which they were parked. */
export class Release {
  readonly #parts: ReleaseParts;
  #due: WaitingJob[] = [];
  readonly #ids = new Set<string>();
  #timer: { cancel(): void } | undefined = undefined;
  #working: Promise<void> | undefined = undefined;
  #closed = false;

  constructor(parts: ReleaseParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#ids.size;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  add(jobs: readonly WaitingJob[]): void {
    if (this.#closed) return;
    const more = jobs.filter(({ id }) => !this.#ids.has(id));
    for (const { id } of more) this.#ids.add(id);
    this.#due = [...this.#due, ...more].sort((a, b) => a.since - b.since);
    if (this.#timer === undefined && this.#working === undefined) this.#next();
  }

  /** Nothing more is taken; resolves when what was taken has been given back. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#due = [];
    await this.#working;
  }

  #next(): void {
    this.#timer = undefined;
    const batch = this.#batch();
    if (batch.length === 0) return;
    this.#working = this.#send(batch)
      .catch(this.#parts.failed)
      .finally(() => {
        this.#working = undefined;
        if (!this.#closed && this.#due.length > 0) this.#timer = startTimer(BATCH_EVERY_MS, () => this.#next());
      });
  }

  #batch(): WaitingJob[] {
    const batch: WaitingJob[] = [];
    let seen = 0;
    for (; seen < this.#due.length && batch.length < BATCH; seen++) {
      const job = this.#due[seen] as WaitingJob;
      // From here on it may be parked anew, and is due anew then.
      this.#ids.delete(job.id);
      if (this.#parts.canRun(job.scope)) batch.push(job);
      else this.#parts.onBlocked(job);
    }
    this.#due = this.#due.slice(seen);
    return batch;
  }

  async #send(batch: readonly WaitingJob[]): Promise<void> {
    const taken = await this.#parts.parked.take(batch.map(({ id }) => id));
    await Promise.all(taken.map((job) => this.#give(job).catch(this.#parts.failed)));
  }

  /** Also while this process ends: nobody else knows any more that the job is parked. */
  async #give({ id, strikes, struckAt }: ParkedJob): Promise<void> {
    const { queue, parked, clock, onReleased } = this.#parts;
    const job = await queue.getJob(id);
    if (job === undefined) return parked.forget(id);
    const backoffMs = struckAt + backoff(strikes) - clock.now();
    try {
      await (backoffMs > 0 ? job.changeDelay(backoffMs) : job.promote());
      onReleased();
    } catch (error) {
      // Somebody was quicker: an operator, or its own delay.
      if (await job.isDelayed()) throw error;
    }
  }
}

function backoff(strikes: number): number {
  return strikes <= FREE_STRIKES ? 0 : Math.min(BACKOFF_MS.least * 2 ** (strikes - FREE_STRIKES - 1), BACKOFF_MS.most);
}
