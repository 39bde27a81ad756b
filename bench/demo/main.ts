import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { table } from '../support/table.js';
import { readIncident } from './incident.js';
import { POLICIES } from './policies/all.js';
import type { Tally } from './replay.js';
import { SETTINGS } from './settings.js';

const startedAt = performance.now();
const played = await Promise.all(POLICIES.map(({ name }) => play(name)));
const settings = SETTINGS.map(({ name }, index) => ({ name, policies: played.map((tallies) => tallies[index]!) }));

// What was borrowed is the rest of the calls, and no field of its own in the document for machines.
const forMachines = settings.map(({ name, policies }) => ({ name, policies: policies.map(({ borrowedWorkDone: _, ...tally }) => tally) }));
if (process.argv.includes('--json')) console.log(JSON.stringify({ settings: forMachines }));
else print();

async function play(policy: string): Promise<Tally[]> {
  const child = fork(fileURLToPath(new URL('./play.ts', import.meta.url)), [policy], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const tallies = once(child, 'message').then(([message]) => message as Tally[]);
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`the replay of ${policy} ended with ${code}`);
  return tallies;
}

function print(): void {
  const { outages, failingTicks, tickMs, lastTick } = readIncident();
  console.log(
    `${outages.length} users whose token expires; ${failingTicks} ticks of ${tickMs / 1_000} s without a live one, of ${lastTick + 1} for each user.\n`,
  );
  for (const { name, policies } of settings) {
    console.log(`${name}\n`);
    const rows = policies.map((tally) => [
      tally.name,
      tally.upstreamCalls,
      tally.upstream401s,
      tally.sentryEvents,
      tally.foreignCredentialCalls,
      tally.ownWorkDone,
      tally.borrowedWorkDone,
    ]);
    console.log(table(['policy', 'upstream calls', '401s', 'Sentry events', "others' credentials", 'own work', 'borrowed work'], rows));
    console.log('');
  }
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  console.log(
    "others' credentials: calls made with a credential of somebody else than the user whose work it was.\n" +
      "Left out, for all policies alike: the Sentry SDK's Dedupe integration, and the pressure on its transport's buffer (captures are paced, so " +
      `that none is dropped). Took ${seconds} s.`,
  );
}
