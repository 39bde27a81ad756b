import { describe, expect, it } from 'vitest';
import type { Candidate } from '../../src/ledger/block.js';
import { Identity } from '../../src/ledger/verdicts.js';
import { isOver } from '../../src/worker/refresh-need.js';
import { START } from '../support/clock.js';

const EXPIRED = { reason: 'expired', since: START, passed: -1 } as const;
const REJECTED = { reason: 'rejected', status: 401, since: START, passed: 1, probes: 0 } as const;
const HELD = { reason: 'held', status: 429, since: START, until: START + 1, passed: 1 } as const;

function candidate(of: Pick<Candidate, 'obstacle'> & Partial<Candidate>, rejected = false): Candidate {
  const identity = new Identity('p', '0000000000000001');
  if (rejected) identity.judge({ state: 'rejected', reach: 'identity', sent: 1, passed: 1, since: START, status: 401, probes: 0 });
  return { source: 'global', identity, refused: false, probe: undefined, ...of };
}

describe('a candidate is over', () => {
  it('if it has expired, or is rejected everywhere', () => {
    expect(isOver(candidate({ obstacle: EXPIRED }))).toBe(true);
    expect(isOver(candidate({ obstacle: REJECTED }, true))).toBe(true);
  });

  it('not if it is usable, held, or rejected for one scope', () => {
    expect(isOver(candidate({ obstacle: undefined }))).toBe(false);
    expect(isOver(candidate({ obstacle: HELD }))).toBe(false);
    expect(isOver(candidate({ obstacle: REJECTED }))).toBe(false);
  });

  it('not if it would not be lent', () => {
    expect(isOver(candidate({ obstacle: REJECTED, refused: true, probe: 'due' }, true))).toBe(false);
    expect(isOver(candidate({ obstacle: EXPIRED, refused: true }))).toBe(false);
  });
});
