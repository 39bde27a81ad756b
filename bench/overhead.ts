import type { OverheadCase } from './children/overhead.js';
import { measure, medians } from './support/child.js';
import type { Bench, Row } from './support/report.js';

const RUNS = 5;
const CALLS = ['bare', 'latchkey.run', 'latchkey.skip', 'p-retry', 'cockatiel', 'opossum', 'smithy'];
const LOOK_UPS = ['Map.get', 'latchkey.canRun', 'latchkey.resolve'];
const SLOWER_PEERS = ['p-retry', 'cockatiel', 'opossum'];

const CASES: readonly OverheadCase[] = [
  ...CALLS.map((name) => ({ name })),
  ...LOOK_UPS.flatMap((name) =>
    [1e3, 1e5].flatMap((sessions) => (['insertion', 'shuffled'] as const).map((order) => ({ name, sessions, order }))),
  ),
];

export const overhead: Bench = {
  name: 'overhead',

  async measure() {
    const figures = await medians(CASES, RUNS, (one) => measure<{ nsPerCall: number }>('overhead', one));
    return CASES.map(({ name, sessions, order }, index) => ({
      name,
      ...figures[index]!,
      ...(sessions === undefined ? {} : { sessions, order }),
    }));
  },

  target(row, rows) {
    const ns = Number(row['nsPerCall']);
    if (row.name === 'latchkey.run') {
      const limit = figure(rows, 'bare') + 500;
      const peers = SLOWER_PEERS.map((name) => figure(rows, name));
      return { wanted: `bare + 500, and below ${SLOWER_PEERS.join(', ')}`, met: ns <= limit && peers.every((peer) => ns < peer) };
    }
    if (row.name === 'latchkey.skip') return { wanted: '300', met: ns <= 300 };
    if (row.name !== 'latchkey.canRun' && row.name !== 'latchkey.resolve') return undefined;
    const map = figure(rows, 'Map.get', row);
    const times = `${(ns / map).toFixed(2)} x Map.get`;
    return row['order'] === 'insertion' ? { wanted: `${times}; 3`, met: ns <= 3 * map } : { wanted: times, met: undefined };
  },

  notes: [
    'Around an async function that resolves at once, one call after another. No peer has a time limit, so opossum is run without its own.',
    'The sessions that are asked about have each run once with a credential of their own. Only insertion order has a target.',
  ],
};

function figure(rows: readonly Row[], name: string, like?: Row): number {
  const found = rows.find((row) => row.name === name && row['sessions'] === like?.['sessions'] && row['order'] === like?.['order']);
  return Number(found?.['nsPerCall']);
}
