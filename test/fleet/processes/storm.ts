import type { SentryEndpoint } from '../../support/sentry-endpoint.js';
import type { WorkersResult } from './commands.js';
import type { FleetProcess } from './driver.js';
import type { SeenCall, StormUpstream } from './storm-upstream.js';
import { until } from './until.js';

const SCOPE = { tenant: 'acme', session: 'storm', provider: 'anthropic' };

export interface StormOptions {
  readonly processes: readonly FleetProcess[];
  readonly upstream: StormUpstream;
  readonly endpoint: SentryEndpoint;
  readonly workersEach: number;
  /** So many of them start at once, the others within so many milliseconds. */
  readonly atOnce: number;
  readonly withinMs: number;
  /** The token has served each process a moment before it dies; otherwise it was dead when it was captured. */
  readonly warm: boolean;
}

interface RejectedCall extends SeenCall {
  /** It had left its process before the first 401 was answered, arrived or not, or left while the news was on its way to its process. */
  readonly out: boolean;
}

export interface StormFigures {
  /** All calls that were rejected. */
  readonly rejected: readonly RejectedCall[];
  /** Since the first of them was answered, in milliseconds: when each process was seen to know. */
  readonly newsMs: readonly number[];
  readonly reports: number;
  /** Of the upstream, all told. */
  readonly calls: number;
  readonly jobs: number;
  readonly done: number;
  readonly failures: readonly string[];
  /** Since fresh auth was captured, in milliseconds: when each process was seen to be free, each job's end, and each process's first. */
  readonly freedMs: readonly number[];
  readonly freshMs: readonly number[];
  readonly firstFreshMs: readonly number[];
}

/**
 * Every worker of every process meets one dead token and waits; then fresh auth is presented to one of the processes. `upstream` and `endpoint` are to be clear, and
 * the processes open on a store that has nothing in it.
 */
export async function storm({ processes, upstream, endpoint, workersEach, atOnce, withinMs, warm }: StormOptions): Promise<StormFigures> {
  const [first, , third] = processes;
  if (first === undefined || third === undefined) throw new Error('a storm takes three processes');
  await Promise.all(processes.map(({ tell }) => tell.warmUp(upstream.url, workersEach)));
  await first.tell.capture(SCOPE, 'storm-token-1');
  if (warm) {
    upstream.accept('storm-token-1');
    for (const { name, tell } of processes) await tell.call({ scope: SCOPE, url: upstream.url, name });
    upstream.accept('storm-token-2');
  }
  await Promise.all(
    processes.map(({ name, tell }) => tell.startWorkers({ scope: SCOPE, workers: workersEach, url: upstream.url, name, atOnce, withinMs })),
  );
  await until('every worker waits for fresh auth', async () => {
    const stats = await Promise.all(processes.map(({ tell }) => tell.stats()));
    return stats.every(({ parked, waiting }) => parked >= workersEach && waiting === workersEach);
  });
  // What is over before anybody could be told is not told.
  await until('somebody has reported', async () => endpoint.errors().length > 0);
  const rejected = upstream.seen.filter(({ status }) => status === 401);

  upstream.accept('storm-token-2');
  const capturedAt = await third.tell.capture(SCOPE, 'storm-token-2');
  const results = await Promise.all(processes.map(({ tell }) => tell.workers()));
  // The incident's end is told too, and must not be an event.
  await Promise.all(processes.map(({ tell }) => tell.flushReports()));
  const since = (times: readonly number[]): number[] => times.map((at) => at - capturedAt);
  const freedAt = results.map((result) => result.freedAt ?? Number.NaN);
  const firstAnswer = Math.min(...rejected.map(({ answeredAt }) => answeredAt));
  const knownAt = results.map(({ blockedAt = firstAnswer }) => Math.max(firstAnswer, blockedAt));
  const indexOf = (process: string): number => processes.findIndex(({ name }) => name === process);
  return {
    rejected: rejected.map((call) => ({ ...call, out: call.leftAt <= knownAt[indexOf(call.process)]! })),
    newsMs: knownAt.map((at) => at - firstAnswer),
    reports: endpoint.errors().length,
    calls: upstream.seen.length,
    jobs: processes.length * workersEach,
    done: all(results, 'doneAt').length,
    failures: all(results, 'failures'),
    freedMs: since(freedAt),
    freshMs: since(all(results, 'doneAt')),
    firstFreshMs: since(results.map(({ doneAt }) => Math.min(...doneAt))),
  };
}

function all<Name extends 'doneAt' | 'failures'>(results: readonly WorkersResult[], name: Name): WorkersResult[Name][number][] {
  return results.flatMap((result): WorkersResult[Name][number][] => [...result[name]]);
}

/** Of all that were measured, the one below which so many hundredths lie. */
export function percentile(values: readonly number[], hundredths: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * hundredths) / 100) - 1)] ?? Number.NaN;
}
