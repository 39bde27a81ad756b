import type { Latchkey } from '../api.js';
import type { Snapshot } from '../ledger/snapshot.js';
import type { IncidentRow } from './messages.js';

/** The open incidents, oldest first. Changes nothing. */
export function incidentRows(latchkey: Latchkey): IncidentRow[] {
  return incidentRowsOf(latchkey.snapshot());
}

export function incidentRowsOf({ incidents }: Snapshot): IncidentRow[] {
  return incidents.map(({ id, provider, fingerprint, status, openedAt, scopes, scopeCount, suppressed }) => ({
    id,
    provider,
    fingerprint,
    status,
    openedAt,
    scopeCount,
    scope: scopeCount === 1 ? scopes[0] : undefined,
    suppressed,
  }));
}

/** The same incidents are open, whatever they have counted since: nothing else of one changes. */
export function sameIncidents(a: readonly IncidentRow[], b: readonly IncidentRow[]): boolean {
  return a.length === b.length && a.every(({ id }, index) => id === b[index]?.id);
}

export function sameCounts(a: readonly IncidentRow[], b: readonly IncidentRow[]): boolean {
  return a.every(({ scopeCount, suppressed }, index) => scopeCount === b[index]?.scopeCount && suppressed === b[index]?.suppressed);
}
