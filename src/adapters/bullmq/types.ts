import type { ScopeParts } from '../../errors.js';
import type { Attempt } from '../../worker/job.js';
import type { RunOptions } from '../../worker/run-options.js';

/** What is used of a BullMQ job in its worker's hands. */
export interface ProcessedJob {
  readonly id?: string | undefined;
  readonly attemptsStarted?: number | undefined;
  moveToDelayed(timestamp: number, token?: string): Promise<unknown>;
}

/** What is used of a BullMQ job that lies in its queue. */
export interface QueuedJob {
  promote(): Promise<unknown>;
  changeDelay(delayMs: number): Promise<unknown>;
  isDelayed(): Promise<boolean>;
}

/** What is used of a BullMQ queue, 5 or 6, on a Redis client of any kind that it takes. */
export interface JobQueue {
  toKey(type: string): string;
  getJob(jobId: string): Promise<QueuedJob | undefined>;
  /** Of BullMQ 5. */
  readonly client?: PromiseLike<unknown> | undefined;
  /** Of BullMQ 6. */
  getBackend?(): object;
}

/** `latchkey.run` for the job's scope. What it throws may leave the processor: a job that is blocked is parked. */
export interface JobRun {
  <T>(attempt: Attempt<T>, options: RunOptions & { readonly whenBlocked: 'skip' }): Promise<T | undefined>;
  <T>(attempt: Attempt<T>, options?: RunOptions & { readonly whenBlocked?: 'throw' | 'park' | undefined }): Promise<T>;
}

/** What `process` gets beside its job. */
export interface JobContext {
  readonly run: JobRun;
  readonly scope: ScopeParts;
  /** Aborts when the worker cancels the job. Undefined where the BullMQ that is used has no such signal. `run` gets it already. */
  readonly signal: AbortSignal | undefined;
}

/** Counts since the processor was made, but for the first two. */
export interface AuthProcessorStats {
  /** Jobs that this process knows to be parked now, whoever parked them, and the scopes that they wait for. */
  readonly parked: number;
  readonly scopes: number;
  /** Parkings, of which a job can have several. */
  readonly parkings: number;
  /** Parked jobs that this process gave back to the queue. */
  readonly released: number;
  /** Jobs that failed for good: for too many parked ones, and for too long a wait. */
  readonly overflowed: number;
  readonly expired: number;
  /** What went wrong beside the jobs; `onError` heard it. */
  readonly errors: number;
}
