import { inspect, parseArgs } from 'node:util';
import { startRedis } from '../support/redis-server.js';
import { type Shared, sharedMemory, sharedRedis } from './carriers.js';
import { Group } from './group.js';
import { Laws } from './laws.js';
import { collector, countTimers, type Sample, sample } from './measure.js';
import { type Plan, planOf } from './plan.js';
import { Random } from './random.js';
import { pause } from './runs.js';
import { printed, summaryOf } from './summary.js';

// A run in real time, with periods of milliseconds: real timers, real collections and real interleavings are what a virtual clock would take away, and what
// leaks are made of. The seed decides what is done, in which order, and how tokens fare; when exactly is the machine's.
//
// Some groups live for an era of seconds, so that hundreds of configurations are seen and each one's end is; others for the whole run, in which what one
// Latchkey gathers would show.

const ERA_MS = 15_000;
const LAST_CALLS_MS = 1_000;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    redis: { type: 'boolean', default: false },
    events: { type: 'string', default: '5000' },
    json: { type: 'boolean', default: false },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (!(minutes > 0) || !Number.isSafeInteger(seed))
  throw new TypeError('soak: `--minutes` must be a number above 0, `--seed` a whole number');

const timers = countTimers();
const collect = collector();
const laws = new Laws(Number(values.events), (law, what, last) => fail(`${law} is broken: ${what}`, last));
setInterval(() => {
  laws.turnedAt = Date.now();
}, 5).unref();
process.on('unhandledRejection', (reason) => laws.check('handled', false, () => `unhandled rejection: ${inspect(reason)}`));
process.on('uncaughtException', (error) => laws.check('handled', false, () => `uncaught exception: ${inspect(error)}`));
process.on('warning', (warning) => laws.check('handled', false, () => `warning: ${inspect(warning)}`));

const random = new Random(seed);
// In no name, and long enough to be found nowhere by chance; with characters that are written otherwise in a URL.
const secret = `s/k+${random.below(2 ** 32).toString(36)}${random.below(2 ** 32).toString(36)}=`;
const operations = new Map<string, number>();
const samples: Sample[] = [];
let processes = 0;
const end = performance.now() + minutes * 60_000;
const server = values.redis ? await startRedis() : undefined;

/** What is told of the events before the end: the last, and before them those that name a credential that it is about, or a trouble. */
const TOLD_LAST = 60;

function fail(what: string, last: readonly string[]): never {
  const about = ['trouble:', ...(what.match(/\b[0-9a-f]{16}\b/g) ?? [])];
  const before = last.slice(0, -TOLD_LAST).filter((event) => about.some((name) => event.includes(name)));
  process.stderr.write(
    `${[...before, ...last.slice(-TOLD_LAST)].join('\n')}\n\n${what}\n\nnpm run soak -- --minutes ${minutes} --seed ${seed}${values.redis ? ' --redis' : ''}\n`,
  );
  process.exit(1);
}

function start(plan: Plan, share: ((random: Random) => Shared) | undefined): Promise<Group> {
  const own = random.fork();
  return Group.start({ plan, random: own, laws, secret, operations, shared: share?.(own.fork()), number: () => ++processes });
}

const lifelong: Promise<Group>[] = [start({ ...planOf(random, 'lifelong', 'tight'), hasRefresh: true }, undefined)];
if (server !== undefined)
  lifelong.push(
    start({ ...planOf(random, 'lifelong on redis', 'fleet'), lives: { fromMs: 500, toMs: 4_000 } }, (own) => sharedRedis(own, server)),
  );
const working = (await Promise.all(lifelong)).map(async (group) => {
  await group.work(end);
  await group.end();
});

/** Nothing of it is held once it is over. */
async function live(era: number, until: number): Promise<void> {
  const groups = await Promise.all([
    start(planOf(random, `era ${era}, roomy`, 'roomy'), undefined),
    start(planOf(random, `era ${era}, tight`, 'tight'), undefined),
    start(planOf(random, `era ${era}, fleet`, 'fleet'), sharedMemory),
  ]);
  await Promise.all(groups.map((group) => group.work(until)));
  await Promise.all(groups.map((group) => group.end()));
}

for (let era = 1; performance.now() < end; era++) {
  await live(era, Math.min(performance.now() + ERA_MS, end));
  // What was called off goes on for a moment.
  await pause(LAST_CALLS_MS);
  samples.push(await sample(collect, timers));
}
await Promise.all(working);
await server?.stop();
laws.check('handled', true, () => '');

const summary = summaryOf({ seed, minutes, operations, laws, samples });
process.stdout.write(`${values.json ? JSON.stringify(summary) : printed(summary)}\n`);
process.exitCode = summary.grew.length === 0 ? 0 : 1;
