import type { Latchkey } from '../api.js';
import { isLatchkeyError, LatchkeyError, type LatchkeyErrorCode } from '../errors.js';
import type { Scope } from '../ledger/scope-key.js';
import type { RunContext } from '../worker/context.js';
import type { Attempt } from '../worker/job.js';
import type { RunOptions } from '../worker/run-options.js';
import { type AuthProcessorOptions, readOptions } from './bullmq/options.js';
import { ParkingLot } from './bullmq/parking-lot.js';
import type { AuthProcessorStats, JobRun, ProcessedJob } from './bullmq/types.js';

export type { AuthProcessorOptions } from './bullmq/options.js';
export type { AuthProcessorStats, JobContext, JobQueue, JobRun, ProcessedJob, QueuedJob } from './bullmq/types.js';

/** What `createAuthProcessor` gives: what a worker processes jobs with. */
export interface AuthProcessor<Job extends ProcessedJob, Result> {
  /**
   * To be given to `new Worker(name, processor.process)`. A job whose scope is blocked lies in the queue's delayed set, its attempts untouched, until there is fresh
   * auth.
   */
  readonly process: (job: Job, token?: string, signal?: AbortSignal) => Promise<Result>;
  stats(): AuthProcessorStats;
  /**
   * Releases nothing more; parked jobs are left to other processes, and jobs that still come are handed back. Close the worker first. Waits for what is on its way, 5 s at
   * the most. Never rejects.
   */
  close(): Promise<void>;
}

/** How long a worker waits for a refresh before it turns to the next job. */
const REFRESH_WAIT_MS = 2_000;

/** What ends a run for want of a credential: the queue is the better place to wait, for those too that waited in the run. */
const WANTING: ReadonlySet<LatchkeyErrorCode> = new Set<LatchkeyErrorCode>([
  'CREDENTIAL_MISSING',
  'CREDENTIAL_REJECTED',
  'CREDENTIAL_HELD',
  'CREDENTIAL_EXPIRED',
  'AUTH_RETRYING',
  'PARK_TIMEOUT',
  'PARK_OVERFLOW',
]);

/**
 * Jobs of a BullMQ queue that wait for fresh auth instead of failing: without using up an attempt, without being tried again and again, and without holding up other
 * sessions' jobs. Starts to look for parked jobs at once.
 *
 * A job fails for good, with a `LatchkeyError`, when too many are parked (`PARK_OVERFLOW`) or it was for too long (`PARK_TIMEOUT`).
 * @throws {TypeError} for an option that is unknown or malformed.
 */
export function createAuthProcessor<Job extends ProcessedJob, Result>(
  latchkey: Latchkey,
  options: AuthProcessorOptions<Job, Result>,
): AuthProcessor<Job, Result> {
  const settings = readOptions(latchkey, options);
  const lot = new ParkingLot(latchkey, settings);

  /** Why the scope cannot work, having told Latchkey that work has met it; undefined if it can. */
  const blockOf = async (scope: Scope): Promise<LatchkeyError | undefined> => {
    await latchkey.load([scope]);
    if (latchkey.canRun(scope)) return undefined;
    try {
      await latchkey.run(scope, nothing, { timeoutMs: REFRESH_WAIT_MS });
      return undefined;
    } catch (error) {
      if (!isLatchkeyError(error)) throw error;
      if (error.code !== 'TIMEOUT') return error;
      return latchkey.canRun(scope) ? undefined : refreshingError(latchkey, scope);
    }
  };

  /** The error that a job is parked for, in terms of a scope that this Latchkey takes. */
  const wantOf = (error: LatchkeyError, scope: Scope): LatchkeyError => {
    try {
      latchkey.canRun(error.scope);
      return error;
    } catch {
      const { code, message, fingerprint, status, since, until, incident } = error;
      return new LatchkeyError(code, message, { scope: partsOf(scope), fingerprint, status, since, until, incident });
    }
  };

  return {
    // BullMQ passes a signal to functions that declare three parameters.
    async process(job, token, signal) {
      const { id } = job;
      if (id === undefined) throw new TypeError('process: `job` must be a job of a queue, with an id');
      if (lot.isClosed) return lot.handBack(job, token);
      const scope = settings.scope(job);
      const block = await blockOf(scope);
      if (block?.code === 'CLOSED') return lot.handBack(job, token);
      if (block !== undefined) return lot.park(job, id, token, block, false);
      // A job that is begun for the first time was never parked.
      const forget = async (): Promise<void> => (job.attemptsStarted === 1 ? undefined : lot.forget(id));
      try {
        const result = await settings.process(job, { run: runOf(latchkey, scope, signal), scope: partsOf(scope), signal });
        await forget();
        return result;
      } catch (error) {
        if (isLatchkeyError(error)) {
          if (error.code === 'CLOSED') return lot.handBack(job, token);
          if (WANTING.has(error.code)) return lot.park(job, id, token, wantOf(error, scope), true);
        }
        await forget();
        throw error;
      }
    },
    stats: () => lot.stats,
    close: () => lot.close(),
  };
}

/** The refresh that would help takes longer than a worker waits. */
function refreshingError(latchkey: Latchkey, scope: Scope): LatchkeyError {
  const { since, next: until } = latchkey.status(scope);
  const details = { scope: partsOf(scope), since, until };
  return new LatchkeyError('AUTH_RETRYING', 'the credential is being refreshed still, nothing was sent', details);
}

/** For work that is to meet a block, not to be done. */
function nothing(_: unknown, context: RunContext): void {
  context.unused();
}

function runOf(latchkey: Latchkey, scope: Scope, signal: AbortSignal | undefined): JobRun {
  return <T>(attempt: Attempt<T>, options?: RunOptions): Promise<never> =>
    // The overloads say when undefined is among the results.
    latchkey.run(scope, attempt, signal === undefined ? options : { signal, ...options }) as Promise<never>;
}

function partsOf(scope: Scope): { tenant?: string; session?: string; provider?: string; purpose?: string } {
  if (typeof scope === 'string') return { session: scope };
  const parts: { tenant?: string; session?: string; provider?: string; purpose?: string } = {};
  for (const name of ['tenant', 'session', 'provider', 'purpose'] as const) {
    const part = scope[name];
    if (part !== undefined) parts[name] = part;
  }
  return parts;
}
