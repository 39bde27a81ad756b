import type { Change } from '../ledger/change.js';
import type { Identity } from '../ledger/verdicts.js';
import type { Name, StoredRecord } from './carrier.js';
import type { Tracked } from './tracking.js';

/** `answer`: asked for, and as new as the store is. `message`: published some time ago, perhaps before what is known already. */
export type Arrival = 'answer' | 'message';

/** A slot points elsewhere now, by what another process did. */
export interface Captured {
  readonly tenant: string | undefined;
  readonly session?: string | undefined;
  /** Of a pin. */
  readonly purpose?: string | undefined;
  readonly identity: Identity;
  readonly pinned: boolean;
  /** A refresh brought it. */
  readonly refreshed: boolean;
}

/** One delivery on its way into the ledger: all of it is there before anything of it is told. */
export interface Delivery {
  readonly how: Arrival;
  /** Those that nothing has been learnt from yet. */
  readonly identities: Map<Name, StoredRecord>;
  /** The names of all that came. */
  readonly arrived: ReadonlySet<Name>;
  /** What it says something of, or points at. */
  readonly pointed: Set<Tracked>;
  readonly changes: Change[];
  captured: Captured[];
  readonly learnt: Set<Identity>;
}

export function newDelivery(how: Arrival, records: readonly StoredRecord[] = []): Delivery {
  const identities = new Map<Name, StoredRecord>();
  for (const record of records) if (record.kind === 'identity') identities.set(record.name, record);
  return { how, identities, arrived: new Set(identities.keys()), pointed: new Set(), changes: [], captured: [], learnt: new Set() };
}

/** A message may be an old one; what was asked for is as the store has it, even if that is less than it had. */
export function isStale(record: StoredRecord, known: number, how: Arrival): boolean {
  return how === 'message' ? record.version <= known : record.version < known;
}

export function note({ changes }: Delivery, change: Change | undefined): void {
  if (change !== undefined) changes.push(change);
}

/** A slot points elsewhere, if that is a change. */
export function noteCaptured(delivery: Delivery, change: Change | undefined, captured: Captured): void {
  if (change === undefined) return;
  delivery.changes.push(change);
  delivery.captured.push(captured);
}
