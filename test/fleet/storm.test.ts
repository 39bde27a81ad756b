import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.js';
import { type SentryEndpoint, sentryEndpoint } from '../support/sentry-endpoint.js';
import { endFleet, type FleetProcess, openFleet, startProcesses } from './processes/driver.js';
import { percentile, type StormFigures, type StormOptions, storm } from './processes/storm.js';
import { type StormUpstream, startStormUpstream } from './processes/storm-upstream.js';

const PROCESSES = 4;
const WORKERS_EACH = 50;
const SEAL = 'a sealing secret of 32 characters or more';
/** News, and fresh auth, have to be everywhere within this. */
const SOON_MS = 1_000;

describeWithRedis('a storm of four processes on one dead token', () => {
  let server: RedisServer;
  let upstream: StormUpstream;
  let endpoint: SentryEndpoint;
  let processes: FleetProcess[];

  beforeAll(async () => {
    [server, upstream, endpoint, processes] = await Promise.all([
      startRedis(),
      startStormUpstream(),
      sentryEndpoint(),
      startProcesses(PROCESSES),
    ]);
  });
  afterAll(async () => {
    await endFleet(processes);
    await Promise.all([server.stop(), upstream.close(), endpoint.close()]);
  });

  beforeEach(() => openFleet(processes, { redisUrl: server.url, namespace: randomUUID(), seal: SEAL, dsn: endpoint.dsn }));
  afterEach(async () => {
    await Promise.all(processes.map(({ tell }) => tell.close()));
    upstream.clear();
    endpoint.clear();
  });

  const play = (options: Pick<StormOptions, 'warm' | 'atOnce' | 'withinMs'>): Promise<StormFigures> =>
    storm({ processes, upstream, endpoint, workersEach: WORKERS_EACH, ...options });

  const expectAllFreed = ({ failures, done, jobs, freedMs, firstFreshMs }: StormFigures): void => {
    expect(failures).toEqual([]);
    expect({ jobs, done }).toEqual({ jobs: 200, done: 200 });
    for (const ms of freedMs) expect(ms).toBeLessThan(SOON_MS);
    // No more than that can be asked of a machine that may have other work to do: the calls take their time.
    expect(freedMs).toHaveLength(PROCESSES);
    for (const ms of firstFreshMs) expect(ms).toBeLessThan(5 * SOON_MS);
  };
  const print = ({ rejected, newsMs, freedMs, freshMs, firstFreshMs }: StormFigures): string => {
    const list = (values: readonly number[]): string => values.map((ms) => ms.toFixed(1)).join(', ');
    return `401s: ${rejected.length}; news after ${list(newsMs)} ms; fresh auth: known after ${list(freedMs)} ms, first call of each process after ${list(firstFreshMs)} ms, \
jobs p50 ${percentile(freshMs, 50).toFixed(1)} ms, p99 ${percentile(freshMs, 99).toFixed(1)} ms`;
  };

  it('cold, it costs one 401 and one report in all, and fresh auth presented to one process frees everybody', async ({ annotate }) => {
    const figures = await play({ warm: false, atOnce: WORKERS_EACH, withinMs: 0 });
    await annotate(print(figures));
    expect(figures.rejected).toHaveLength(1);
    expect(figures.reports).toBe(1);
    expectAllFreed(figures);
  });

  it('warm, it costs no more 401s than calls were out when the verdict was given', async ({ annotate }) => {
    const slowMs = 2 * SOON_MS;
    // What this one knows in time it has from the others: it is long before its own first call is answered.
    upstream.slow('process 4', slowMs);
    const figures = await play({ warm: true, atOnce: WORKERS_EACH / 2, withinMs: 1.5 * SOON_MS });
    await annotate(print(figures));
    const { rejected, newsMs } = figures;
    for (const ms of newsMs) expect(ms).toBeLessThan(SOON_MS);

    expect(rejected.filter(({ out }) => !out)).toEqual([]);
    for (const { name } of processes) {
      const ofProcess = rejected.filter(({ process }) => process === name);
      // There was a storm, and it was cut short.
      expect(ofProcess.length).toBeGreaterThanOrEqual(WORKERS_EACH / 2);
      expect(ofProcess.length).toBeLessThan(WORKERS_EACH);
    }
    expect(figures.reports).toBe(1);
    expectAllFreed(figures);
  });
});
