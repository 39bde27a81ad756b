import { randomUUID } from 'node:crypto';
import type { WorkScope } from '../ledger/scope-key.js';
import type { AfterRefresh, CanaryClaim, Coordinator, IncidentClaim, IncidentEnding, IncidentOf, RefreshClaim } from '../ledger/store.js';
import type { Identity } from '../ledger/verdicts.js';
import type { AfterCanary } from '../policy/canary.js';
import { Arrears } from './arrears.js';
import type { Carrier, Name, RecordRef } from './carrier.js';
import { Endings } from './endings.js';
import { Locks } from './locks.js';
import { Memberships } from './memberships.js';
import type { Names } from './names.js';

const DOWN = { state: 'down' } as const;

export interface FleetCoordinatorOptions {
  readonly carrier: Pick<Carrier, 'lock' | 'unlock' | 'enter' | 'leave'>;
  readonly names: Pick<Names, 'identity' | 'session' | 'tenant' | 'provider' | 'spent' | 'lock'>;
  /** Whether the store answers; if not, it is not asked. */
  readonly isUp: () => boolean;
  /** Asks where the store stands, if that is all there is in the way. Never rejects. */
  readonly greet: () => Promise<void>;
  /** A lock is to be given back, once what its owner learnt has been pushed. */
  readonly release: (lock: Name, owner: string, note: string) => void;
  /** Brings in what the store knows: what the last owner of a lock learnt may not have been heard yet. */
  readonly fetch: (refs: readonly RecordRef[]) => Promise<void>;
}

/** What only one process of a fleet is to do, decided by locks and groups in the store. */
export class FleetCoordinator implements Coordinator {
  readonly #options: FleetCoordinatorOptions;
  readonly #arrears: Arrears;
  readonly #locks: Locks;
  readonly #endings: Endings;
  readonly #memberships: Memberships;

  constructor(options: FleetCoordinatorOptions) {
    this.#options = options;
    const { carrier, names, isUp, greet, release } = options;
    const process: string = randomUUID();
    const arrears = new Arrears(isUp);
    this.#arrears = arrears;
    this.#locks = new Locks({ carrier, isUp, greet, arrears, process, release });
    this.#endings = new Endings({ carrier, names, isUp, arrears, process });
    this.#memberships = new Memberships({ carrier, names, isUp, endings: this.#endings, process });
  }

  async claimCanary(identity: Identity, ms: number): Promise<CanaryClaim> {
    const { names } = this.#options;
    const name = names.identity(identity.provider, identity.fingerprint);
    const claim = await this.#locks.claim(names.lock('canary', name), ms, 'next' satisfies AfterCanary);
    if (claim.state === 'held') return { state: 'held', onDone: (listener) => void claim.onDone((note) => listener(afterCanary(note))) };
    if (claim.state === 'down') return DOWN;
    await this.#bringIn([{ kind: 'identity', name }]);
    return { state: 'acquired', done: (after) => claim.held.done(after), leave: () => claim.held.leave() };
  }

  async claimRefresh(identity: Identity, { tenant, session }: WorkScope, ms: number, spends?: string): Promise<RefreshClaim> {
    const { names } = this.#options;
    const name = names.identity(identity.provider, identity.fingerprint);
    const owner = names.tenant(tenant);
    const refs: readonly RecordRef[] = [
      { kind: 'identity', name },
      { kind: 'session', name: names.session(tenant, session) },
      { kind: 'tenant', name: owner },
    ];
    // What the last owner has brought must be here.
    const bringIn = (): Promise<boolean> => this.#fetch(refs);
    const lock = spends === undefined ? names.lock('refresh', name, owner) : names.lock('refresh', names.spent(spends));
    const claim = await this.#locks.claimPatiently(lock, ms, 'again' satisfies AfterRefresh, bringIn);
    if (claim.state === 'down') return DOWN;
    if (claim.state === 'held') {
      const { leftMs } = claim;
      return { state: 'held', leftMs, onDone: (listener) => claim.onDone((note) => listener(afterRefresh(note))) };
    }
    const { held } = claim;
    return { state: 'acquired', keep: (more) => held.keep(more), done: (after) => held.done(after), leave: () => held.leave() };
  }

  /** A lock was given back, here or elsewhere. */
  released(lock: Name, note: string): void {
    this.#locks.released(lock, note);
  }

  /** The store answers again. */
  found(): void {
    this.#arrears.payAll();
    this.#locks.found();
  }

  /** The store has lost what it had. */
  reset(): void {
    this.#endings.forgetAll();
    this.#locks.reset();
  }

  /** The store is gone: whoever waits for another process goes on alone, unless that does harm. */
  lost(): void {
    this.#locks.lost();
  }

  enterIncident(of: IncidentOf, id: string): Promise<IncidentClaim> {
    return this.#memberships.enter(of, id);
  }

  leaveIncident(of: IncidentOf, tellEnd?: (id: string) => void): Promise<IncidentEnding> {
    return this.#memberships.leave(of, tellEnd);
  }

  /** Nothing is renewed or heard any more; the incidents that are open are left to those who have them open too. Never rejects. */
  async close(): Promise<void> {
    this.#memberships.close();
    this.#endings.close();
    this.#arrears.close();
    await this.#locks.close();
  }

  /** If that fails, what is known here has to do. */
  async #bringIn(refs: readonly RecordRef[]): Promise<void> {
    await this.#fetch(refs);
  }

  /** Whether that was answered. */
  async #fetch(refs: readonly RecordRef[]): Promise<boolean> {
    try {
      await this.#options.fetch(refs);
      return true;
    } catch {
      return false;
    }
  }
}

/** What this version does not know says only that things have changed. */
function afterCanary(note: string): AfterCanary {
  return note === 'go' || note === 'next' ? note : 'choose';
}

function afterRefresh(note: string): AfterRefresh {
  return note === 'nothing' || note === 'again' ? note : 'look';
}
