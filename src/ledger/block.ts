import { completesBlock, type Obstacle, type Source } from '../policy/choose.js';
import type { Identity } from './verdicts.js';

/** What a scope's work could be done with. */
export interface Offer {
  readonly source: Source;
  readonly identity: Identity;
}

/** The same, as it stands now. */
export interface Candidate extends Offer {
  readonly obstacle: Obstacle | undefined;
  /** Usable, and the fallback rule will not have it lent. */
  readonly refused: boolean;
  /** Rejected, and one call may put it to the test; `until` the time for that has come it may not. Undefined: nothing will. */
  readonly probe: 'due' | { readonly until: number } | undefined;
}

/** Why a scope has nothing to work with; `identity` is the one whose fall completed the block. */
export type Block =
  | { readonly reason: 'missing' }
  | {
      readonly reason: Obstacle['reason'];
      readonly identity: Identity;
      readonly status: number | undefined;
      readonly since: number;
      /** When the first hold of a candidate ends, or the first probe may be made. */
      readonly until: number | undefined;
    };

/** Why none of a scope's candidates will do; undefined if one does. */
export function blockOf(candidates: readonly Candidate[]): Block | undefined {
  if (candidates.some(({ obstacle, refused, probe }) => (obstacle === undefined || probe === 'due') && !refused)) return undefined;
  let last: (Candidate & { obstacle: Obstacle }) | undefined;
  let until: number | undefined;
  for (const { obstacle: found, ...candidate } of candidates) {
    if (found === undefined) continue;
    const ends = found.reason === 'held' ? found.until : typeof candidate.probe === 'object' ? candidate.probe.until : undefined;
    if (ends !== undefined) until = Math.min(until ?? ends, ends);
    if (last === undefined || completesBlock(found, last.obstacle)) last = { ...candidate, obstacle: found };
  }
  if (last === undefined) return { reason: 'missing' };
  const { reason, since } = last.obstacle;
  return { reason, identity: last.identity, since, until, status: reason === 'expired' ? undefined : last.obstacle.status };
}
