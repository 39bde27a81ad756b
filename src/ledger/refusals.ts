/** Why an identity is not refreshed. */
export interface Unrefreshable {
  /** The number of the call that found it out. */
  readonly at: number;
  /** Until when, in milliseconds since the epoch; for good if undefined. */
  readonly until: number | undefined;
  /** The token endpoint's answer, where that was the reason. */
  readonly status: number | undefined;
  readonly code: string | undefined;
  /** Found out on behalf of nobody known: not to be told. */
  readonly isOwn?: boolean | undefined;
  /** Nothing was found out: a refresh has just brought it, and it rests for so many milliseconds, or until it has worked. */
  readonly restMs?: number | undefined;
}

/** As many as there are successors of. */
const MOST_TENANTS = 64;

/** Why an identity is not refreshed, by tenant: whoever holds the same bytes may have another refresh token. */
export class Refusals {
  readonly #byTenant = new Map<string | undefined, Unrefreshable>();

  get size(): number {
    return this.#byTenant.size;
  }

  get(tenant: string | undefined): Unrefreshable | undefined {
    return this.#byTenant.get(tenant);
  }

  /** What an earlier refresh found out does not count; nor does a while after for good. Returns whether it does. */
  add(tenant: string | undefined, why: Unrefreshable): boolean {
    const present = this.#byTenant.get(tenant);
    const isForGood = why.until === undefined;
    const counts = present === undefined || (isForGood === (present.until === undefined) ? why.at >= present.at : isForGood);
    if (!counts) return false;
    this.#byTenant.delete(tenant);
    this.#byTenant.set(tenant, why);
    if (this.#byTenant.size <= MOST_TENANTS) return true;
    let [oldest, least] = [tenant, why.at];
    for (const [other, { at }] of this.#byTenant) if (at < least) [oldest, least] = [other, at];
    this.#byTenant.delete(oldest);
    return oldest !== tenant;
  }

  /** What works may be refreshed when its time comes. */
  endRests(): void {
    for (const [tenant, { restMs }] of this.#byTenant) if (restMs !== undefined) this.#byTenant.delete(tenant);
  }

  /** Nothing is numbered above `greatest`. */
  restamp(greatest: number): void {
    for (const [tenant, why] of this.#byTenant) if (why.at > greatest) this.#byTenant.set(tenant, { ...why, at: greatest });
  }

  entries(): Iterable<[string | undefined, Unrefreshable]> {
    return this.#byTenant;
  }
}
