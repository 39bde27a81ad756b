import type { Identity } from './verdicts.js';

/** What one scope points at. */
export class Slot {
  readonly provider: string | undefined;
  identity: Identity;
  /** The number of the capture that put it here. */
  at: number;
  /** It was dead already when it came, and took the place only because nothing alive held it. */
  deadOnArrival: boolean;
  /** Who presented it last. */
  by: Session;
  /** The same session's slot for another provider. */
  next: Slot | undefined;

  constructor(provider: string | undefined, identity: Identity, at: number, deadOnArrival: boolean, by: Session) {
    this.provider = provider;
    this.identity = identity;
    this.at = at;
    this.deadOnArrival = deadOnArrival;
    this.by = by;
    this.next = undefined;
  }
}

/** Who presents credentials: a session, or (without a name) the requests of no session, which only fill the global slot. */
export class Session {
  readonly tenant: Tenant;
  readonly name: string | undefined;
  /** Milliseconds since the ledger was made: small numbers take no memory of their own. */
  capturedAt = 0;
  slots: Slot | undefined = undefined;

  constructor(tenant: Tenant, name: string | undefined) {
    this.tenant = tenant;
    this.name = name;
  }

  slot(provider: string | undefined): Slot | undefined {
    let slot = this.slots;
    while (slot !== undefined && slot.provider !== provider) slot = slot.next;
    return slot;
  }

  remove(slot: Slot): void {
    if (this.slots === slot) {
      this.slots = slot.next;
      return;
    }
    for (const before of this.allSlots()) if (before.next === slot) before.next = slot.next;
  }

  *allSlots(): Iterable<Slot> {
    for (let slot = this.slots; slot !== undefined; slot = slot.next) yield slot;
  }
}

/** Another process's session, or one that this process had no room for: whether it is still there is for others to say. */
export class Stranger extends Session {}

export class Tenant {
  readonly name: string | undefined;
  readonly sessions = new Map<string | undefined, Session>();
  readonly globals = new Map<string | undefined, Slot>();

  constructor(name: string | undefined) {
    this.name = name;
  }
}
