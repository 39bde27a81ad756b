import type { ScaleCase } from './children/scale.js';
import { measure, medians } from './support/child.js';
import type { Bench } from './support/report.js';

const RUNS = 3;
const CASES: readonly ScaleCase[] = (['resolve', 'capture', 'run', 'idle tick'] as const).flatMap((name) =>
  [1e3, 1e4, 1e5, 1e6].map((sessions) => ({ name, sessions })),
);

export const scale: Bench = {
  name: 'scale',

  async measure() {
    const figures = await medians(CASES, RUNS, (one) => measure<{ nsPerCall: number; timesMapGet: number }>('scale', one));
    return CASES.map((one, index) => ({ ...one, ...figures[index]! }));
  },

  target({ name, timesMapGet }) {
    return name === 'resolve' || name === 'idle tick' ? { wanted: '3 x Map.get', met: Number(timesMapGet) <= 3 } : undefined;
  },

  notes: [
    'Each session has a credential of its own and has run once. timesMapGet: against a loop over a Map of as many sessions, in the same order and',
    'the same process, turn by turn. `idle tick` is canRun for every session; `capture` presents the live credential again that its session has;',
    '`run` is sent as it comes, so the larger the round, the more credentials were last proven more than proofMs ago and send a canary.',
  ],
};
