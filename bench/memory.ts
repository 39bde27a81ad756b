import type { MemoryCase } from './children/memory.js';
import { measure, medians } from './support/child.js';
import type { Bench, Row } from './support/report.js';

const RUNS = 3;
const MOST_BYTES = 450;
/** What counts as flat: a collector's leftovers come and go. */
const MOST_GROWTH_PERCENT = 2;

const FILLED: readonly MemoryCase[] = [1e5, 1e6].map((sessions) => ({ name: 'filled', sessions }));
const FLAT: MemoryCase = { name: 'flat', sessions: 1e4, captures: 1e7 };

export const memory: Bench = {
  name: 'memory',

  async measure() {
    const filled = await medians(FILLED, RUNS, (one) => take<'bytesPerSession'>(one));
    const [flat] = await medians([FLAT], 1, (one) => take<'heapGrowthPercent'>(one));
    const rows: Row[] = FILLED.map(({ sessions }, index) => ({ name: 'latchkey', sessions, ...filled[index]! }));
    return [...rows, { name: 'flat', ...flat! }];
  },

  target({ name, bytesPerSession, heapGrowthPercent }) {
    return name === 'flat'
      ? { wanted: `${MOST_GROWTH_PERCENT} %`, met: Number(heapGrowthPercent) <= MOST_GROWTH_PERCENT }
      : { wanted: `${MOST_BYTES} bytes`, met: Number(bytesPerSession) <= MOST_BYTES };
  },

  notes: [
    "Heap and external memory beyond the caller's own strings (session ids and tokens), one distinct credential per session. The Latchkey itself, whose",
    'tables are sized for `limits.sessions` at once, is made before the first measurement. `flat`: growth from ten times the bound to 1e7 captures more.',
  ],
};

function take<Name extends string>(one: MemoryCase): Promise<Record<Name, number>> {
  return measure<Record<Name, number>>('memory', one, ['--expose-gc']);
}
