import { completesBlock, type Obstacle, type Source } from '../policy/choose.js';
import type { Identity } from './verdicts.js';

export interface Candidate {
  readonly source: Source;
  readonly identity: Identity;
  readonly obstacle: Obstacle | undefined;
  /** Usable, and the fallback rule will not have it lent. */
  readonly refused: boolean;
}

/** Why a scope has nothing to work with; `identity` is the one whose fall completed the block. */
export type Block =
  | { readonly reason: 'missing' }
  | {
      readonly reason: Obstacle['reason'];
      readonly identity: Identity;
      readonly status: number | undefined;
      readonly since: number;
      /** When the first hold of a candidate ends. */
      readonly until: number | undefined;
    };

/** Why none of a scope's candidates will do; undefined if one does. */
export function blockOf(candidates: readonly Candidate[]): Block | undefined {
  if (candidates.some((candidate) => candidate.obstacle === undefined && !candidate.refused)) return undefined;
  let last: (Candidate & { obstacle: Obstacle }) | undefined;
  let until: number | undefined;
  for (const { obstacle: found, ...candidate } of candidates) {
    if (found === undefined) continue;
    if (found.reason === 'held') until = Math.min(until ?? found.until, found.until);
    if (last === undefined || completesBlock(found, last.obstacle)) last = { ...candidate, obstacle: found };
  }
  if (last === undefined) return { reason: 'missing' };
  const { reason, since } = last.obstacle;
  return { reason, identity: last.identity, since, until, status: reason === 'expired' ? undefined : last.obstacle.status };
}
