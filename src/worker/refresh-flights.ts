import type { Candidate } from '../ledger/block.js';
import type { WorkScope } from '../ledger/scope-key.js';
import type { Identity } from '../ledger/verdicts.js';
import { flightKey, type RefreshFlight } from './refresh-flight.js';

/** Refreshes that go on at once; beyond them one that pauses makes room, and if none does, the next call asks again. */
const MOST_FLIGHTS = 1_000;

/** The refreshes that go on, one of each credential of a tenant's. */
export class RefreshFlights {
  /** Not by identity: one that was evicted and presented again meanwhile is another, with the same refresh token. */
  readonly #flights = new Map<string, RefreshFlight>();

  get size(): number {
    return this.#flights.size;
  }

  get isFull(): boolean {
    return this.#flights.size >= MOST_FLIGHTS;
  }

  of(identity: Identity, { tenant }: WorkScope): RefreshFlight | undefined {
    return this.#flights.size === 0 ? undefined : this.#flights.get(flightKey(identity, tenant));
  }

  /** That of the first of a scope's candidates that is being refreshed, or better, whose refresh is worth waiting for. */
  among(candidates: readonly Candidate[], scope: WorkScope): RefreshFlight | undefined {
    const flights = candidates.flatMap(({ identity }) => this.of(identity, scope) ?? []);
    return flights.find(({ isPromising }) => isPromising) ?? flights[0];
  }

  has(flight: RefreshFlight): boolean {
    return this.#flights.get(flight.key) === flight;
  }

  add(flight: RefreshFlight): void {
    this.#flights.set(flight.key, flight);
  }

  /** Returns whether it was there. */
  delete(flight: RefreshFlight): boolean {
    return this.has(flight) && this.#flights.delete(flight.key);
  }

  /** As they are now, whatever is added or deleted meanwhile. */
  all(): readonly RefreshFlight[] {
    return [...this.#flights.values()];
  }

  /** Of those that spend the same, the one that goes on. */
  withTurn(spends: string): RefreshFlight | undefined {
    for (const flight of this.#flights.values()) if (flight.hasTurn && flight.spends === spends) return flight;
    return undefined;
  }

  /** Of those that spend the same, the ones that wait for their next try. */
  pausingFor(spends: string | undefined): readonly RefreshFlight[] {
    return spends === undefined ? [] : this.all().filter((flight) => flight.next !== undefined && flight.spends === spends);
  }

  /** One that only waits for its next try. */
  pausing(): RefreshFlight | undefined {
    for (const flight of this.#flights.values()) if (flight.next !== undefined) return flight;
    return undefined;
  }
}
