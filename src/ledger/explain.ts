import type { ScopeParts } from '../errors.js';
import type { Obstacle, Source } from '../policy/choose.js';
import type { BlockReason } from '../policy/status.js';
import type { Candidate } from './block.js';
import type { Ledger } from './ledger.js';
import type { WorkScope } from './scope-key.js';

/** What a refresh would do for a credential. Times are milliseconds since the epoch. */
export interface RefreshExplanation {
  /**
   * `out`: a try is out. `waiting`: the last one failed, the next is at `next`. `possible`: work asks for it, from `next` on if that is given. `resting`: it brought
   * nothing better, and may be asked for again at `next`. `refused`: it is not asked for again.
   */
  readonly state: 'out' | 'waiting' | 'possible' | 'resting' | 'refused';
  readonly next: number | undefined;
  /** The token endpoint's answer, where the last try failed: its status, and its `error` code or the connection's. */
  readonly status: number | undefined;
  readonly code: string | undefined;
}

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
  /** Undefined where nothing is refreshed, or a refresh would change nothing. */
  readonly refresh: RefreshExplanation | undefined;
}

/** What a refresh would do for a candidate. */
export type RefreshOutlook = (candidate: Candidate) => RefreshExplanation | undefined;

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

export function explain(
  ledger: Ledger,
  scope: WorkScope,
  closed: boolean,
  refreshes?: { outlook(scope: WorkScope): RefreshOutlook },
): Explanation {
  const outlook = closed ? undefined : refreshes?.outlook(scope);
  const candidates = ledger.candidates(scope).map((candidate) => explainCandidate(candidate, outlook?.(candidate)));
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

function explainCandidate(candidate: Candidate, refresh: RefreshExplanation | undefined): CandidateExplanation {
  const { source, identity, obstacle, refused, probe } = candidate;
  const { fingerprint } = identity;
  const none = { status: undefined, since: undefined, until: undefined, refresh };
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
    unblock: unblockOf(candidate, reason, refresh),
    refresh,
  };
}

function unblockOf({ source, probe, refused }: Candidate, reason: Obstacle['reason'], refresh: RefreshExplanation | undefined): string {
  const ways = [source === 'pinned' && reason !== 'held' ? UNBLOCK_PIN : UNBLOCK[reason]];
  if (typeof probe === 'object') ways.unshift(`the next probe at ${time(probe.until)}`);
  else if (probe === 'due' && !refused) ways.unshift('the next call, which is a probe');
  const refreshed = refresh && byRefresh(refresh);
  if (refreshed !== undefined) ways.unshift(refreshed);
  return ways.join(', ');
}

function byRefresh({ state, next, ...answer }: RefreshExplanation): string | undefined {
  const at = next === undefined ? '' : ` at ${time(next)}`;
  switch (state) {
    case 'out':
      return 'its refresh, which is under way';
    case 'waiting':
      return `the next try to refresh it${at}${printAnswer(answer, 'the last one failed')}`;
    case 'possible':
      return 'its refresh, which the next run asks for';
    case 'resting':
      return `its refresh, which may be asked for again${at}`;
    case 'refused':
      return undefined;
  }
}

/** What an operator would want to know besides of a refresh. */
function printRefresh({ state, ...answer }: RefreshExplanation): string | undefined {
  return state === 'refused' ? `its refresh was refused${printAnswer(answer)}` : undefined;
}

/** In brackets, if anything is known of it. */
export function printAnswer({ status, code }: Pick<RefreshExplanation, 'status' | 'code'>, what?: string): string {
  const answer = [status, code].filter((part) => part !== undefined).join(' ');
  return answer === '' ? '' : ` (${what === undefined ? '' : `${what}: `}${answer})`;
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
    const refused = candidate.refresh && printRefresh(candidate.refresh);
    lines.push(`  ${candidate.source} ${candidate.fingerprint}: ${why}${refused === undefined ? '' : `; ${refused}`}`);
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
