import type { ErrorTracker } from '../error-tracker.js';
import type { ProviderClient } from '../provider-client.js';

/** One piece of background work that is due. */
export interface Work {
  readonly user: string;
  readonly session: string;
  /** Which of the session's workers: 0 for the first. */
  readonly worker: number;
}

/** What a policy is built from. */
export interface Parts {
  readonly client: ProviderClient;
  readonly tracker: ErrorTracker;
  readonly tickMs: number;
  /** Milliseconds since the epoch, on the replay's own time. */
  readonly clock: { now(): number };
}

/** A gateway that handles credentials in one of the ways compared here. */
export interface Gateway {
  /** A client's request came in, with its user's credential. */
  presented(user: string, session: string, token: string): void;
  /** Does what is due at this tick; resolves when all of it is through. */
  tick(due: readonly Work[]): Promise<void>;
  close(): Promise<void>;
}

export interface Policy {
  readonly name: string;
  open(parts: Parts): Gateway;
}
