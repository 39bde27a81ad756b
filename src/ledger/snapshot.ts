import { isFingerprint } from '../credential/credential.js';
import type { ScopeParts } from '../errors.js';
import type { Incident } from '../policy/incident.js';
import type { Status } from '../policy/status.js';
import { type Ruling, type Verdict, verdictOf } from '../policy/verdict.js';
import type { Ledger } from './ledger.js';
import { parseScopeKey, scopeKey, WorkScope } from './scope-key.js';
import type { Identity } from './verdicts.js';

/** What a slot points at, by fingerprint. */
export interface SlotSnapshot {
  /** `global`: the tenant's; `pinned`: the gateway's own; otherwise the session's. */
  readonly slot: 'session' | 'global' | 'pinned';
  readonly scope: ScopeParts;
  readonly fingerprint: string;
  /** How the work of this scope stands. */
  readonly status: Status;
}

/** The verdict on an identity, and those of single scopes on it. */
export interface VerdictSnapshot {
  readonly provider?: string;
  readonly fingerprint: string;
  readonly verdict: Verdict;
  readonly scopes: readonly { readonly scope: ScopeParts; readonly verdict: Verdict }[];
}

/** Everything that is known, by fingerprint; plain data. Times are milliseconds since the epoch. */
export interface Snapshot {
  readonly version: 1;
  readonly at: number;
  readonly slots: readonly SlotSnapshot[];
  readonly verdicts: readonly VerdictSnapshot[];
  readonly incidents: readonly Incident[];
}

export function takeSnapshot(
  ledger: Ledger,
  incidents: readonly Incident[],
  now: number,
  statusOf: (scope: WorkScope) => Status,
): Snapshot {
  return { version: 1, at: now, slots: [...slots(ledger, statusOf)], verdicts: [...verdicts(ledger)], incidents };
}

function* slots(ledger: Ledger, statusOf: (scope: WorkScope) => Status): Iterable<SlotSnapshot> {
  const snapshotOf = (slot: SlotSnapshot['slot'], work: WorkScope, { fingerprint }: Identity): SlotSnapshot => {
    return { slot, scope: work.parts, fingerprint, status: statusOf(work) };
  };
  for (const { tenant, provider, purpose, identity } of ledger.pins())
    yield snapshotOf('pinned', new WorkScope(tenant, undefined, provider, purpose, false), identity);
  for (const { name: tenant, globals, sessions } of ledger.tenants()) {
    for (const { provider, identity } of globals.values())
      yield snapshotOf('global', new WorkScope(tenant, undefined, provider, undefined, false), identity);
    for (const session of sessions.values()) {
      if (session.name === undefined) continue;
      for (const { provider, identity } of session.allSlots())
        yield snapshotOf('session', new WorkScope(tenant, session.name, provider, undefined, false), identity);
    }
  }
}

function* verdicts(ledger: Ledger): Iterable<VerdictSnapshot> {
  for (const identity of ledger.identities()) {
    if (!identity.judged) continue;
    const scopes = [...identity.scopeRulings()]
      .filter(([, ruling]) => ruling.state === 'rejected')
      .map(([key, ruling]) => ({ scope: parseScopeKey(key), verdict: verdictOf(ruling) }));
    const { provider, fingerprint } = identity;
    yield { ...(provider === undefined ? {} : { provider }), fingerprint, verdict: verdictOf(identity.ruling), scopes };
  }
}

/**
 * Takes over rejections and holds that an earlier process knew. They count as older than anything sent from now on.
 * @throws {TypeError} for what is no verdict of a snapshot.
 */
export function restore(
  ledger: Ledger,
  tombstones: readonly unknown[],
  canonicalProvider: ((provider: string) => string) | undefined,
): void {
  for (const tombstone of tombstones) {
    const { provider, fingerprint, verdict, scopes } = readTombstone(tombstone);
    const ruling = readRuling(verdict);
    const rulings = scopes.map((one) => [readKey(one), readRuling(one?.verdict)] as const);
    if (ruling === undefined && rulings.length === 0) continue;
    const folded = provider !== undefined && canonicalProvider !== undefined ? canonicalProvider(provider) : provider;
    const identity = ledger.remember(folded, fingerprint);
    if (ruling !== undefined) identity.judge(ruling);
    for (const [key, own] of rulings) if (own !== undefined) identity.judgeFor({ key }, own);
  }
}

function readTombstone(value: unknown): VerdictSnapshot {
  const tombstone = value as Partial<VerdictSnapshot> | null;
  if (
    typeof tombstone !== 'object' ||
    tombstone === null ||
    !isFingerprint(tombstone.fingerprint) ||
    !isPart(tombstone.provider) ||
    !Array.isArray(tombstone.scopes)
  ) {
    throw noVerdict();
  }
  return tombstone as VerdictSnapshot;
}

function readKey(value: Partial<VerdictSnapshot['scopes'][number]> | null | undefined): string {
  const scope = value?.scope;
  if (typeof scope !== 'object' || scope === null) throw noVerdict();
  const { tenant, session, purpose } = scope;
  if (!isPart(tenant) || !isPart(session) || !isPart(purpose)) throw noVerdict();
  return scopeKey(tenant, session, purpose);
}

function isPart(value: unknown): boolean {
  return value === undefined || (typeof value === 'string' && value !== '');
}

/** Undefined for verdicts that only the process which passed them can stand by: what worked then may not now. */
function readRuling(verdict: unknown): Ruling | undefined {
  const { state, since, until, status, reach, reason } = (verdict ?? {}) as Record<string, unknown>;
  const known = {
    sent: 0,
    passed: 0,
    since: typeof since === 'number' ? since : 0,
    status: typeof status === 'number' ? status : undefined,
  };
  switch (state) {
    case 'unproven':
    case 'accepted':
      return undefined;
    case 'rejected':
      return { state, ...known, reach: reach === 'scope' ? 'scope' : 'identity' };
    case 'held':
      if (typeof until === 'number') return { state, ...known, until, reason: typeof reason === 'string' ? reason : undefined };
  }
  throw noVerdict();
}

function noVerdict(): TypeError {
  return new TypeError('createLatchkey: `tombstones` must hold verdicts of a snapshot');
}
