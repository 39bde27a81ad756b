import type { ScopeParts } from '../errors.js';

/** How an incident ended: fresh auth, the same credential proven or forgiven, another's lent, or its scopes evicted. */
export type IncidentEnd = 'fresh' | 'proof' | 'fallback' | 'evicted';

/** Why a report was not sent; `elsewhere`: it is another process's to send. */
export type Suppression = 'grace' | 'per-hour' | 'provider-wide' | 'elsewhere';

/** From the moment work meets a block until every scope that met it can work again. Times are milliseconds since the epoch. */
export interface Incident {
  /** Unique within the process and its restarts. */
  readonly id: string;
  /** `identity`: one credential's. `provider`: so many of one provider's at once that they are told as one. */
  readonly kind: 'identity' | 'provider';
  readonly provider: string | undefined;
  /** Of the credential whose rejection completed the block; undefined for a provider's incident. */
  readonly fingerprint: string | undefined;
  readonly status: number | undefined;
  readonly openedAt: number;
  readonly endedAt: number | undefined;
  readonly end: IncidentEnd | undefined;
  /** The first 1,000 scopes that met it. */
  readonly scopes: readonly ScopeParts[];
  /** How many met it in all. */
  readonly scopeCount: number;
  /** Calls that were not sent because of it. */
  readonly suppressed: number;
}

/** How many reports are too many. */
export interface ReportLimits {
  /** An incident that is over within this many milliseconds is not reported at all. */
  readonly graceMs: number;
  /** At most so many openings are reported within any hour. */
  readonly perHour: number;
  /** More identities of one provider than `identities` within `withinMs` milliseconds make one provider-wide report. */
  readonly providerWideAfter: { readonly identities: number; readonly withinMs: number };
}

const HOUR_MS = 3_600_000;

/** `single`: report it. `provider-wide`: report the provider instead. Otherwise nothing is sent, and why. */
export type ReportDecision = 'single' | 'provider-wide' | { readonly suppressed: Suppression };

/** What has been opened and reported lately. Times are milliseconds since the epoch. */
export interface RecentReports {
  /** When openings were reported, all providers together. */
  readonly reportedAt: readonly number[];
  /** When incidents of this provider opened, this one included, one time for each identity. */
  readonly openedAt: readonly number[];
  /** A provider-wide incident of this provider is open. */
  readonly wideOpen: boolean;
  /** When the last provider-wide report of this provider was sent. */
  readonly wideAt: number | undefined;
}

/** Whether an incident that has opened, and outlived its grace, is told singly, as its provider's, or not at all. */
export function decideReport(recent: RecentReports, limits: ReportLimits, now: number): ReportDecision {
  const { identities, withinMs } = limits.providerWideAfter;
  if (recent.wideOpen) return { suppressed: 'provider-wide' };
  const wide = recent.openedAt.filter((at) => now - at < withinMs).length > identities;
  if (wide && recent.wideAt !== undefined && now - recent.wideAt < withinMs) return { suppressed: 'provider-wide' };
  if (recent.reportedAt.filter((at) => now - at < HOUR_MS).length >= limits.perHour) return { suppressed: 'per-hour' };
  return wide ? 'provider-wide' : 'single';
}
