import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.js';
import type { Emitter } from '../events.js';
import { decideReport, type Incident, type ReportDecision, type ReportLimits, type Suppression } from '../policy/incident.js';
import type { Counters } from '../stats.js';
import type { Announcement, WideIncident } from './open-incident.js';
import type { Delivery } from './reporter.js';

/** What has happened lately at one provider. */
interface ProviderHistory {
  /** When each identity last opened an incident, oldest first. */
  readonly openedAt: Map<string | undefined, number>;
  /** When the last report of all of it was sent, or was left to another process. */
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

  /**
   * Tells an incident that has outlived its grace, or says that it is not told. One with a place in `reserved` is told by itself. `wide`: the
   * first to be told as its provider's has that yet to be told.
   */
  announce(incident: Incident, reserved?: number): Announcement {
    const now = this.#options.clock.now();
    const decision = reserved === undefined ? this.#decide(incident, now) : 'single';
    if (decision === 'single') {
      if (reserved === undefined) this.#noteReported(now);
      if (this.#options.delivery.send('opened', incident)) this.#options.counters.reports++;
      return { how: 'single' };
    }
    const history = this.#history(incident.provider);
    if (decision === 'provider-wide') {
      const wide = widen(incident, now);
      history.wide = wide;
      history.wideAt = now;
      this.#noteReported(now);
      return { how: 'wide', wide };
    }
    this.#suppress(incident.id, decision.suppressed);
    if (history.wide === undefined || decision.suppressed !== 'provider-wide') return { how: 'suppressed' };
    history.wide.members.add(incident.id);
    return { how: 'wide', wide: history.wide };
  }

  /** Another process has told it, or decided not to, under `id`. */
  leaveTo(id: string, incident: string): Announcement {
    this.#suppress(incident, 'elsewhere');
    return { how: 'elsewhere', id };
  }

  /** It was over before anybody was told; `wide`: and that was its provider's. */
  spared(incident: string, wide?: WideIncident): void {
    this.#suppress(incident, 'grace');
    if (wide === undefined) return;
    const history = this.#history(wide.incident.provider);
    // The next one is to be told.
    if (history.wideAt === wide.reserved) history.wideAt = undefined;
  }

  /** An end is told only where the opening was. @returns the provider's incident if that is over with it, and how. */
  ended(incident: Incident, announcement: Announcement): { readonly wide: WideIncident; readonly over: Incident } | undefined {
    if (announcement.how === 'single' && incident.end !== 'evicted') this.#options.delivery.send('ended', incident);
    return announcement.how === 'wide' ? this.#leaveWide(incident, announcement.wide) : undefined;
  }

  #leaveWide(incident: Incident, wide: WideIncident): { readonly wide: WideIncident; readonly over: Incident } | undefined {
    wide.members.delete(incident.id);
    wide.scopeCount += incident.scopeCount;
    wide.suppressed += incident.suppressed;
    if (incident.end !== 'evicted') wide.end = incident.end;
    if (wide.members.size > 0) return undefined;
    this.#history(incident.provider).wide = undefined;
    const { scopeCount, suppressed, end = 'evicted' } = wide;
    return { wide, over: { ...wide.incident, scopeCount, suppressed, end, endedAt: incident.endedAt } };
  }

  #decide({ provider }: Incident, now: number): ReportDecision {
    const { openedAt, wide, wideAt } = this.#history(provider);
    const recent = { reportedAt: this.#reportedAt, openedAt: [...openedAt.values()], wideOpen: wide !== undefined, wideAt };
    return decideReport(recent, this.#options.limits, now);
  }

  #noteReported(now: number): void {
    this.#reportedAt = [...this.#reportedAt, now].slice(-this.#options.limits.perHour);
  }

  #suppress(incident: string, why: Suppression): void {
    this.#options.counters.reportsSuppressed++;
    this.#options.emitter.emit('suppressed', () => ({ incident, why }));
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
    cause: incident.id,
    reserved: now,
    members: new Set([incident.id]),
    scopeCount: 0,
    suppressed: 0,
    end: undefined,
    announcement: { how: 'pending' },
    announcing: false,
    over: undefined,
  };
}

function deleteFirst<K>(map: Map<K, unknown>): void {
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
}
