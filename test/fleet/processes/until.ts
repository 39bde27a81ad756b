import { setTimeout } from 'node:timers/promises';
import { moment } from './commands.js';

const DEADLINE_MS = 20_000;
const EVERY_MS = 10;

/** What other processes do takes real time. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const end = moment() + DEADLINE_MS; !(await isSo()); await setTimeout(EVERY_MS)) {
    if (moment() > end) throw new Error(`${what}: not within ${DEADLINE_MS} ms`);
  }
}
