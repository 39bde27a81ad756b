import { createHash } from 'node:crypto';
import type { Latchkey, Resolution } from '../api.js';
import type { ScopeParts } from '../errors.js';
import type { CandidateExplanation } from '../ledger/explain.js';
import type { SlotSnapshot, Snapshot, VerdictSnapshot } from '../ledger/snapshot.js';
import type { Status } from '../policy/status.js';
import type { ScopeRow, ScopeState } from './messages.js';

/** A longer key is a digest. */
const LONGEST_KEY = 256;
/** Nothing works any more once Latchkey is closed. A slot is never empty, but an alias rule of the user's may look elsewhere. */
const STATES = {
  missing: 'blocked',
  rejected: 'blocked',
  refused: 'blocked',
  held: 'held',
  expired: 'expired',
  closed: 'blocked',
} as const;
const SLOTS = ['session', 'global', 'pinned'] as const;

/** One row for each slot, and for each scope besides that has a verdict of its own on a credential it would be offered. Changes nothing. */
export function scopeRows(latchkey: Latchkey): ScopeRow[] {
  return rowsOf(latchkey, latchkey.snapshot());
}

/** How many rows there are of each state. */
export function countStates(rows: readonly ScopeRow[]): Record<ScopeState, number> {
  const counts = { ready: 0, borrowing: 0, refreshing: 0, auth_retrying: 0, blocked: 0, held: 0, expired: 0 };
  for (const { state } of rows) counts[state]++;
  return counts;
}

/** The rows of a snapshot that has just been taken. A scope that cannot be asked about has none. */
export function rowsOf(latchkey: Latchkey, { slots, verdicts, incidents }: Snapshot): ScopeRow[] {
  const rows: ScopeRow[] = [];
  const incidentOf = incidentsByRow(incidents, slots);
  const add = (key: string, slot: SlotSnapshot['slot'], scope: ScopeParts, fingerprint: string, known?: Status): void => {
    const resolution = resolved(latchkey, scope);
    if (resolution === undefined || (known === undefined && !resolution.ok && resolution.reason === 'missing')) return;
    const standing = standingOf(latchkey, scope, fingerprint, resolution, known ?? latchkey.status(scope));
    const incident = resolution.ok || incidentOf.size === 0 ? undefined : (incidentOf.get(key) ?? incidentOf.get(placeKey(scope)));
    rows.push({ key, slot, scope, fingerprint, ...standing, incident });
  };
  for (const { slot, scope, fingerprint, status } of slots) add(rowKey(slot, scope), slot, scope, fingerprint, status);
  for (const [key, { scope, first }] of ownVerdicts(verdicts, rows)) add(key, first.slot, scope, first.fingerprint);
  return rows;
}

/** Two rows are shown alike; what makes their keys is the same. */
export function sameRow(a: ScopeRow, b: ScopeRow): boolean {
  return (
    a.state === b.state &&
    a.fingerprint === b.fingerprint &&
    a.lent === b.lent &&
    a.why === b.why &&
    a.incident === b.incident &&
    a.status === b.status &&
    a.since === b.since &&
    a.until === b.until &&
    a.refreshingSince === b.refreshingSince &&
    a.next === b.next &&
    a.probe === b.probe
  );
}

/** By place, and by the row of the slot that is asked first: work that a pin stopped, or that has nothing of its own, has no other row. */
function incidentsByRow(incidents: Snapshot['incidents'], slots: readonly SlotSnapshot[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  if (incidents.length === 0) return found;
  const held = new Map(slots.map(({ slot, scope, fingerprint }) => [rowKey(slot, scope), fingerprint]));
  for (const { id, scopes } of incidents) {
    for (const scope of scopes) {
      found.set(placeKey(scope), id);
      const [first] = offersFor(scope, held);
      if (first !== undefined) found.set(first.key, id);
    }
  }
  return found;
}

interface Offer {
  readonly slot: SlotSnapshot['slot'];
  /** Of the slot's row. */
  readonly key: string;
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
    const key = rowKey(slot, scope);
    const fingerprint = held.get(key);
    return fingerprint === undefined ? [] : [{ slot, key, fingerprint }];
  };
  const [pin] = [...(purpose === undefined ? [] : offered('pinned', { ...shared, purpose })), ...offered('pinned', shared)];
  if (pin !== undefined) return [pin];
  return [...(session === undefined ? [] : offered('session', place)), ...offered('global', shared)];
}

/** Whatever the parts hold, a text of one place only. */
function rowKey(slot: SlotSnapshot['slot'], { tenant, session, provider, purpose }: ScopeParts): string {
  const spelt = JSON.stringify([slot, tenant ?? null, session ?? null, provider ?? null, purpose ?? null]);
  // It travels beside the names themselves, and may be several times as long.
  return spelt.length <= LONGEST_KEY ? spelt : createHash('sha256').update(spelt).digest('base64url');
}

/** Work of every purpose stops with the slot that it has in common. */
function placeKey({ tenant, session, provider }: ScopeParts): string {
  return JSON.stringify([tenant ?? null, session ?? null, provider ?? null]);
}

function resolved(latchkey: Latchkey, scope: ScopeParts): Resolution | undefined {
  try {
    return latchkey.resolve(scope);
  } catch {
    // A tombstone of a gateway that named no tenants, say.
    return undefined;
  }
}

type Standing = Omit<ScopeRow, 'key' | 'slot' | 'scope' | 'fingerprint' | 'incident'>;

/** What is told of a row is told of the slot's own credential, whatever its work goes on with, or waits for. */
function standingOf(latchkey: Latchkey, scope: ScopeParts, fingerprint: string, resolution: Resolution, status: Status): Standing {
  if (resolution.ok) {
    const { credential, probe } = resolution.lease;
    const [used, test] = [credential.fingerprint, probe ? { probe } : {}];
    if (used === fingerprint && !probe) return { state: 'ready', lent: undefined, ...obstacleOf(undefined) };
    const own = latchkey.explain(scope).candidates.find((candidate) => candidate.fingerprint === fingerprint);
    if (used === fingerprint) return { state: 'ready', lent: undefined, ...obstacleOf(own), ...test };
    return { state: 'borrowing', lent: used, ...obstacleOf(own), ...test };
  }
  const { candidates } = latchkey.explain(scope);
  // A pin is asked alone: then the slot's own is no candidate.
  const told = candidates.find((candidate) => candidate.fingerprint === fingerprint) ?? candidates[0];
  const lent = told === undefined || told.fingerprint === fingerprint ? undefined : told.fingerprint;
  const { state, since: refreshingSince, next } = status;
  // A hold's end is told as such.
  const obstacle = obstacleOf(told);
  const known = { lent, ...obstacle, ...(next === undefined || next === obstacle.until ? {} : { next }) };
  if (state === 'refreshing' || state === 'auth_retrying') return { state, ...known, refreshingSince };
  return { state: STATES[told?.reason ?? resolution.reason], ...known };
}

function obstacleOf(candidate: CandidateExplanation | undefined): Pick<Standing, 'why' | 'status' | 'since' | 'until'> {
  const { reason, status, since, until } = candidate ?? {};
  // A rejection does not end when it is put to the test.
  return { why: reason, status, since, until: reason === 'held' ? until : undefined };
}
