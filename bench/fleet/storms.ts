import { randomUUID } from 'node:crypto';
import { type FleetProcess, openFleet } from '../../test/fleet/processes/driver.js';
import { percentile, type StormFigures, storm } from '../../test/fleet/processes/storm.js';
import { startStormUpstream } from '../../test/fleet/processes/storm-upstream.js';
import { sentryEndpoint } from '../../test/support/sentry-endpoint.js';
import { started } from '../support/progress.js';
import type { Row } from '../support/report.js';
import { CommandCounter, type Commands } from './command-counter.js';

const WORKERS_EACH = 50;
const ROUNDS = 5;
/** Cold, all of them wait behind one call; warm, some come later than the first answer. */
const STARTS = { cold: { atOnce: WORKERS_EACH, withinMs: 0 }, warm: { atOnce: 0, withinMs: 30 } };

/** Fifty workers of each process on one dead token, which was never proven or a moment ago. */
export async function measureStorms(processes: readonly FleetProcess[], opening: { redisUrl: string; seal: string }): Promise<Row[]> {
  const counter = new CommandCounter(opening.redisUrl);
  const [upstream, endpoint] = await Promise.all([startStormUpstream(), sentryEndpoint()]);
  const play = async (warm: boolean): Promise<StormFigures> => {
    upstream.clear();
    endpoint.clear();
    await openFleet(processes, { ...opening, namespace: randomUUID(), dsn: endpoint.dsn });
    try {
      return await storm({ processes, upstream, endpoint, workersEach: WORKERS_EACH, ...STARTS[warm ? 'warm' : 'cold'], warm });
    } finally {
      await Promise.all(processes.map(({ tell }) => tell.close()));
    }
  };
  try {
    const rows: Row[] = [];
    for (const warm of [false, true]) {
      const name = warm ? 'storm warm' : 'storm cold';
      const rounds: StormFigures[] = [];
      const commands = await counter.during(async () => {
        while (rounds.length < ROUNDS) {
          started(`${name}, round ${rounds.length + 1} of ${ROUNDS}`);
          rounds.push(await play(warm));
        }
      });
      rows.push(rowOf(name, processes.length, rounds, commands));
    }
    return rows;
  } finally {
    counter.close();
    await Promise.all([upstream.close(), endpoint.close()]);
  }
}

/** The worst round's counts; times of all. */
function rowOf(name: string, processes: number, rounds: readonly StormFigures[], { sent, inside }: Commands): Row {
  const worst = rounds.reduce((a, b) => (b.rejected.length > a.rejected.length ? b : a));
  const calls = rounds.reduce((sum, round) => sum + round.calls, 0);
  const firstMs = rounds.flatMap(({ firstFreshMs }) => firstFreshMs);
  return {
    name,
    processes,
    rounds: rounds.length,
    jobs: worst.jobs,
    upstream401s: worst.rejected.length,
    callsOut: worst.rejected.filter(({ out }) => out).length,
    reports: Math.max(...rounds.map(({ reports }) => reports)),
    freshAuthMsP50: percentile(firstMs, 50),
    freshAuthMsP99: percentile(firstMs, 99),
    jobsLost: rounds.reduce((lost, { jobs, done }) => lost + jobs - done, 0),
    commandsPerCall: sent / calls,
    insideScripts: inside / calls,
  };
}
