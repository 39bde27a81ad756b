import type { ScopeParts } from '../../errors.js';
import type { CandidateExplanation, Explanation } from '../../ledger/explain.js';
import type { StatusState } from '../../policy/status.js';

/**
 * `starting`: neither start-up is complete nor has the upstream said yes or no to a credential. `unauthenticated`: the workload's own credential
 * is rejected. `auth_retrying`: it is, and the gateway is fetching another by itself (`refresh`). `running`: anything else.
 */
export type WorkloadState = 'starting' | 'running' | 'auth_retrying' | 'unauthenticated';

/** How a workload stands. Holds no value of a credential. */
export interface Workload {
  readonly scope: ScopeParts;
  readonly state: WorkloadState;
  /** One sentence or two for people. */
  readonly message: string;
  /** Milliseconds since the epoch: when the credential was rejected, or when the state was first noticed. */
  readonly since: number;
  /** Of the workload's own credential, if it has one. */
  readonly fingerprint: string | undefined;
}

/** What a state cannot be derived from the ledger without. */
export interface KnownOfWorkload {
  /** Start-up is complete, or the upstream has judged a credential of its requests. */
  readonly reached: boolean;
  /** How the scope's work stands. */
  readonly status: () => StatusState;
  /** Its requests went out with a lease on the global credential. */
  readonly borrows: boolean;
  /** The state last noticed, and since when it was that. */
  readonly noticed: Pick<Workload, 'state' | 'since'>;
}

/** Derived, never set: by the scope's own credential, whatever else it could borrow. */
export function workloadOf(explanation: Explanation, { reached, status, borrows, noticed }: KnownOfWorkload, now: number): Workload {
  const { scope } = explanation;
  const own = ownCandidate(explanation, borrows);
  const fingerprint = own?.fingerprint;
  if (own?.reason === 'rejected') {
    const isRefreshed = ['refreshing', 'auth_retrying'].includes(status());
    const message = `${rejection(own)} ${isRefreshed ? 'The gateway is fetching another.' : remedy(own)}`;
    return { scope, state: isRefreshed ? 'auth_retrying' : 'unauthenticated', message, since: own.since ?? now, fingerprint };
  }
  const state = reached ? 'running' : 'starting';
  const since = noticed.state === state ? noticed.since : now;
  return { scope, state, message: reached ? 'Running.' : 'Starting.', since, fingerprint };
}

/** What a session borrows is not its own, unless it lives on that. */
function ownCandidate({ scope, candidates }: Explanation, borrows: boolean): CandidateExplanation | undefined {
  return candidates.find(({ source }) => source !== 'global' || scope.session === undefined || borrows);
}

function rejection({ source, status }: CandidateExplanation): string {
  const whose = source === 'pinned' ? "the gateway's own credential" : 'the credential';
  return `The upstream rejected ${whose}${status === undefined ? '' : ` with ${status}`}.`;
}

function remedy({ source }: CandidateExplanation): string {
  return source === 'pinned' ? 'Replace it.' : 'Sign in again, or present a fresh one.';
}
