import { BUILT } from './support/built.js';
import { medians, node } from './support/child.js';
import type { Bench } from './support/report.js';

const RUNS = 25;
const MOST_MS = 15;
const RSS = 'process.stdout.write(String(process.memoryUsage.rss()))';
const CASES = [
  { name: 'node', program: RSS },
  { name: 'latchkey', program: `import(${JSON.stringify(BUILT)}).then(() => ${RSS})` },
];

export const startup: Bench = {
  name: 'startup',

  async measure() {
    const figures = await medians(CASES, RUNS, async ({ program }) => {
      const startedAt = performance.now();
      const rss = Number(await node(['-e', program]));
      return { ms: performance.now() - startedAt, rssMb: rss / 2 ** 20 };
    });
    return CASES.map(({ name }, index) => ({ name, ...figures[index]! }));
  },

  target({ name, ms }, rows) {
    if (name !== 'latchkey') return undefined;
    const more = Number(ms) - Number(rows.find((row) => row.name === 'node')?.['ms']);
    return { wanted: `${more.toFixed(1)} ms more than node; ${MOST_MS}`, met: more <= MOST_MS };
  },

  notes: ['From the start of the process to its end: `node -e` with nothing, and with an import of the package, in turn.'],
};
