import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { moment } from '../../test/fleet/processes/commands.js';
import type { FleetProcess } from '../../test/fleet/processes/driver.js';
import { percentile } from '../../test/fleet/processes/storm.js';
import { until } from '../../test/fleet/processes/until.js';
import type { Row } from '../support/report.js';

const SCOPE = { session: 'propagation' };
const ROUNDS = 200;
/** So that whoever looks is looking before there is something to be seen. */
const LOOKING_MS = 2;

/** How long news of a process takes to be heeded in another one, beside what a bare message between two connections takes. */
export async function measurePropagation(processes: readonly FleetProcess[], redisUrl: string): Promise<Row[]> {
  const [first, ...others] = processes as [FleetProcess, ...FleetProcess[]];
  const freshMs: number[] = [];
  const rejectedMs: number[] = [];
  await first.tell.capture(SCOPE, 'propagation-token');
  await Promise.all(others.map(({ tell }) => tell.whenRunnable(SCOPE, 5_000)));
  for (let round = 0; round < ROUNDS; round++) {
    const { tell } = others[round % others.length]!;
    const seen = tell.seen(SCOPE, false);
    await setTimeout(LOOKING_MS);
    const settledAt = await first.tell.settle(SCOPE, 401);
    rejectedMs.push((await seen) - settledAt);

    const parked = tell.run(SCOPE, 'park');
    await until('the worker is parked', async () => (await tell.stats()).waiting === 1);
    const capturedAt = await first.tell.capture(SCOPE, `propagation-token-${round}`);
    const result = await parked;
    if ('code' in result) throw new Error(`the parked run ended with ${result.code}`);
    freshMs.push(result.at - capturedAt);
    await Promise.all(others.map((one) => one.tell.seen(SCOPE, true)));
  }
  const messageMs = await measureMessages(redisUrl);
  return [
    { name: 'bare message', processes: 1, rounds: ROUNDS, newsMsP50: percentile(messageMs, 50), newsMsP99: percentile(messageMs, 99) },
    {
      name: 'rejection',
      processes: processes.length,
      rounds: ROUNDS,
      newsMsP50: percentile(rejectedMs, 50),
      newsMsP99: percentile(rejectedMs, 99),
    },
    {
      name: 'fresh auth',
      processes: processes.length,
      rounds: ROUNDS,
      freshAuthMsP50: percentile(freshMs, 50),
      freshAuthMsP99: percentile(freshMs, 99),
    },
  ];
}

async function measureMessages(redisUrl: string): Promise<number[]> {
  const [speaker, listener] = [new Redis(redisUrl), new Redis(redisUrl)];
  const takenMs: number[] = [];
  try {
    await listener.subscribe('bare');
    for (let round = 0; round < ROUNDS; round++) {
      const heard = new Promise<number>((resolve) => listener.once('message', () => resolve(moment())));
      await setTimeout(LOOKING_MS);
      const at = moment();
      void speaker.publish('bare', 'news');
      takenMs.push((await heard) - at);
    }
    return takenMs;
  } finally {
    speaker.disconnect();
    listener.disconnect();
  }
}
