import { isShown, RECOVERABLE_COLD_TOO } from './scenarios/case.js';
import { WORKERS } from './scenarios/storm.js';
import type { Bench } from './support/report.js';
import { playRounds, ROUNDS } from './support/rounds.js';

export const storm: Bench = {
  name: 'storm',

  measure: () =>
    playRounds('storm', RECOVERABLE_COLD_TOO, ({ failed, callsOut, refreshes, upstream401s, upstreamCalls }) =>
      // Of those that nobody need have had, there is none in most rounds.
      [failed, Math.max(0, Number(upstream401s) - Number(callsOut)), refreshes, upstream401s, upstreamCalls].map(Number),
    ),

  target(row) {
    const { upstreamCalls, upstream401s, refreshes, failed, callsOut } = row as Readonly<Record<string, number>>;
    if (row.name === 'latchkey cold')
      return {
        wanted: `1 x 401, ${WORKERS + 2} calls, 0 failed`,
        met: upstream401s === 1 && Number(upstreamCalls) <= WORKERS + 2 && failed === 0,
      };
    const isQuiet = Number(upstream401s) <= Number(callsOut) && failed === 0;
    if (row.name === 'latchkey') return { wanted: '401s <= callsOut, 0 failed', met: isQuiet };
    if (row.name === 'latchkey refresh') return { wanted: '401s <= callsOut, 1 refresh, 0 failed', met: isQuiet && refreshes === 1 };
    return undefined;
  },

  rounds: ROUNDS,

  readme: {
    columns: {
      name: '',
      upstreamCalls: 'calls',
      upstream401s: '401s',
      callsOut: 'under way at the first 401',
      refreshes: 'refreshes',
      failed: 'failed',
    },
    shows: isShown,
  },

  notes: [
    `${WORKERS} workers start within 30 ms on one token that has just expired; the upstream takes 5 to 60 ms, fresh auth or a refresh 20 ms. Each round has its own`,
    'seed, and a process of its own. callsOut: calls that had left when the upstream answered the first 401. Cold: the token had never worked.',
  ],
};
