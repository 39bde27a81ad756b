import { importBuilt } from '../support/built.js';
import { subject } from '../support/child.js';
import { flat, sessionIds, tokenOf } from '../support/sessions.js';

/** One case of `npm run bench -- memory`; `flat` captures so many more, past the bound. */
export interface MemoryCase {
  readonly name: 'filled' | 'flat';
  readonly sessions: number;
  readonly captures?: number | undefined;
}

const { name, sessions, captures = 0 } = subject<MemoryCase>();
const { createLatchkey, bearer } = await importBuilt();
// Made before the first measurement: its bounded tables are set up for the limit at once, whoever comes.
const latchkey = createLatchkey({ limits: { sessions } });
console.log(JSON.stringify(name === 'flat' ? flatAfter() : filled()));

function filled(): { bytesPerSession: number } {
  const ids = sessionIds(sessions);
  const tokens = ids.map((_, index) => tokenOf(index));
  const before = used();
  for (let at = 0; at < sessions; at++) latchkey.capture(ids[at]!, bearer(tokens[at]!));
  const bytesPerSession = (used() - before) / sessions;
  // Alive until here, and so in both measurements.
  if (tokens.length !== ids.length || latchkey.stats().sessions !== sessions) throw new Error('not every session is there');
  return { bytesPerSession };
}

/** From when the bound is well passed, so that what is bounded is full. */
function flatAfter(): { heapGrowthPercent: number } {
  let next = 0;
  const captureMore = (count: number): void => {
    for (const end = next + count; next < end; next++) latchkey.capture(flat(`session-${next}`), bearer(tokenOf(next)));
  };
  captureMore(sessions * 10);
  const before = used();
  captureMore(captures);
  const heapGrowthPercent = ((used() - before) / before) * 100;
  if (latchkey.stats().sessions !== sessions) throw new Error('the bound does not hold');
  return { heapGrowthPercent };
}

function used(): number {
  if (gc === undefined) throw new Error('memory.ts is started with --expose-gc');
  // What the first collection finalises, the next can free.
  for (let round = 0; round < 4; round++) gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
