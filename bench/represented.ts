import { DEAD, isShown, type ScenarioCase } from './scenarios/case.js';
import { PRESENTATIONS } from './scenarios/dead.js';
import type { Bench } from './support/report.js';
import { playRounds, ROUNDS } from './support/rounds.js';

const SUCCEEDS: ScenarioCase = { name: 'latchkey refresh succeeds', policy: 'latchkey refresh', warm: true, brings: 'new' };

export const represented: Bench = {
  name: 'represented',

  measure: () =>
    playRounds('represented', [...DEAD, SUCCEEDS], ({ upstream401s, refreshes, reports, ticksDone }) =>
      [upstream401s, refreshes, reports, -Number(ticksDone)].map(Number),
    ),

  target(row) {
    const { upstream401s, refreshes, reports, ticksDone } = row;
    const isQuiet = upstream401s === 1 && reports === 1;
    if (row.name === 'latchkey' || row.name === 'latchkey cold') return { wanted: '1 x 401, 1 report', met: isQuiet };
    if (row.name === 'latchkey refresh') return { wanted: '1 x 401, 1 refresh, 1 report', met: isQuiet && refreshes === 1 };
    if (row.name === SUCCEEDS.name)
      return {
        wanted: `1 x 401, 1 refresh, 0 reports, ${PRESENTATIONS} done`,
        met: upstream401s === 1 && refreshes === 1 && reports === 0 && ticksDone === PRESENTATIONS,
      };
    return undefined;
  },

  rounds: ROUNDS,

  readme: { columns: { name: '', upstream401s: '401s', refreshes: 'refreshes', reports: 'reports' }, shows: isShown },

  notes: [
    `A client presents a dead token ${PRESENTATIONS} times, and a loop ticks after each. \`latchkey refresh\`: a refresh brings that token again. \`latchkey refresh succeeds\`:`,
    'it brings a new one, while the client goes on with the old. ticksDone: those whose call succeeded.',
    "reports: of latchkey, of its incidents; of the others, failures that the loop around them hears of, without a breaker's or a skip's refusals.",
  ],
};
