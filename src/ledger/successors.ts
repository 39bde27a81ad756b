import type { Identity } from './verdicts.js';

/** Tenants that hold the same credential are few; one that a client could name at will must not fill memory. */
const MOST_TENANTS = 64;
/** A credential that was refreshed so many times over is far behind. */
const MOST_GENERATIONS = 16;

/** What a refresh put in a credential's place, by tenant: what one tenant's refresh brought is no other's. */
export class Successors {
  readonly #byTenant = new Map<string | undefined, { readonly identity: Identity; readonly at: number }>();

  /** The refresh numbered `at` brought this; the last one counts. */
  set(tenant: string | undefined, identity: Identity, at: number): void {
    const present = this.#byTenant.get(tenant);
    if (present !== undefined && present.at > at) return;
    this.#byTenant.delete(tenant);
    this.#byTenant.set(tenant, { identity, at });
    for (const oldest of this.#byTenant.keys()) {
      if (this.#byTenant.size <= MOST_TENANTS) break;
      this.#byTenant.delete(oldest);
    }
  }

  get(tenant: string | undefined): { readonly identity: Identity; readonly at: number } | undefined {
    return this.#byTenant.get(tenant);
  }

  /** Nothing is numbered above `greatest`. */
  restamp(greatest: number): void {
    for (const [tenant, { identity, at }] of this.#byTenant) if (at > greatest) this.#byTenant.set(tenant, { identity, at: greatest });
  }

  entries(): Iterable<[string | undefined, { readonly identity: Identity; readonly at: number }]> {
    return this.#byTenant;
  }
}

/** Whether `later` has come of `identity` for this tenant, by one refresh or several. */
export function isSucceededBy(identity: Identity, later: Identity, tenant: string | undefined): boolean {
  let isLater = false;
  for (const { identity: next } of successionOf(identity, tenant)) {
    // An issuer may give a token again that it gave before: it has come of itself then, and of nothing in between.
    if (next === identity) isLater = false;
    else if (next === later) isLater = true;
  }
  return isLater;
}

/** What refreshes have put in an identity's place for this tenant, one after the other. */
export function* successionOf(
  identity: Identity,
  tenant: string | undefined,
): Iterable<{ readonly identity: Identity; readonly at: number }> {
  let at = 0;
  let next = identity.successors?.get(tenant);
  for (let generation = 0; next !== undefined && next.at >= at && generation < MOST_GENERATIONS; generation++) {
    yield next;
    at = next.at;
    next = next.identity.successors?.get(tenant);
  }
}
