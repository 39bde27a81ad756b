import type { Latchkey } from '../api.js';
import type { Counters, Stats } from '../stats.js';
import type { ScopeState } from './messages.js';
import { countStates, scopeRows } from './rows.js';

/** What there is to measure, read at one moment. */
export interface Reading {
  readonly stats: Stats;
  readonly scopes: Readonly<Record<ScopeState, number>>;
}

export interface Measurement {
  readonly value: number;
  /** Only where an instrument tells states apart. */
  readonly state?: ScopeState;
}

/** Something that is measured, whoever asks. Its name is in snake case, without what an exporter puts around it. */
export interface Instrument {
  readonly name: string;
  /** A counter only goes up as long as the process lives. */
  readonly kind: 'counter' | 'gauge';
  /** As UCUM writes what is counted. */
  readonly unit: string;
  readonly help: string;
  /** Nothing where there is nothing to measure. */
  readonly read: (reading: Reading) => readonly Measurement[];
}

/** Asks every scope: takes longer the more there are. */
export function takeReading(latchkey: Latchkey): Reading {
  return { stats: latchkey.stats(), scopes: countStates(scopeRows(latchkey)) };
}

/** All of them, so that no two exporters differ. None is labelled with what a client can choose. */
export const INSTRUMENTS: readonly Instrument[] = [
  counter('captures', 'captures', '{capture}', 'Credentials that clients presented.'),
  counter('runs', 'runs', '{run}', 'Runs that were asked for.'),
  counter('attempts', 'attempts', '{attempt}', 'Attempts that runs made.'),
  counter('accepted', 'accepted', '{call}', 'Calls that the upstream accepted.'),
  counter('rejected', 'rejected', '{call}', 'Calls whose credential the upstream rejected.'),
  counter('denied', 'denied', '{call}', 'Calls that the upstream did not allow, with a credential that is fine.'),
  counter('held', 'held', '{call}', 'Calls after which a credential was held for a while.'),
  counter('late', 'late', '{call}', 'Outcomes that came too late to change anything.'),
  counter('retried', 'retried', '{run}', 'Runs that repeated their attempt with another credential.'),
  counter('borrowed', 'borrowed', '{call}', 'Calls for a session with a credential that it did not bring.'),
  counter('skipped', 'skipped', '{run}', 'Runs that were skipped because their scope was blocked.'),
  counter('parked', 'parked', '{run}', 'Runs that waited for fresh auth.'),
  counter('incidents', 'incidents', '{incident}', 'Incidents that opened.'),
  counter('reports', 'reports', '{report}', 'Incidents that the reporter was told of.'),
  counter('reports_suppressed', 'reportsSuppressed', '{report}', 'Reports that were not sent.'),
  counter('evicted', 'evicted', '{session}', 'Sessions that were evicted.'),
  counter('refreshes', 'refreshes', '{try}', 'Tries to refresh a credential.'),
  counter('refreshed', 'refreshed', '{try}', 'Tries that brought another credential.'),
  counter('refreshes_failed', 'refreshesFailed', '{try}', 'Tries to refresh a credential that came to nothing.'),
  counter('probes', 'probes', '{call}', 'Calls that put a rejected credential to the test.'),
  counter('errors', 'errors', '{error}', 'Failures of functions given to Latchkey, contained.'),
  gauge('sessions', '{session}', 'Sessions in memory.', ({ sessions }) => sessions),
  gauge('identities', '{identity}', 'Credentials that are known, by fingerprint.', ({ identities }) => identities),
  gauge('tombstones', '{identity}', 'Credentials that no slot points at, remembered for their verdict.', ({ tombstones }) => tombstones),
  gauge('running', '{run}', 'Runs on their way, those that wait included.', ({ running }) => running),
  gauge('waiting', '{run}', 'Runs that wait, parked or behind a canary.', ({ waiting }) => waiting),
  gauge('open_incidents', '{incident}', 'Incidents that are open.', ({ openIncidents }) => openIncidents),
  gauge('refreshing', '{refresh}', 'Refreshes that go on, their pauses included.', ({ refreshing }) => refreshing),
  gauge('store_up', '1', 'Whether the shared store answers: 1 or 0.', ({ store }) =>
    store === undefined ? undefined : Number(store === 'up'),
  ),
  {
    name: 'scopes',
    kind: 'gauge',
    unit: '{scope}',
    help: 'Slots, and scopes with a verdict of their own, by how their work stands.',
    read: ({ scopes }) => (Object.keys(scopes) as ScopeState[]).map((state) => ({ value: scopes[state], state })),
  },
];

function counter(name: string, count: keyof Counters | 'errors', unit: string, help: string): Instrument {
  return { name, kind: 'counter', unit, help, read: ({ stats }) => [{ value: stats[count] }] };
}

function gauge(name: string, unit: string, help: string, of: (stats: Stats) => number | undefined): Instrument {
  const read = ({ stats }: Reading): Measurement[] => {
    const value = of(stats);
    return value === undefined ? [] : [{ value }];
  };
  return { name, kind: 'gauge', unit, help, read };
}
