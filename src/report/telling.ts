import type { Coordinator } from '../ledger/store.js';
import type { Incident } from '../policy/incident.js';
import type { Announcer } from './announcer.js';
import { describe, type OpenIncident } from './open-incident.js';

/** Begins the id of an incident that its first process did not tell by itself: nobody is to tell its end. */
const UNTOLD = '-';

/**
 * When the reporter is told of an incident: at once in a single process. Where processes share a store the first of them to have it tells that
 * it has opened, and the last that it has ended.
 */
export class Telling {
  readonly #announcer: Announcer;
  readonly #coordinator: Coordinator | undefined;
  /** One after the other for each credential, or who leaves an incident would take along who has just entered the next. */
  readonly #tails = new Map<string, Promise<void>>();
  #closed = false;

  constructor(announcer: Announcer, coordinator: Coordinator | undefined) {
    this.#announcer = announcer;
    this.#coordinator = coordinator;
  }

  /** It has outlived its grace. */
  opened(incident: OpenIncident): void {
    if (incident.announcement.how !== 'pending' || incident.announcing) return;
    incident.announcing = true;
    const coordinator = this.#coordinator;
    if (coordinator !== undefined) {
      this.#inTurn(incident, () => this.#enter(incident, coordinator));
      return;
    }
    incident.announcement = this.#announcer.announce(describe(incident));
    incident.announcing = false;
    // The reporter may have brought fresh auth at the news.
    if (incident.over !== undefined) this.#announcer.ended(incident.over, incident.announcement);
  }

  ended(incident: OpenIncident, over: Incident): void {
    incident.over = over;
    if (incident.announcing) return;
    const coordinator = this.#coordinator;
    if (coordinator === undefined || incident.announcement.how === 'pending') this.#announcer.ended(over, incident.announcement);
    else this.#inTurn(incident, () => this.#leave(incident, over, coordinator));
  }

  /** Resolves when what is being decided has been. */
  async settled(): Promise<void> {
    while (this.#tails.size > 0) await Promise.all(this.#tails.values());
  }

  /** Nothing is told any more. */
  close(): void {
    this.#closed = true;
  }

  #inTurn({ identity }: OpenIncident, step: () => Promise<void>): void {
    const key = JSON.stringify([identity.provider, identity.fingerprint]);
    const before = this.#tails.get(key);
    const tail = (before === undefined ? step() : before.then(step)).then(undefined, () => {});
    this.#tails.set(key, tail);
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
  }

  async #enter(incident: OpenIncident, coordinator: Coordinator): Promise<void> {
    try {
      if (this.#closed) return;
      if (incident.over === undefined) await this.#claim(incident, coordinator);
      else this.#announcer.ended(incident.over, incident.announcement);
    } catch {
      // A clock of the user's may throw, and nobody waits for this who could be told: it is only left in the end.
      incident.announcement = { how: 'suppressed' };
    } finally {
      incident.announcing = false;
    }
    if (incident.over !== undefined && incident.announcement.how !== 'pending') await this.#leave(incident, incident.over, coordinator);
  }

  async #claim(incident: OpenIncident, coordinator: Coordinator): Promise<void> {
    const announcer = this.#announcer;
    const { id, identity } = incident;
    const reserved = announcer.reserve(describe(incident));
    const claim = await coordinator.enterIncident(identity, reserved === undefined ? UNTOLD + id : id);
    if (this.#closed) return;
    if (claim.state === 'held') {
      announcer.withdraw(reserved);
      incident.announcement = announcer.leaveTo(describe(incident), claim.id);
      return;
    }
    if (incident.over === undefined) {
      incident.announcement = announcer.announce(describe(incident), reserved);
      return;
    }
    // Over before anybody could be told. But who has come in since relies on its having been.
    const { state } = await coordinator.leaveIncident(identity);
    if (this.#closed) return;
    if (claim.state === 'acquired' && state === 'others' && reserved !== undefined) {
      announcer.announce(describe(incident), reserved);
      return;
    }
    announcer.withdraw(reserved);
    announcer.ended(incident.over, incident.announcement);
  }

  async #leave(incident: OpenIncident, over: Incident, coordinator: Coordinator): Promise<void> {
    const { announcement, identity } = incident;
    const ending = await coordinator.leaveIncident(identity);
    if (this.#closed) return;
    if (announcement.how === 'elsewhere') {
      const id = ending.id ?? announcement.id;
      if (ending.state === 'last' && !id.startsWith(UNTOLD)) this.#announcer.ended({ ...over, id }, { how: 'single' });
      return;
    }
    // Whoever is the last to be rid of it tells the end of what was told here.
    if (announcement.how !== 'single' || ending.state !== 'others') this.#announcer.ended(over, announcement);
  }
}
