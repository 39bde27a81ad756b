import type { Latchkey } from '../../api.js';
import { startTimer } from '../../clock.js';
import type { LatchkeyError, ScopeParts } from '../../errors.js';
import type { AuthProcessorSettings } from './options.js';
import { type ParkedJob, ParkedJobs } from './parked-jobs.js';
import { movedToDelayed, parkOverflow, parkTimeout } from './refusal.js';
import { Release } from './release.js';
import { ScopeWatch } from './scope-watch.js';
import type { AuthProcessorStats, ProcessedJob } from './types.js';

/** A job that this process cannot do, being about to end, comes again after so long: to a worker of another, one hopes. */
const HAND_BACK_MS = 5_000;
const CLOSE_MS = 5_000;
const FORGET_MS = 1_000;

/** The jobs that wait for their scope: parks them, and releases those of all processes. */
export class ParkingLot {
  readonly #latchkey: Latchkey;
  readonly #settings: AuthProcessorSettings<never, unknown>;
  readonly #parked: ParkedJobs;
  readonly #watch: ScopeWatch;
  readonly #release: Release;
  readonly #counts = { parkings: 0, released: 0, overflowed: 0, expired: 0, errors: 0 };
  readonly #failed = (error: unknown): void => {
    if (this.#closed) return;
    this.#counts.errors++;
    try {
      this.#settings.onError?.(error);
    } catch {
      // There is nobody left to tell.
    }
  };
  #timer: { cancel(): void } | undefined = undefined;
  #looking: Promise<void> | undefined = undefined;
  /** Parked during the look that is on its way: it may not have come across them. */
  #fresh = new Set<string>();
  #closed = false;

  constructor(latchkey: Latchkey, settings: AuthProcessorSettings<never, unknown>) {
    this.#latchkey = latchkey;
    this.#settings = settings;
    const { queue, clock } = settings;
    this.#parked = new ParkedJobs(queue);
    this.#watch = new ScopeWatch(latchkey, (jobs) => this.#release.add(jobs), this.#failed);
    this.#release = new Release({
      queue,
      clock,
      parked: this.#parked,
      canRun: (scope) => this.#canRun(scope),
      onBlocked: (job) => this.#watch.add(job),
      onReleased: () => void this.#counts.released++,
      failed: this.#failed,
    });
    this.#look();
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get stats(): AuthProcessorStats {
    return { parked: this.#watch.jobs + this.#release.size, scopes: this.#watch.scopes, ...this.#counts };
  }

  /**
   * Parks a job that its worker has in hand, until the scope that the cause speaks of can work.
   * @throws always: what the processor has to throw then.
   */
  async park(job: ProcessedJob, id: string, token: string | undefined, cause: LatchkeyError, struck: boolean): Promise<never> {
    const { maxParked, maxParkedMs, recheckMs, clock } = this.#settings;
    const { scope } = cause;
    const now = clock.now();
    const isNew = job.attemptsStarted === 1;
    const parking = await this.#parked.park(id, scope, { struck, isNew }, { now, most: maxParked, longestMs: maxParkedMs });
    if (parking.state !== 'parked') {
      this.#watch.remove(id);
      const isFull = parking.state === 'full';
      this.#counts[isFull ? 'overflowed' : 'expired']++;
      throw isFull ? parkOverflow(cause, maxParked) : parkTimeout(cause, parking.since);
    }
    this.#counts.parkings++;
    const ageMs = now - parking.job.since;
    await this.#moveAway(job, token, Math.max(1, Math.min(recheckMs, maxParkedMs - ageMs)));
    try {
      await this.#parked.confirm(id, parking.record);
      this.#join(parking.job);
    } catch (error) {
      // It is parked all the same, and comes by itself.
      this.#failed(error);
    }
    throw movedToDelayed();
  }

  /** @throws always: what the processor has to throw for a job that this process has no time for any more. */
  async handBack(job: ProcessedJob, token: string | undefined): Promise<never> {
    await this.#moveAway(job, token, Math.min(HAND_BACK_MS, this.#settings.recheckMs));
    throw movedToDelayed();
  }

  /** A job has ended, one way or the other. It does not wait for a Redis that does not answer. */
  async forget(id: string): Promise<void> {
    this.#watch.remove(id);
    await within(FORGET_MS, this.#parked.forget(id).catch(this.#failed));
  }

  /** No job is released any more; waits for what is on its way, 5 s at the most. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#watch.close();
    await within(CLOSE_MS, Promise.all([this.#release.close(), this.#looking]));
  }

  /** BullMQ takes a time and reckons the delay from the system's clock. */
  async #moveAway(job: ProcessedJob, token: string | undefined, delayMs: number): Promise<void> {
    await job.moveToDelayed(Date.now() + Math.ceil(delayMs), token);
  }

  /** Fresh auth may have come before there was anything to release. */
  #join(job: ParkedJob): void {
    if (this.#looking !== undefined) this.#fresh.add(job.id);
    if (this.#latchkey.canRun(job.scope)) this.#release.add([job]);
    else this.#watch.add(job);
  }

  /** False too where a clock of the user's throws: this is asked in timers. */
  #canRun(scope: ScopeParts): boolean {
    try {
      return this.#latchkey.canRun(scope);
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  async #load(jobs: readonly ParkedJob[]): Promise<void> {
    try {
      await this.#latchkey.load(jobs.map(({ scope }) => scope));
    } catch (error) {
      // One of the scopes is none here; the others are waited for.
      this.#failed(error);
    }
  }

  #look(): void {
    this.#fresh = new Set();
    this.#looking = this.#lookAround()
      .catch(this.#failed)
      .finally(() => {
        this.#looking = undefined;
        if (!this.#closed) this.#timer = startTimer(this.#settings.lookMs, () => this.#look());
      });
  }

  /** Whoever parked a job may be gone: all processes wait for all scopes, and whoever is the quickest releases. */
  async #lookAround(): Promise<void> {
    const known = new Set(this.#watch.ids());
    for await (const page of this.#parked.pages()) {
      if (this.#closed) return;
      await this.#load(page);
      for (const job of page) {
        known.delete(job.id);
        if (!this.#release.has(job.id)) this.#watch.add(job);
      }
    }
    // Released by somebody else meanwhile.
    for (const id of known) if (!this.#fresh.has(id)) this.#watch.remove(id);
  }
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: { cancel(): void } | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = startTimer(ms, resolve);
  });
  await Promise.race([work, limit]);
  timer?.cancel();
}
