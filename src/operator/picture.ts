import type { Latchkey } from '../api.js';
import type { Stats } from '../stats.js';
import { incidentRowsOf, sameCounts, sameIncidents } from './incident-rows.js';
import type { FeedMessage, IncidentRow, ScopeRow } from './messages.js';
import { rowsOf, sameRow } from './rows.js';

/** Counts change with every call: they are told once in so many milliseconds at the most. */
const COUNTS_EVERY_MS = 1_000;

/** How things stand, as far as a page shows it. */
export interface Picture {
  readonly at: number;
  readonly rows: ReadonlyMap<string, ScopeRow>;
  readonly incidents: readonly IncidentRow[];
  readonly stats: Stats;
}

/** What pages have been told, and when they were told the counts, by a clock that only runs forward. */
export interface Told extends Picture {
  readonly incidentsAt: number;
  readonly statsAt: number;
}

export function readPicture(latchkey: Latchkey): Picture {
  const snapshot = latchkey.snapshot();
  return {
    at: snapshot.at,
    rows: new Map(rowsOf(latchkey, snapshot).map((row) => [row.key, row])),
    incidents: incidentRowsOf(snapshot),
    stats: latchkey.stats(),
  };
}

/** What pages that were told the one are to be told of the other, and what they will have been told then. */
export function difference(
  told: Told | undefined,
  picture: Picture,
  now: number,
): { readonly told: Told; readonly messages: FeedMessage[] } {
  if (told === undefined) return { told: { ...picture, incidentsAt: now, statsAt: now }, messages: [] };
  const { at, rows } = picture;
  const messages: FeedMessage[] = [];
  const changed = [...rows.values()].filter((row) => {
    const before = told.rows.get(row.key);
    return before === undefined || !sameRow(row, before);
  });
  const removed = [...told.rows.keys()].filter((key) => !rows.has(key));
  if (changed.length > 0 || removed.length > 0) messages.push({ event: 'rows', data: { at, changed, removed } });

  let { incidents, incidentsAt, stats, statsAt } = told;
  const isCountDue = now - incidentsAt >= COUNTS_EVERY_MS && !sameCounts(picture.incidents, incidents);
  if (isCountDue || !sameIncidents(picture.incidents, incidents)) {
    ({ incidents } = picture);
    incidentsAt = now;
    messages.push({ event: 'incidents', data: incidents });
  }
  if (now - statsAt >= COUNTS_EVERY_MS && !sameStats(picture.stats, stats)) {
    ({ stats } = picture);
    statsAt = now;
    messages.push({ event: 'stats', data: stats });
  }
  return { told: { at, rows, incidents, incidentsAt, stats, statsAt }, messages };
}

function sameStats(a: Stats, b: Stats): boolean {
  return (Object.keys(a) as (keyof Stats)[]).every((name) => a[name] === b[name]);
}
