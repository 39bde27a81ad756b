import { endFleet, openFleet, startProcesses } from '../test/fleet/processes/driver.js';
import { startRedis } from '../test/support/redis-server.js';
import { measureCalls } from './fleet/calls.js';
import { measureCommands } from './fleet/commands.js';
import { measurePropagation } from './fleet/propagation.js';
import { measureStorms } from './fleet/storms.js';
import { started } from './support/progress.js';
import type { Bench, Row } from './support/report.js';

const PROCESSES = 4;
const SEAL = 'a sealing secret of 32 characters or more';
const SOON_MS = 1_000;

export const fleet: Bench = {
  name: 'fleet',

  async measure() {
    const server = await startRedis();
    const redisUrl = server.url;
    try {
      const calls = await measureCalls(redisUrl);
      const processes = await startProcesses(PROCESSES, { from: 'dist' });
      try {
        const alone = async (namespace: string, take: () => Promise<Row[]>): Promise<Row[]> => {
          started(namespace);
          await openFleet(processes, { redisUrl, namespace, seal: SEAL });
          const rows = await take();
          await Promise.all(processes.map(({ tell }) => tell.close()));
          return rows;
        };
        return [
          ...(await measureStorms(processes, { redisUrl, seal: SEAL })),
          ...(await alone('propagation', () => measurePropagation(processes, redisUrl))),
          ...(await alone('commands', () => measureCommands(processes, redisUrl))),
          ...calls,
        ];
      } finally {
        await endFleet(processes);
      }
    } finally {
      await server.stop();
    }
  },

  target(row) {
    const { upstream401s, callsOut, reports, jobsLost, freshAuthMsP99 } = row as Readonly<Record<string, number>>;
    const isSoon = Number(freshAuthMsP99) <= SOON_MS;
    const noneLost = reports === 1 && jobsLost === 0;
    if (row.name === 'storm cold')
      return { wanted: `1 x 401, 1 report, ${SOON_MS} ms, 0 lost`, met: upstream401s === 1 && noneLost && isSoon };
    if (row.name === 'storm warm')
      return {
        wanted: `401s <= callsOut, 1 report, ${SOON_MS} ms, 0 lost`,
        met: Number(upstream401s) <= Number(callsOut) && noneLost && isSoon,
      };
    return row.name === 'fresh auth' ? { wanted: `${SOON_MS} ms`, met: isSoon } : undefined;
  },

  notes: [
    'Processes of their own on a redis-server of their own, by turns on node-redis and ioredis; the storms with the real @sentry/node in each, which sends to a',
    'loopback endpoint that counts events. Cold: the token was never proven. Warm: it served every process a moment before it died. 401s and calls are of the',
    'worst round; callsOut had left before the first 401 was answered, or before that was known in their process. freshAuthMs: from a capture in one process to',
    'the first good call of each (storms), or to the end of a run that is parked in another (fresh auth). newsMs: from a settled 401 until another process',
    'says that the scope cannot run; `bare message`: a PUBLISH from one connection to another in one process. commandsPerCall: what the processes send (EVALSHA,',
    'EVAL, PING), insideScripts: what scripts do on the server; for each of what the row names, all processes and their regular looks together. Steady state: each',
    'process makes 200 calls a second and presents the credential again at every hundredth. nsPerCall: around an async function that resolves at once.',
  ],
};
