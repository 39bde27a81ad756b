import type { ScopeParts } from '../errors.js';
import type { Obstacle, Source } from '../policy/choose.js';
import type { BlockReason } from '../policy/status.js';
import type { Candidate } from './block.js';
import type { Ledger } from './ledger.js';
import type { WorkScope } from './scope-key.js';

/** One credential that a scope's work could be done with, and why it is or is not. Times are milliseconds since the epoch. */
export interface CandidateExplanation {
  readonly source: Source;
  readonly fingerprint: string;
  readonly usable: boolean;
  /** Undefined if usable. `refused`: the fallback rule will not have it lent. */
  readonly reason: 'rejected' | 'held' | 'expired' | 'refused' | undefined;
  readonly status: number | undefined;
  readonly since: number | undefined;
  /** When its hold ends, or when one call may put it to the test. */
  readonly until: number | undefined;
  /** What would make it usable, in words. */
  readonly unblock: string | undefined;
}

/** Why a scope can work, or cannot. Prints well. */
export interface Explanation {
  readonly scope: ScopeParts;
  readonly ok: boolean;
  /** Where the credential would come from; undefined if blocked. */
  readonly source: Source | undefined;
  /** Undefined if it can work. */
  readonly reason: BlockReason | undefined;
  /** In the order in which they are asked. */
  readonly candidates: readonly CandidateExplanation[];
  /** Providers that the session does hold a credential for, other than the one asked about. */
  readonly otherProviders: readonly (string | undefined)[];
  toString(): string;
}

const UNBLOCK = {
  rejected: 'a fresh credential, a later success with this one, or forgive()',
  held: 'the end of the hold, or another credential',
  expired: 'a fresh credential, or a success with this one after its expiry',
  refused: "a credential of the session's own",
} as const;

/** No client's credential takes a pin's place. */
const UNBLOCK_PIN = 'pinning again, unpinning, or forgive()';

export function explain(ledger: Ledger, scope: WorkScope, closed: boolean): Explanation {
  const candidates = ledger.candidates(scope).map(explainCandidate);
  const source = closed ? undefined : ledger.choose(scope)?.source;
  const explanation = {
    scope: scope.parts,
    ok: source !== undefined,
    source,
    reason: source !== undefined ? undefined : closed ? ('closed' as const) : ledger.block(scope)?.reason,
    candidates,
    otherProviders: ledger.otherProviders(scope),
  };
  const text = (): string => print(explanation);
  // Not enumerable, so that an explanation compares and serialises as data.
  Object.defineProperty(explanation, 'toString', { value: text });
  Object.defineProperty(explanation, Symbol.for('nodejs.util.inspect.custom'), { value: text });
  return explanation;
}

function explainCandidate(candidate: Candidate): CandidateExplanation {
  const { source, identity, obstacle, refused, probe } = candidate;
  const { fingerprint } = identity;
  const none = { status: undefined, since: undefined, until: undefined };
  if (obstacle === undefined && !refused) return { source, fingerprint, usable: true, reason: undefined, ...none, unblock: undefined };
  if (obstacle === undefined) return { source, fingerprint, usable: false, reason: 'refused', ...none, unblock: UNBLOCK.refused };
  const { reason, since } = obstacle;
  const status = reason === 'expired' ? undefined : obstacle.status;
  return {
    source,
    fingerprint,
    usable: false,
    reason,
    status,
    since,
    until: reason === 'held' ? obstacle.until : typeof probe === 'object' ? probe.until : undefined,
    unblock: unblockOf(candidate, reason),
  };
}

function unblockOf({ source, probe, refused }: Candidate, reason: Obstacle['reason']): string {
  const others = source === 'pinned' && reason !== 'held' ? UNBLOCK_PIN : UNBLOCK[reason];
  if (typeof probe === 'object') return `the next probe at ${time(probe.until)}, ${others}`;
  return probe === 'due' && !refused ? `the next call, which is a probe, ${others}` : others;
}

function print({ scope, source, reason, candidates, otherProviders }: Omit<Explanation, 'toString'>): string {
  const isProbe = candidates.some((candidate) => candidate.source === source && !candidate.usable);
  const works = isProbe ? `puts the ${source} credential to the test` : `works with the ${source} credential`;
  const lines = [`${JSON.stringify(scope)}: ${source === undefined ? `blocked (${reason})` : works}`];
  for (const candidate of candidates) {
    const { status, since, reason } = candidate;
    // A rejection does not end when it is put to the test.
    const until = reason === 'held' ? candidate.until : undefined;
    const why = candidate.usable
      ? 'usable'
      : `${reason}${status === undefined ? '' : ` with ${status}`}${since === undefined ? '' : ` since ${time(since)}`}${until === undefined ? '' : ` until ${time(until)}`}; would unblock: ${candidate.unblock}`;
    lines.push(`  ${candidate.source} ${candidate.fingerprint}: ${why}`);
  }
  if (candidates.length === 0) lines.push('  no credential has been captured for it; would unblock: a capture');
  if (otherProviders.length > 0) lines.push(`  the session holds credentials for: ${printProviders(otherProviders)}`);
  return lines.join('\n');
}

export function printProviders(providers: readonly (string | undefined)[]): string {
  return providers.map((provider) => provider ?? '(no provider)').join(', ');
}

function time(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString();
}
