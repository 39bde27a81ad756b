import type { Latchkey, Resolution } from '../api.js';
import type { ScopeParts } from '../errors.js';
import type { SlotSnapshot, Snapshot, VerdictSnapshot } from '../ledger/snapshot.js';
import type { ScopeRow, ScopeState } from './messages.js';

/** Nothing works any more once Latchkey is closed. A slot is never empty, but an alias rule of the user's may look elsewhere. */
const STATES = { missing: 'blocked', rejected: 'blocked', held: 'held', expired: 'expired', closed: 'blocked' } as const;
const SLOTS = ['session', 'global', 'pinned'] as const;

/** One row for each slot, and for each scope besides that has a verdict of its own on a credential it would be offered. Changes nothing. */
export function scopeRows(latchkey: Latchkey): ScopeRow[] {
  return rowsOf(latchkey, latchkey.snapshot());
}

/** How many rows there are of each state. */
export function countStates(rows: readonly ScopeRow[]): Record<ScopeState, number> {
  const counts = { ready: 0, borrowing: 0, blocked: 0, held: 0, expired: 0 };
  for (const { state } of rows) counts[state]++;
  return counts;
}

/** The rows of a snapshot that has just been taken. A scope that cannot be asked about has none. */
export function rowsOf(latchkey: Latchkey, { slots, verdicts }: Snapshot): ScopeRow[] {
  const rows: ScopeRow[] = [];
  for (const { slot, scope, fingerprint } of slots) {
    const resolution = resolved(latchkey, scope);
    if (resolution !== undefined) rows.push(row(rowKey(slot, scope), slot, scope, fingerprint, resolution));
  }
  for (const [key, { scope, first }] of ownVerdicts(verdicts, rows)) {
    const resolution = resolved(latchkey, scope);
    if (resolution === undefined || (!resolution.ok && resolution.reason === 'missing')) continue;
    rows.push(row(key, first.slot, scope, first.fingerprint, resolution));
  }
  return rows;
}

/** Two rows are shown alike; what makes their keys is the same. */
export function sameRow(a: ScopeRow, b: ScopeRow): boolean {
  return (
    a.state === b.state &&
    a.fingerprint === b.fingerprint &&
    a.lent === b.lent &&
    a.status === b.status &&
    a.since === b.since &&
    a.until === b.until
  );
}

interface Offer {
  readonly slot: SlotSnapshot['slot'];
  readonly fingerprint: string;
}

/** By row key, the scopes that no slot stands for by itself and that are offered the credential that was judged, with what they are offered first. */
function ownVerdicts(
  verdicts: readonly VerdictSnapshot[],
  slots: readonly ScopeRow[],
): ReadonlyMap<string, { readonly scope: ScopeParts; readonly first: Offer }> {
  const found = new Map<string, { scope: ScopeParts; first: Offer }>();
  // Most of the time there is none, and then nobody needs to find slots.
  if (verdicts.every(({ scopes }) => scopes.length === 0)) return found;
  const held = new Map(slots.map(({ key, fingerprint }) => [key, fingerprint]));
  for (const { provider, fingerprint, scopes } of verdicts) {
    for (const judged of scopes) {
      const scope: ScopeParts = provider === undefined ? judged.scope : { ...judged.scope, provider };
      if (SLOTS.some((slot) => held.has(rowKey(slot, scope)))) continue;
      const offers = offersFor(scope, held);
      const [first] = offers;
      if (first !== undefined && offers.some((offer) => offer.fingerprint === fingerprint))
        found.set(rowKey(first.slot, scope), { scope, first });
    }
  }
  return found;
}

/** In the order in which Latchkey asks: the pin and then nothing else, the session's own, the tenant's. */
function offersFor({ purpose, ...place }: ScopeParts, held: ReadonlyMap<string, string>): Offer[] {
  const { session, ...shared } = place;
  const offered = (slot: SlotSnapshot['slot'], scope: ScopeParts): Offer[] => {
    const fingerprint = held.get(rowKey(slot, scope));
    return fingerprint === undefined ? [] : [{ slot, fingerprint }];
  };
  const [pin] = [...(purpose === undefined ? [] : offered('pinned', { ...shared, purpose })), ...offered('pinned', shared)];
  if (pin !== undefined) return [pin];
  return [...(session === undefined ? [] : offered('session', place)), ...offered('global', shared)];
}

/** Whatever the parts hold, a text of one place only. */
function rowKey(slot: SlotSnapshot['slot'], { tenant, session, provider, purpose }: ScopeParts): string {
  return JSON.stringify([slot, tenant ?? null, session ?? null, provider ?? null, purpose ?? null]);
}

function resolved(latchkey: Latchkey, scope: ScopeParts): Resolution | undefined {
  try {
    return latchkey.resolve(scope);
  } catch {
    // A tombstone of a gateway that named no tenants, say.
    return undefined;
  }
}

function row(key: string, slot: SlotSnapshot['slot'], scope: ScopeParts, fingerprint: string, resolution: Resolution): ScopeRow {
  if (!resolution.ok) {
    const { reason, status, since, until } = resolution;
    return { key, slot, scope, state: STATES[reason], fingerprint, lent: undefined, status, since, until };
  }
  const used = resolution.lease.credential.fingerprint;
  const isOwn = used === fingerprint;
  const none = { status: undefined, since: undefined, until: undefined };
  return { key, slot, scope, state: isOwn ? 'ready' : 'borrowing', fingerprint, lent: isOwn ? undefined : used, ...none };
}
