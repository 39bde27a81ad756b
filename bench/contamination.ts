import { isOwn, SHARED } from './scenarios/case.js';
import { TICKS, WORKERS } from './scenarios/contamination.js';
import type { Bench } from './support/report.js';
import { playRounds, ROUNDS } from './support/rounds.js';

export const contamination: Bench = {
  name: 'contamination',

  measure: () =>
    playRounds('contamination', SHARED, ({ foreignCredentialCalls, healthyScopesBlocked, upstream401s }) =>
      [foreignCredentialCalls, healthyScopesBlocked, upstream401s].map(Number),
    ),

  target(row) {
    if (!isOwn(row)) return undefined;
    return { wanted: '0 foreign, 0 blocked', met: row['foreignCredentialCalls'] === 0 && row['healthyScopesBlocked'] === 0 };
  },

  rounds: ROUNDS,

  readme: {
    columns: {
      name: '',
      foreignCredentialCalls: "calls with somebody else's credential",
      healthyScopesBlocked: 'healthy scopes blocked, of 3',
      upstream401s: '401s',
      instances: 'instances',
    },
  },

  notes: [
    `Two tenants work with two providers, a token for each of the four; one token is revoked. ${TICKS} ticks, ${WORKERS} pieces of work a tick for each of the four.`,
    'instances: how many of its own objects a gateway keeps for them, each used as its documentation says: one a session for clients that hold a token, one a',
    'provider for breakers, one in all for those that know of sessions. A client that holds one token keeps tenants apart as long as nobody shares it.',
  ],
};
