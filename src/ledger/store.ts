import type { Clock } from '../clock.js';
import type { Emitter } from '../events.js';
import type { AfterCanary } from '../policy/canary.js';
import type { Incident } from '../policy/incident.js';
import type { Journal } from './journal.js';
import type { Ledger } from './ledger.js';
import type { WorkScope } from './scope-key.js';
import type { Sequence } from './sequence.js';
import type { Identity } from './verdicts.js';

/** State that several processes share, made by `redisStore` of `latchkey/redis`. One store serves one Latchkey. */
export interface Store {
  /**
   * Called once, by `createLatchkey`.
   * @internal
   */
  attach(host: StoreHost): Replica;
}

/** What a store is given of its Latchkey. */
export interface StoreHost {
  readonly clock: Clock;
  readonly emitter: Emitter;
  readonly idleMs: number;
}

/** Whether the store answers. */
export type StoreState = 'up' | 'down';

/** This process's copy of what the store holds of the scopes it has to do with: all of it is in the ledger, which asks nobody. */
export interface Replica {
  readonly state: StoreState;
  /** Where leases, captures and decrees take their numbers, so that they compare across processes. */
  readonly sequence: Sequence;
  readonly coordinator: Coordinator;
  /** What the ledger tells of what this process does. */
  readonly journal: Journal;
  /** Begins, once the ledger that it copies into is there. `onVerdict` hears of identities that others have learnt about. */
  start(ledger: Ledger, onVerdict: (identity: Identity) => void): void;
  /** Resolves once the store has answered, or turned out to be down. */
  ready(): Promise<void>;
  isLoaded(scope: WorkScope): boolean;
  /** Brings in what the store knows of these scopes. Never rejects: with the store down they stay as they are. */
  load(scopes: readonly WorkScope[]): Promise<void>;
  /** Somebody waits for the scope to be able to work: it is followed until the function that this returns is called. */
  wait(scope: WorkScope): () => void;
  /** Sends what has not been sent. Never rejects. */
  flush(): Promise<void>;
  /** Nothing is sent or heard any more. Never rejects. */
  close(): Promise<void>;
}

/** What only one process of a fleet is to do. `down`: there is no fleet now, behave as a single process. */
export interface Coordinator {
  /** The right to try an identity first, for the whole fleet, for so many milliseconds. Never rejects. */
  claimCanary(identity: Identity, ms: number): Promise<CanaryClaim>;
  /**
   * The right to refresh an identity for the scope's tenant, for the whole fleet, for so many milliseconds. A store that has just gone is waited for,
   * as long as somebody may have the right still. With `spends` it is the one right to all that spend the same. Never rejects.
   */
  claimRefresh(identity: Identity, scope: WorkScope, ms: number, spends?: string): Promise<RefreshClaim>;
  /** An incident has opened here. Only who gets `acquired` or `down` reports it. Never rejects. */
  enterIncident(of: IncidentOf, id: string): Promise<IncidentClaim>;
  /**
   * It has ended here; without `tellEnd` there is nothing to tell of that. Where others have it open, `tellEnd` is called with the id of the
   * incident if all of them die and it falls to this process to tell the end. Never rejects.
   */
  leaveIncident(of: IncidentOf, tellEnd?: (id: string) => void): Promise<IncidentEnding>;
}

export type RefreshClaim =
  /** What the store knows of the identity and the scope is here. */
  | {
      readonly state: 'acquired';
      /** Keeps the right for so many milliseconds from now. Whether that was in time; true if there is no fleet now. Never rejects. */
      keep(ms: number): Promise<boolean>;
      /** Gives it back, once, after what came of it has been sent. */
      done(after: AfterRefresh): void;
      /** Lets it end by itself. */
      leave(): void;
    }
  /** Another process has it, for so long: `onDone` is called when that process gives it back (not if it dies). Returns how to hear no more. */
  | { readonly state: 'held'; readonly leftMs: number; onDone(listener: (after: AfterRefresh) => void): () => void }
  | { readonly state: 'down' };

/** Why the right to refresh was given back: there is something new to be seen, there is nothing better to be had, or somebody else may go on. */
export type AfterRefresh = 'look' | 'nothing' | 'again';

/** Whose incident it is: a credential's, or all of a provider's if it has no fingerprint. */
export type IncidentOf = Pick<Incident, 'provider' | 'fingerprint'>;

export type CanaryClaim =
  /** `done` says how the call went, once; `leave` says nothing, and lets the right end by itself. */
  | { readonly state: 'acquired'; done(after: AfterCanary): void; leave(): void }
  /** Another process tries it: `onDone` is called when that process says how its call went (not if it dies). */
  | { readonly state: 'held'; onDone(listener: (after: AfterCanary) => void): void }
  | { readonly state: 'down' };

export interface IncidentClaim {
  readonly state: 'acquired' | 'held' | 'down';
  /** The id under which the fleet's first process told it; `down`: one's own. */
  readonly id: string;
}

export interface IncidentEnding {
  /** `last`: nobody else has it open. `others`: somebody has, or has told the end. */
  readonly state: 'last' | 'others' | 'down';
  readonly id: string | undefined;
}
