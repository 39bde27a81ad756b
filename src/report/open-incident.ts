import type { ScopeParts } from '../errors.js';
import type { WorkScope } from '../ledger/scope-key.js';
import type { Identity } from '../ledger/verdicts.js';
import type { Incident, IncidentEnd } from '../policy/incident.js';

/** How an incident has been told: not yet, by itself, not at all, as part of its provider's, or by another process under its own id. */
export type Announcement =
  | { readonly how: 'pending' | 'single' | 'suppressed' }
  | { readonly how: 'wide'; readonly wide: WideIncident }
  | { readonly how: 'elsewhere'; readonly id: string };

/** A scope that has met a block and not been free of it since. */
export interface Afflicted {
  readonly key: string;
  readonly scope: WorkScope;
  readonly incident: OpenIncident;
  /** It borrows meanwhile; its incident waits for `graceMs` to see whether that holds. */
  absorbed: boolean;
}

/** How far the news of an incident has got. */
interface News {
  announcement: Announcement;
  /** The reporter is being told of it, or whoever decides whether it is. */
  announcing: boolean;
  /** What it was in the end. */
  over: Incident | undefined;
}

export interface OpenIncident extends News {
  readonly id: string;
  readonly identity: Identity;
  readonly status: number | undefined;
  readonly openedAt: number;
  readonly named: ScopeParts[];
  readonly afflicted: Set<Afflicted>;
  scopeCount: number;
  suppressed: number;
  opening: { cancel(): void } | undefined;
  ending: { cancel(): void } | undefined;
  /** How the last of its scopes recovered; none has if all were evicted. */
  end: IncidentEnd | undefined;
}

/** So many incidents of one provider at once that they are told as one. */
export interface WideIncident extends News {
  readonly incident: Incident;
  /** The incident in whose place it is told. */
  readonly cause: string;
  /** Its place among the reports of this hour. */
  readonly reserved: number;
  readonly members: Set<string>;
  /** Of the members that have ended. */
  scopeCount: number;
  suppressed: number;
  end: IncidentEnd | undefined;
}

/** Every scope that met it borrows meanwhile. */
export function isAbsorbed(incident: OpenIncident): boolean {
  for (const entry of incident.afflicted) if (!entry.absorbed) return false;
  return true;
}

export function describe(incident: OpenIncident): Incident {
  return {
    id: incident.id,
    kind: 'identity',
    provider: incident.identity.provider,
    fingerprint: incident.identity.fingerprint,
    status: incident.status,
    openedAt: incident.openedAt,
    endedAt: undefined,
    end: undefined,
    scopes: [...incident.named],
    scopeCount: incident.scopeCount,
    suppressed: incident.suppressed,
  };
}
