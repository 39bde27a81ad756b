import { DEAD_COLD_TOO, isShown, type ScenarioCase } from './scenarios/case.js';
import { IDLE_TICKS } from './scenarios/dead.js';
import type { Bench } from './support/report.js';
import { playRounds, ROUNDS } from './support/rounds.js';

const REFUSED: ScenarioCase = { name: 'latchkey invalid_grant', policy: 'latchkey refresh', warm: true, brings: 'invalid_grant' };

export const revoked: Bench = {
  name: 'revoked',

  measure: () =>
    playRounds('revoked', [...DEAD_COLD_TOO, REFUSED], ({ upstream401s, refreshes, reports }) =>
      [upstream401s, refreshes, reports].map(Number),
    ),

  target(row) {
    const isQuiet = row['upstream401s'] === 1 && row['reports'] === 1;
    if (row.name === 'latchkey' || row.name === 'latchkey cold') return { wanted: '1 x 401, 1 report', met: isQuiet };
    if (row.name.startsWith('latchkey')) return { wanted: '1 x 401, 1 refresh, 1 report', met: isQuiet && row['refreshes'] === 1 };
    return undefined;
  },

  rounds: ROUNDS,

  readme: { columns: { name: '', upstream401s: '401s', refreshes: 'refreshes', reports: 'reports' }, shows: isShown },

  notes: [
    `${IDLE_TICKS} ticks, one after another without a pause, of a loop that has one dead token. \`latchkey refresh\`: a refresh brings that token again; a loop that ticks`,
    'for longer asks again once in ten minutes. `latchkey invalid_grant`: it is refused, and not asked for again. ticksDone: those whose call succeeded.',
    "reports: of latchkey, of its incidents; of the others, failures that the loop around them hears of, without a breaker's or a skip's refusals.",
  ],
};
