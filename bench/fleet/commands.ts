import { setTimeout } from 'node:timers/promises';
import type { FleetProcess } from '../../test/fleet/processes/driver.js';
import type { Row } from '../support/report.js';
import { add, CommandCounter, type Commands } from './command-counter.js';

const SCOPE = { session: 'commands' };
const STEADY = { calls: 1_000, everyMs: 5, presentEvery: 100 };
const ROUNDS = 100;
/** What follows upon a change is over by then. */
const AFTERWARDS_MS = 20;

/** How many commands the server gets, and does. */
export async function measureCommands(processes: readonly FleetProcess[], redisUrl: string): Promise<Row[]> {
  const counter = new CommandCounter(redisUrl);
  try {
    const [first] = processes as [FleetProcess];
    await first.tell.capture(SCOPE, 'steady-token');
    await Promise.all(processes.map(({ tell }) => tell.run(SCOPE, 'throw')));

    const seconds = (STEADY.calls * STEADY.everyMs) / 1_000;
    const idle = await counter.during(() => setTimeout(seconds * 1_000));
    const steady = await counter.during(() => Promise.all(processes.map(({ tell }) => tell.pace(SCOPE, 'steady-token', STEADY))));
    const [capture, rejection] = await measureChanges(processes, counter);

    const calls = STEADY.calls * processes.length;
    const row = (name: string, { sent, inside }: Commands, each: number): Row => ({
      name,
      processes: processes.length,
      commandsPerCall: sent / each,
      insideScripts: inside / each,
    });
    return [
      row('idle, a second and process', idle, seconds * processes.length),
      row('steady state, a call', steady, calls),
      row('a fresh capture', capture, ROUNDS),
      row('a rejection', rejection, ROUNDS),
    ];
  } finally {
    counter.close();
  }
}

async function measureChanges(processes: readonly FleetProcess[], counter: CommandCounter): Promise<[Commands, Commands]> {
  const [first] = processes as [FleetProcess];
  const everywhere = async (canRun: boolean): Promise<void> => {
    await Promise.all(processes.map(({ tell }) => tell.seen(SCOPE, canRun)));
    await setTimeout(AFTERWARDS_MS);
  };
  let [capture, rejection]: [Commands, Commands] = [
    { sent: 0, inside: 0 },
    { sent: 0, inside: 0 },
  ];
  await first.tell.settle(SCOPE, 401);
  await everywhere(false);
  for (let round = 0; round < ROUNDS; round++) {
    const presented = await counter.during(async () => {
      await first.tell.capture(SCOPE, `commands-token-${round}`);
      await everywhere(true);
    });
    const rejected = await counter.during(async () => {
      await first.tell.settle(SCOPE, 401);
      await everywhere(false);
    });
    capture = add(capture, presented);
    rejection = add(rejection, rejected);
  }
  return [capture, rejection];
}
