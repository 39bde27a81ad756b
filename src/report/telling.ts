import type { Coordinator, IncidentOf } from '../ledger/store.js';
import type { Incident } from '../policy/incident.js';
import type { Announcer } from './announcer.js';
import { type Announcement, describe, type OpenIncident, type WideIncident } from './open-incident.js';

/** Begins the id of an incident that its first process did not tell by itself: nobody is to tell its end. */
const UNTOLD = '-';

/**
 * When the reporter is told of an incident: at once in a single process. Where processes share a store the first of them to have it tells that
 * it has opened, and the last that it has ended.
 */
export class Telling {
  readonly #announcer: Announcer;
  readonly #coordinator: Coordinator | undefined;
  /** One after the other for each credential and provider, or who leaves an incident would take along who has just entered the next. */
  readonly #tails = new Map<string, Promise<void>>();
  #closed = false;

  constructor(announcer: Announcer, coordinator: Coordinator | undefined) {
    this.#announcer = announcer;
    this.#coordinator = coordinator;
  }

  /** It has outlived its grace. */
  opened(incident: OpenIncident | WideIncident): void {
    if (incident.announcement.how !== 'pending' || incident.announcing) return;
    incident.announcing = true;
    const coordinator = this.#coordinator;
    if (coordinator !== undefined) {
      this.#inTurn(of(incident), () => this.#enter(incident, coordinator));
      return;
    }
    this.#announce(incident, isWide(incident) ? incident.reserved : undefined);
    incident.announcing = false;
    // The reporter may have brought fresh auth at the news.
    if (incident.over !== undefined) this.#tellEnd(incident.over, incident.announcement);
  }

  ended(incident: OpenIncident | WideIncident, over: Incident): void {
    incident.over = over;
    if (incident.announcing) return;
    const coordinator = this.#coordinator;
    if (incident.announcement.how === 'pending') this.#spare(incident);
    else if (coordinator === undefined) this.#tellEnd(over, incident.announcement);
    else this.#inTurn(of(incident), () => this.#leave(incident, over, coordinator));
  }

  /** Resolves when what is being decided has been. */
  async settled(): Promise<void> {
    while (this.#tails.size > 0) await Promise.all(this.#tails.values());
  }

  /** Nothing is told any more. */
  close(): void {
    this.#closed = true;
  }

  #inTurn({ provider, fingerprint }: IncidentOf, step: () => Promise<void>): void {
    const key = JSON.stringify([provider, fingerprint]);
    const before = this.#tails.get(key);
    const tail = (before === undefined ? step() : before.then(step)).then(undefined, () => {});
    this.#tails.set(key, tail);
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
  }

  async #enter(incident: OpenIncident | WideIncident, coordinator: Coordinator): Promise<void> {
    try {
      if (this.#closed) return;
      if (incident.over === undefined) await this.#claim(incident, coordinator);
      else this.#spare(incident);
    } catch {
      // A clock of the user's may throw, and nobody waits for this who could be told: it is only left in the end.
      incident.announcement = { how: 'suppressed' };
    } finally {
      incident.announcing = false;
    }
    if (incident.over !== undefined && incident.announcement.how !== 'pending') await this.#leave(incident, incident.over, coordinator);
  }

  async #claim(incident: OpenIncident | WideIncident, coordinator: Coordinator): Promise<void> {
    const announcer = this.#announcer;
    const reserved = isWide(incident) ? incident.reserved : announcer.reserve(describe(incident));
    const { id } = isWide(incident) ? incident.incident : incident;
    const claim = await coordinator.enterIncident(of(incident), reserved === undefined ? UNTOLD + id : id);
    if (this.#closed) return;
    if (claim.state === 'held') {
      announcer.withdraw(reserved);
      incident.announcement = announcer.leaveTo(claim.id, isWide(incident) ? incident.cause : id);
      return;
    }
    if (incident.over === undefined) {
      this.#announce(incident, reserved);
      return;
    }
    // Over before anybody could be told. But who has come in since relies on its having been.
    const { over } = incident;
    const isTold = claim.state === 'acquired' && reserved !== undefined;
    const { state } = await coordinator.leaveIncident(of(incident), isTold ? () => this.#tellEnd(over, { how: 'single' }) : undefined);
    if (this.#closed) return;
    if (isTold && state === 'others') {
      announcer.announce(isWide(incident) ? incident.incident : describe(incident), reserved);
      return;
    }
    announcer.withdraw(reserved);
    this.#spare(incident);
  }

  /** Once told, all of a provider's are an incident of their own, with an opening and an end in the fleet. */
  #announce(incident: OpenIncident | WideIncident, reserved: number | undefined): void {
    const announcement = this.#announcer.announce(isWide(incident) ? incident.incident : describe(incident), reserved);
    incident.announcement = announcement;
    if (announcement.how === 'wide') this.opened(announcement.wide);
  }

  async #leave(incident: OpenIncident | WideIncident, over: Incident, coordinator: Coordinator): Promise<void> {
    const { announcement } = incident;
    const ending = await coordinator.leaveIncident(of(incident), this.#endToTell(over, announcement));
    if (this.#closed) return;
    if (announcement.how === 'elsewhere') {
      if (ending.state === 'last') this.#endToTell(over, announcement)?.(ending.id ?? announcement.id);
      return;
    }
    // Whoever is the last to be rid of it tells the end of what was told here.
    if (announcement.how !== 'single' || ending.state !== 'others') this.#tellEnd(over, announcement);
  }

  /** What is told of an end under the id that the opening had in the fleet; undefined if there is nothing to tell. */
  #endToTell(over: Incident, announcement: Announcement): ((id: string) => void) | undefined {
    const { how } = announcement;
    if (over.end === 'evicted' || (how !== 'single' && how !== 'elsewhere')) return undefined;
    if (how === 'elsewhere' && announcement.id.startsWith(UNTOLD)) return undefined;
    return (id) => {
      if (!id.startsWith(UNTOLD)) this.#tellEnd({ ...over, id: how === 'single' ? over.id : id }, { how: 'single' });
    };
  }

  #tellEnd(over: Incident, announcement: Announcement): void {
    if (this.#closed) return;
    const wide = this.#announcer.ended(over, announcement);
    if (wide !== undefined) this.ended(wide.wide, wide.over);
  }

  #spare(incident: OpenIncident | WideIncident): void {
    if (isWide(incident)) this.#announcer.spared(incident.cause, incident);
    else this.#announcer.spared(incident.id);
  }
}

function isWide(incident: OpenIncident | WideIncident): incident is WideIncident {
  return 'members' in incident;
}

/** What the incident is of. */
function of(incident: OpenIncident | WideIncident): IncidentOf {
  return isWide(incident) ? incident.incident : incident.identity;
}
