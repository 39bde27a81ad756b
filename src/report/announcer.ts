import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.js';
import type { Emitter } from '../events.js';
import {
  decideReport,
  type Incident,
  type IncidentEnd,
  type ReportDecision,
  type ReportLimits,
  type Suppression,
} from '../policy/incident.js';
import type { Counters } from '../stats.js';
import type { Delivery } from './reporter.js';

/** How an incident has been told: not yet, by itself, not at all, as part of its provider's, or by another process under its own id. */
export type Announcement =
  | { readonly how: 'pending' | 'single' | 'suppressed' }
  | { readonly how: 'wide'; readonly wide: WideIncident }
  | { readonly how: 'elsewhere'; readonly id: string };

/** So many incidents of one provider at once that they are told as one. */
interface WideIncident {
  readonly incident: Incident;
  readonly members: Set<string>;
  /** Of the members that have ended. */
  scopeCount: number;
  suppressed: number;
  end: IncidentEnd | undefined;
}

/** What has happened lately at one provider. */
interface ProviderHistory {
  /** When each identity last opened an incident, oldest first. */
  readonly openedAt: Map<string | undefined, number>;
  wideAt: number | undefined;
  wide: WideIncident | undefined;
}

/** A gateway has few providers; a client that could name them freely must not fill memory. */
const MOST_PROVIDERS = 1_000;

export interface AnnouncerOptions {
  readonly limits: ReportLimits;
  readonly delivery: Delivery;
  readonly emitter: Emitter;
  readonly counters: Counters;
  readonly clock: Clock;
}

/** Decides, with what was opened and reported lately, what the reporter is told of an incident. */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #providers = new Map<string | undefined, ProviderHistory>();
  #reportedAt: number[] = [];

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /** An identity's incident has opened, whether or not it will be told. */
  noteOpened(incident: Incident): void {
    const { openedAt } = this.#history(incident.provider);
    openedAt.delete(incident.fingerprint);
    openedAt.set(incident.fingerprint, incident.openedAt);
    // One more than the limit is enough to know that it was passed.
    if (openedAt.size > this.#options.limits.providerWideAfter.identities + 1) deleteFirst(openedAt);
  }

  /**
   * A place among the reports of this hour, for an incident that would be told by itself as things stand, until it is known whether it is
   * told here: the moment that it was taken, or undefined if the incident would not.
   */
  reserve(incident: Incident): number | undefined {
    const now = this.#options.clock.now();
    if (this.#decide(incident, now) !== 'single') return undefined;
    this.#noteReported(now);
    return now;
  }

  /** The place is free again. */
  withdraw(reserved: number | undefined): void {
    const at = reserved === undefined ? -1 : this.#reportedAt.indexOf(reserved);
    if (at >= 0) this.#reportedAt.splice(at, 1);
  }

  /** Tells an incident that has outlived its grace, or says that it is not told. One with a place in `reserved` is told by itself. */
  announce(incident: Incident, reserved?: number): Announcement {
    const now = this.#options.clock.now();
    const history = this.#history(incident.provider);
    const decision = reserved === undefined ? this.#decide(incident, now) : 'single';
    if (decision === 'single') {
      if (reserved === undefined) this.#noteReported(now);
      this.#report(incident);
      return { how: 'single' };
    }
    if (decision === 'provider-wide') {
      const wide = widen(incident, now);
      history.wide = wide;
      history.wideAt = now;
      this.#noteReported(now);
      this.#report(wide.incident);
      return { how: 'wide', wide };
    }
    this.#suppress(incident, decision.suppressed);
    if (history.wide === undefined || decision.suppressed !== 'provider-wide') return { how: 'suppressed' };
    history.wide.members.add(incident.id);
    return { how: 'wide', wide: history.wide };
  }

  /** Another process has told it, or decided not to, under `id`. */
  leaveTo(incident: Incident, id: string): Announcement {
    this.#suppress(incident, 'elsewhere');
    return { how: 'elsewhere', id };
  }

  /** An end is told only where the opening was. */
  ended(incident: Incident, announcement: Announcement): void {
    switch (announcement.how) {
      case 'pending':
        this.#suppress(incident, 'grace');
        return;
      case 'single':
        if (incident.end !== 'evicted') this.#options.delivery.send('ended', incident);
        return;
      case 'wide':
        this.#leaveWide(incident, announcement.wide);
    }
  }

  #leaveWide(incident: Incident, wide: WideIncident): void {
    wide.members.delete(incident.id);
    wide.scopeCount += incident.scopeCount;
    wide.suppressed += incident.suppressed;
    if (incident.end !== 'evicted') wide.end = incident.end;
    if (wide.members.size > 0) return;
    this.#history(incident.provider).wide = undefined;
    if (wide.end === undefined) return;
    const { scopeCount, suppressed, end } = wide;
    this.#options.delivery.send('ended', { ...wide.incident, scopeCount, suppressed, end, endedAt: incident.endedAt });
  }

  #decide({ provider }: Incident, now: number): ReportDecision {
    const { openedAt, wide, wideAt } = this.#history(provider);
    const recent = { reportedAt: this.#reportedAt, openedAt: [...openedAt.values()], wideOpen: wide !== undefined, wideAt };
    return decideReport(recent, this.#options.limits, now);
  }

  #noteReported(now: number): void {
    this.#reportedAt = [...this.#reportedAt, now].slice(-this.#options.limits.perHour);
  }

  #report(incident: Incident): void {
    if (this.#options.delivery.send('opened', incident)) this.#options.counters.reports++;
  }

  #suppress(incident: Incident, why: Suppression): void {
    this.#options.counters.reportsSuppressed++;
    this.#options.emitter.emit('suppressed', () => ({ incident: incident.id, why }));
  }

  #history(provider: string | undefined): ProviderHistory {
    let history = this.#providers.get(provider);
    if (history === undefined) {
      history = { openedAt: new Map(), wideAt: undefined, wide: undefined };
      this.#providers.set(provider, history);
      if (this.#providers.size > MOST_PROVIDERS) deleteFirst(this.#providers);
    }
    return history;
  }
}

function widen(incident: Incident, now: number): WideIncident {
  return {
    incident: { ...incident, id: randomUUID(), kind: 'provider', fingerprint: undefined, openedAt: now },
    members: new Set([incident.id]),
    scopeCount: 0,
    suppressed: 0,
    end: undefined,
  };
}

function deleteFirst<K>(map: Map<K, unknown>): void {
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
}
