import type { Clock } from '../clock.js';
import type { Credential } from '../credential/credential.js';
import { ANY, type Change } from './change.js';
import type { GivenHint } from './hints.js';
import type { Identities } from './identities.js';
import type { Pin, Pins } from './pins.js';
import type { Session, Tenant } from './session.js';
import type { Placed, Slots } from './slots.js';
import { isSucceededBy } from './successors.js';
import type { Identity } from './verdicts.js';

export interface AdoptionOptions {
  readonly identities: Identities;
  readonly slots: Slots;
  readonly pins: Pins;
  readonly clock: Clock;
  readonly startedAt: number;
  /** What is known in advance of a credential's end. */
  readonly hint: (identity: Identity, hint: GivenHint) => unknown;
  readonly onChange: (change: Change) => void;
  /** What it lent stays. */
  readonly evictSession: (tenant: string | undefined, session: string) => void;
}

/** How what other processes did comes into the ledger. Whoever brings it in tells the changes once all of it is there. */
export class Adoption {
  readonly #options: AdoptionOptions;

  constructor(options: AdoptionOptions) {
    this.#options = options;
  }

  /** The session, made if it is not there; `captured` is when it last presented something, in milliseconds since the epoch. */
  open(tenant: string | undefined, session: string | undefined, captured?: number): Session {
    const { slots, clock, startedAt } = this.#options;
    const opened = slots.open(tenant, session, clock.now() - startedAt);
    if (captured !== undefined) opened.capturedAt = Math.max(opened.capturedAt, captured - startedAt);
    return opened;
  }

  /** When a session last presented something, in milliseconds since the epoch. */
  capturedAt(session: Session): number {
    return this.#options.startedAt + session.capturedAt;
  }

  find(tenant: string | undefined, session: string | undefined): Session | undefined {
    return this.tenant(tenant)?.sessions.get(session);
  }

  tenant(name: string | undefined): Tenant | undefined {
    return this.#options.slots.tenant(name);
  }

  pin(tenant: string | undefined, provider: string | undefined, purpose: string | undefined): Pin | undefined {
    return this.#options.pins.get(tenant, provider, purpose);
  }

  /** The identity of a credential that came from the store, kept as long as there is room even if no slot will hold it. */
  identity(provider: string | undefined, fingerprint: string): Identity {
    const { identities } = this.#options;
    const identity = identities.of(provider, fingerprint);
    identities.shelve(identity);
    return identity;
  }

  hint(identity: Identity, hint: GivenHint): void {
    this.#options.hint(identity, hint);
  }

  slot(session: Session, provider: string | undefined, placed: Placed | undefined): Change | undefined {
    const { slots } = this.#options;
    if (!slots.adopt(session, provider, placed)) return undefined;
    // What is gone was evicted somewhere: nothing of it is told to those who wait for something to come.
    const cause = placed === undefined ? 'unlent' : 'captured';
    return { cause, tenant: session.tenant.name, provider, session: session.name };
  }

  global(tenant: Tenant, provider: string | undefined, placed: Placed | undefined): Change | undefined {
    if (!this.#options.slots.adoptGlobal(tenant, provider, placed)) return undefined;
    return { cause: placed === undefined ? 'unlent' : 'captured', tenant: tenant.name, provider, session: ANY };
  }

  /** Undefined takes the pin away. */
  pinned(
    place: { readonly tenant: string | undefined; readonly provider: string | undefined; readonly purpose: string | undefined },
    pin: { readonly identity: Identity; readonly credential: Credential; readonly at: number } | undefined,
  ): Change | undefined {
    const { pins } = this.#options;
    const present = pins.get(place.tenant, place.provider, place.purpose);
    if (pin === undefined) {
      if (!pins.remove(place.tenant, place.provider, place.purpose)) return undefined;
    } else if (present !== undefined && isSucceededBy(present.identity, pin.identity, place.tenant)) {
      pins.replace(present, pin.identity, pin.credential, pin.at);
    } else {
      pins.set(place, pin.identity, pin.credential, pin.at);
    }
    return { cause: 'pinned', tenant: place.tenant, provider: place.provider, session: ANY };
  }

  /** A session, or a tenant's requests of none, was evicted by somebody else. What becomes of what it lent is the store's to say. */
  evictSession(tenant: string | undefined, session: string | undefined): void {
    if (session !== undefined) this.#options.evictSession(tenant, session);
    else this.#options.slots.evict(tenant, undefined, 'asked', false);
  }

  /** The clock that numbered them was wrong: nothing is numbered above `greatest`. */
  restamp(greatest: number): void {
    const { identities, slots, pins } = this.#options;
    for (const identity of identities.all()) identity.restamp(greatest);
    for (const pin of pins.all()) pin.at = Math.min(pin.at, greatest);
    for (const tenant of slots.tenants()) {
      for (const slot of tenant.globals.values()) slot.at = Math.min(slot.at, greatest);
      for (const session of tenant.sessions.values()) for (const slot of session.allSlots()) slot.at = Math.min(slot.at, greatest);
    }
  }

  tell(change: Change): void {
    this.#options.onChange(change);
  }
}
