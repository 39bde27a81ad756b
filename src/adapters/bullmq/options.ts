import type { Latchkey } from '../../api.js';
import { type Clock, systemClock } from '../../clock.js';
import type { Scope } from '../../ledger/scope-key.js';
import type { JobContext, JobQueue, ProcessedJob } from './types.js';

/** Options of `createAuthProcessor`. */
export interface AuthProcessorOptions<Job extends ProcessedJob, Result> {
  /** The queue of these jobs: what is parked is given back through it, and recorded beside it. */
  readonly queue: JobQueue;
  /** Whose work a job is. A job names its scope, never a credential. */
  readonly scope: (job: Job) => Scope;
  /** Does the job; not called while the scope is blocked. */
  readonly process: (job: Job, context: JobContext) => Promise<Result>;
  /** Jobs of the queue that may be parked at a time, all processes together; one more fails for good. Default 10,000. */
  readonly maxParked?: number | undefined;
  /** A job that is blocked so many milliseconds after it was first parked fails for good. Default 24 h. */
  readonly maxParkedMs?: number | undefined;
  /** A parked job looks by itself after so many milliseconds, whatever happened to the processes. Default 15 min. */
  readonly recheckMs?: number | undefined;
  /** How often a process looks for jobs that another one parked, in milliseconds. Default 1 min. */
  readonly lookMs?: number | undefined;
  /** Hears what goes wrong beside the jobs: releasing them, and looking for them. Default: it is only counted. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Default: `Date.now`. */
  readonly clock?: Clock | undefined;
}

export interface AuthProcessorSettings<Job extends ProcessedJob, Result> {
  readonly queue: JobQueue;
  readonly scope: (job: Job) => Scope;
  readonly process: (job: Job, context: JobContext) => Promise<Result>;
  readonly maxParked: number;
  readonly maxParkedMs: number;
  readonly recheckMs: number;
  readonly lookMs: number;
  readonly onError: ((error: unknown) => void) | undefined;
  readonly clock: Clock;
}

const CALLER = 'createAuthProcessor';
const NAMES = ['queue', 'scope', 'process', 'maxParked', 'maxParkedMs', 'recheckMs', 'lookMs', 'onError', 'clock'];

/** @throws {TypeError} naming what is wrong. */
export function readOptions<Job extends ProcessedJob, Result>(
  latchkey: Latchkey,
  options: AuthProcessorOptions<Job, Result>,
): AuthProcessorSettings<Job, Result> {
  for (const name of ['run', 'canRun', 'status', 'whenRunnable', 'load'] as const)
    if (typeof (latchkey as Partial<Latchkey> | undefined)?.[name] !== 'function')
      throw new TypeError(`${CALLER}: \`latchkey\` must come from createLatchkey()`);
  if (typeof options !== 'object' || options === null) throw new TypeError(`${CALLER}: \`options\` must be an object`);
  for (const name of Object.keys(options)) if (!NAMES.includes(name)) throw new TypeError(`${CALLER}: unknown option \`${name}\``);
  const { queue, scope, process, onError, clock = systemClock } = options;
  if (!isQueue(queue)) throw new TypeError(`${CALLER}: \`queue\` must be a Queue of BullMQ, on Redis`);
  if (typeof scope !== 'function') throw new TypeError(`${CALLER}: \`scope\` must be a function`);
  if (typeof process !== 'function') throw new TypeError(`${CALLER}: \`process\` must be a function`);
  if (onError !== undefined && typeof onError !== 'function') throw new TypeError(`${CALLER}: \`onError\` must be a function`);
  if (typeof clock !== 'object' || clock === null || typeof clock.now !== 'function')
    throw new TypeError(`${CALLER}: \`clock\` must have a function \`now\``);
  const { maxParked = 10_000 } = options;
  if (!Number.isSafeInteger(maxParked) || maxParked < 0) throw new TypeError(`${CALLER}: \`maxParked\` must be a whole number, 0 or more`);
  return {
    queue,
    scope,
    process,
    maxParked,
    maxParkedMs: readMs('maxParkedMs', options.maxParkedMs, 24 * 3_600_000),
    recheckMs: readMs('recheckMs', options.recheckMs, 15 * 60_000),
    lookMs: readMs('lookMs', options.lookMs, 60_000),
    onError,
    clock,
  };
}

function isQueue(queue: JobQueue | undefined): boolean {
  if (typeof queue?.toKey !== 'function' || typeof queue.getJob !== 'function') return false;
  // BullMQ 6 can also live in a database that is no Redis.
  return typeof queue.getBackend === 'function' ? 'client' in queue.getBackend() : 'client' in queue;
}

function readMs(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 1)
    throw new TypeError(`${CALLER}: \`${name}\` must be a number of milliseconds, 1 or more`);
  return value;
}
