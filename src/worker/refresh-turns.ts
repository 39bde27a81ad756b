import type { Credential } from '../credential/credential.js';
import type { LedgerReader } from '../ledger/reader.js';
import type { Identity } from '../ledger/verdicts.js';
import type { RefreshFlight } from './refresh-flight.js';
import type { RefreshFlights } from './refresh-flights.js';

/** Names of which it is remembered what a refresh brought last. */
const MOST_NAMES = 10_000;

export interface RefreshTurnsOptions {
  readonly flights: RefreshFlights;
  readonly ledger: Pick<LedgerReader, 'identity' | 'isUsable'>;
  readonly now: () => number;
}

/** Refreshes that spend the same, as the gateway's rule names it: one after another, and not again while what the last one brought is good. */
export class RefreshTurns {
  readonly #options: RefreshTurnsOptions;
  readonly #brought = new Map<string, Identity>();

  constructor(options: RefreshTurnsOptions) {
    this.#options = options;
  }

  /**
   * Waits while another refresh of the same name goes on in this process. `busy`: that one pauses, or there have been others for `ms` milliseconds. `done`:
   * it is this one's turn, until it ends, or it is not wanted any more.
   */
  async await(flight: RefreshFlight, ms: number, isWanted: () => boolean): Promise<'done' | 'busy'> {
    const { spends } = flight;
    if (spends === undefined || flight.hasTurn) return 'done';
    const deadline = performance.now() + ms;
    while (isWanted()) {
      const other = this.#options.flights.withTurn(spends);
      if (other === undefined) {
        flight.hasTurn = true;
        return 'done';
      }
      if (!other.isPromising || performance.now() >= deadline) return 'busy';
      await new Promise<void>((resolve) => other.wait(resolve));
    }
    return 'done';
  }

  /** What the last refresh of the same name brought, if it would do here, too. */
  last({ spends, source, identity, scope }: RefreshFlight): Credential | undefined {
    const { ledger, now } = this.#options;
    const brought = spends === undefined ? undefined : this.#brought.get(spends);
    if (brought === undefined || brought === identity || !ledger.isUsable(brought, scope)) return undefined;
    // A key is no token of the login, and what is pinned is the gateway's own.
    if (source === 'pinned' || brought.credential?.scheme !== identity.credential?.scheme) return undefined;
    return brought.refreshAt !== undefined && now() >= brought.refreshAt ? undefined : brought.credential;
  }

  /** A refresh has brought this. */
  brought({ spends, source, scope }: RefreshFlight, credential: Credential): void {
    const identity = spends === undefined || source === 'pinned' ? undefined : this.#options.ledger.identity(scope, credential);
    if (spends === undefined || identity === undefined) return;
    this.#brought.delete(spends);
    this.#brought.set(spends, identity);
    for (const oldest of this.#brought.keys()) {
      if (this.#brought.size <= MOST_NAMES) break;
      this.#brought.delete(oldest);
    }
  }
}
