import { RECOVERABLE } from './scenarios/case.js';
import type { Bench } from './support/report.js';
import { playRounds, ROUNDS } from './support/rounds.js';

export const late: Bench = {
  name: 'late',

  measure: () =>
    playRounds('late', RECOVERABLE, ({ failed, newTokenUsable, refreshes, upstream401s }) =>
      [failed, newTokenUsable === true ? 0 : 1, refreshes, upstream401s].map(Number),
    ),

  target(row) {
    const isSound = row['failed'] === 0 && row['newTokenUsable'] === true;
    if (row.name === 'latchkey' || row.name === 'latchkey cold') return { wanted: '0 failed, new token usable', met: isSound };
    if (row.name === 'latchkey refresh') return { wanted: '1 refresh, 0 failed, new token usable', met: isSound && row['refreshes'] === 1 };
    return undefined;
  },

  rounds: ROUNDS,

  readme: { columns: { name: '', refreshes: 'refreshes', failed: 'failed', newTokenUsable: 'new token usable at once' } },

  notes: [
    'Two calls leave with the old token, and are turned away after 5 and 60 ms; the new token is there after 10 ms. Cold: the token had never worked, so the second',
    'call waits for what the first one learns. newTokenUsable: the next call goes out with it and gets through at once.',
  ],
};
