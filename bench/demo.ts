import type { Tally } from './demo/replay.js';
import { node } from './support/child.js';
import type { Bench, Row } from './support/report.js';

const DEAD_TOKENS = 19;
/** What distinguishes a setting, where its name does not say it. */
const EXPLAINED: Readonly<Record<string, string>> = {
  'as clients behave': 'as clients behave: the dead token again every 10 ticks, three workers a tick',
  'one shared gateway': `one shared gateway, ${DEAD_TOKENS} tenants`,
};

interface Played {
  readonly settings: readonly { readonly name: string; readonly policies: readonly Omit<Tally, 'borrowedWorkDone'>[] }[];
}

/** `npm run demo`, as a table. */
export const demo: Bench = {
  name: 'demo',

  async measure() {
    const { settings } = JSON.parse(await node(['--import', 'tsx', 'bench/demo/main.ts', '--json'])) as Played;
    return settings.flatMap(({ name: setting, policies }) =>
      policies.map((tally, index): Row => ({ ...tally, setting: index === 0 ? (EXPLAINED[setting] ?? setting) : '' })),
    );
  },

  target(row, rows) {
    if (row.name !== 'latchkey') return undefined;
    const last = rows.indexOf(row);
    // Its setting's rows: from the last one that names a setting.
    const first = rows.findLastIndex((one, at) => at <= last && one['setting'] !== '');
    const most = Math.max(...rows.slice(first, last).map((one) => Number(one['ownWorkDone'])));
    return {
      wanted: `${DEAD_TOKENS} x 401, at most ${DEAD_TOKENS} events, 0 foreign, ${most} done`,
      met:
        row['upstream401s'] === DEAD_TOKENS &&
        Number(row['sentryEvents']) <= DEAD_TOKENS &&
        row['foreignCredentialCalls'] === 0 &&
        Number(row['ownWorkDone']) >= most,
    };
  },

  rounds: 'counts of one run',

  readme: {
    columns: {
      setting: 'setting',
      name: 'policy',
      upstreamCalls: 'upstream calls',
      upstream401s: 'upstream 401s',
      sentryEvents: 'Sentry events',
      foreignCredentialCalls: "calls with somebody else's credential",
      ownWorkDone: 'own work done',
    },
  },

  notes: ['The incident replayed on real parts: bench/demo/README.md.'],
};
