import type { Credential } from '../credential/credential.js';
import type { Identities } from './identities.js';
import { scopeKey, WorkScope } from './scope-key.js';
import type { Identity } from './verdicts.js';

export interface Pin {
  readonly tenant: string | undefined;
  readonly provider: string | undefined;
  readonly purpose: string | undefined;
  identity: Identity;
  /** The number of the pinning, or of the refresh that put it here. */
  at: number;
}

/** Whose work a pin is for. */
export type PinPlace = Pick<WorkScope, 'tenant' | 'provider' | 'purpose'>;

/** The gateway's own credentials: asked first, displaced by no client, dropped by no limit. */
export class Pins {
  readonly #pins = new Map<string, Pin>();
  readonly #identities: Identities;

  constructor(identities: Identities) {
    this.#identities = identities;
  }

  /** The pin for a scope's purpose, or else for any purpose. */
  find(scope: WorkScope): Identity | undefined {
    if (this.#pins.size === 0) return undefined;
    const { tenant, provider, purpose } = scope;
    const exact = this.#pins.get(scopeKey(tenant, provider, purpose));
    return (exact ?? (purpose === undefined ? undefined : this.#pins.get(scopeKey(tenant, provider))))?.identity;
  }

  /** Replaces what was pinned there. Returns how to take this pin, and no later one, away again, which says what number it had then. */
  set(place: PinPlace, identity: Identity, credential: Credential, at: number): () => number | undefined {
    const { tenant, provider, purpose } = place;
    const key = scopeKey(tenant, provider, purpose);
    const pin: Pin = { tenant, provider, purpose, identity, at };
    const previous = this.#pins.get(key);
    this.#identities.retain(identity, credential);
    this.#pins.set(key, pin);
    if (previous !== undefined) this.#identities.release(previous.identity, false);
    return () => (this.#pins.get(key) === pin && this.remove(tenant, provider, purpose) ? pin.at : undefined);
  }

  /** What a refresh brought is pinned in place of what was: by whoever pinned that, to be taken away by the same. */
  replace(pin: Pin, identity: Identity, credential: Credential, at: number): void {
    this.#identities.retain(identity, credential);
    this.#identities.release(pin.identity, false);
    pin.identity = identity;
    pin.at = at;
  }

  get(tenant: string | undefined, provider: string | undefined, purpose: string | undefined): Pin | undefined {
    return this.#pins.get(scopeKey(tenant, provider, purpose));
  }

  /** Returns whether there was one. */
  remove(tenant: string | undefined, provider: string | undefined, purpose: string | undefined): boolean {
    const key = scopeKey(tenant, provider, purpose);
    const pin = this.#pins.get(key);
    if (pin === undefined) return false;
    this.#pins.delete(key);
    this.#identities.release(pin.identity, false);
    return true;
  }

  /** Pins what a refresh brought in place of what was refreshed, if that was pinned before `before`. Returns where. */
  succeed(tenant: string | undefined, from: Identity, to: Identity, credential: Credential, at: number, before: number): WorkScope[] {
    const places = [...this.#pins.values()].filter((pin) => pin.tenant === tenant && pin.identity === from && pin.at < before);
    // Later than what was pinned while it was out.
    for (const pin of places) this.replace(pin, to, credential, Math.max(at, pin.at + 1));
    return places.map(({ provider, purpose }) => new WorkScope(tenant, undefined, provider, purpose, false));
  }

  all(): Iterable<Pin> {
    return this.#pins.values();
  }
}
