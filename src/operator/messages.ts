import type { ScopeParts } from '../errors.js';
import type { IncidentEnd } from '../policy/incident.js';
import type { Stats } from '../stats.js';

/**
 * How a scope stands: it works with its own credential, or with the one that its tenant lends it; or not at all, while another is being fetched
 * (`auth_retrying`: which has failed for a while), or why not.
 */
export type ScopeState = 'ready' | 'borrowing' | 'refreshing' | 'auth_retrying' | 'blocked' | 'held' | 'expired';

/** A slot, or a scope of a purpose that has a verdict of its own, and how its work stands. Times are milliseconds since the epoch. */
export interface ScopeRow {
  /** Stable, unique among the rows, and nothing else. */
  readonly key: string;
  readonly slot: 'session' | 'global' | 'pinned';
  readonly scope: ScopeParts;
  readonly state: ScopeState;
  /** Of the credential that the slot points at. */
  readonly fingerprint: string;
  /** Of another one that its work has to do with: that is lent where it borrows, or pinned in front of the slot's own. */
  readonly lent?: string | undefined;
  /** Why the slot's own credential is not used, with the status that settled it, since when, and until when if that ends by itself. */
  readonly why?: 'rejected' | 'held' | 'expired' | 'refused' | undefined;
  readonly status?: number | undefined;
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Since when another one is being fetched. */
  readonly refreshingSince?: number | undefined;
  /** When something is tried next without anybody's doing: fetching another one, or a call with what was rejected. */
  readonly next?: number | undefined;
  /** The next call only puts to the test what was rejected. */
  readonly probe?: true | undefined;
  /** The open incident that stops its work, or that of others who have to work with this slot. */
  readonly incident?: string | undefined;
}

/** An open incident. */
export interface IncidentRow {
  readonly id: string;
  readonly provider: string | undefined;
  readonly fingerprint: string | undefined;
  readonly status: number | undefined;
  readonly openedAt: number;
  readonly scopeCount: number;
  /** If there was only one. */
  readonly scope?: ScopeParts | undefined;
  /** Calls that were not sent because of it. */
  readonly suppressed: number;
}

/** The events that a timeline tells. */
export type TimelineEvent =
  | 'captured'
  | 'rejected'
  | 'denied'
  | 'held'
  | 'blocked'
  | 'resumed'
  | 'incident'
  | 'recovered'
  | 'refreshed'
  | 'refreshFailed'
  | 'status'
  | 'evicted'
  | 'operator'
  | 'store'
  | 'error';

/** Something that has happened. Only what its event brings is there. */
export interface TimelineEntry {
  /** Counts up from 1 as long as the process lives. */
  readonly id: number;
  readonly at: number;
  readonly event: TimelineEvent;
  readonly scope?: ScopeParts | undefined;
  readonly fingerprint?: string | undefined;
  readonly status?: number | undefined;
  readonly incident?: string | undefined;
  readonly end?: IncidentEnd | undefined;
  /** A few words more: of a capture whether it is usable, of a refresh what it replaced or why it failed, of an eviction why, of an operator's action what and by whom, of an error where. */
  readonly note?: string | undefined;
}

/** What the event stream tells, as `event: NAME` and `data: JSON`. `entry` goes to every listener, the rest to those that show a page. */
export interface FeedMessages {
  /** First, and whenever a page has to begin anew: everything. The latest entry of the timeline comes last. */
  readonly state: {
    readonly at: number;
    readonly rows: readonly ScopeRow[];
    readonly incidents: readonly IncidentRow[];
    readonly stats: Stats;
    readonly timeline: readonly TimelineEntry[];
  };
  /** What has changed since. */
  readonly rows: { readonly at: number; readonly changed: readonly ScopeRow[]; readonly removed: readonly string[] };
  /** All that are open now. */
  readonly incidents: readonly IncidentRow[];
  readonly stats: Stats;
  readonly entry: TimelineEntry;
}

/** The names of the messages. */
export type FeedMessage = { [Name in keyof FeedMessages]: { readonly event: Name; readonly data: FeedMessages[Name] } }[keyof FeedMessages];
