import { describe, expect, it } from 'vitest';
import { afterCanary, type CanaryMode, isDoubtful } from '../../src/policy/canary.js';

const NEVER = Number.NEGATIVE_INFINITY;

describe('isDoubtful', () => {
  const doubt = (mode: CanaryMode, borrowed: boolean, provenAt: number): boolean =>
    isDoubtful({ mode, borrowed, provenAt, proofMs: 100, now: 1_000 });

  it.each<[CanaryMode, boolean, number, boolean]>([
    ['doubtful', false, NEVER, true],
    ['doubtful', true, NEVER, true],
    ['doubtful', false, 1_000, false],
    ['doubtful', false, 900, false],
    ['doubtful', false, 899, true],
    ['doubtful', true, 950, false],
    ['borrowed', false, NEVER, false],
    ['borrowed', true, NEVER, true],
    ['borrowed', true, 899, true],
    ['borrowed', true, 950, false],
    ['off', true, NEVER, false],
    ['off', false, NEVER, false],
  ])('%s, borrowed %s, proven at %d: %s', (mode, borrowed, provenAt, expected) => {
    expect(doubt(mode, borrowed, provenAt)).toBe(expected);
  });

  it('with `proofMs` 0 a proof counts for its own moment only', () => {
    const at = (now: number): boolean => isDoubtful({ mode: 'doubtful', borrowed: false, provenAt: 5, proofMs: 0, now });
    expect([at(5), at(6)]).toEqual([false, true]);
  });
});

describe('afterCanary', () => {
  it.each([
    ['accepted', 'go'],
    ['denied', 'go'],
    ['none', 'go'],
    ['rejected', 'choose'],
    ['held', 'choose'],
    ['transient', 'next'],
    [undefined, 'next'],
  ] as const)('%s: %s', (kind, next) => {
    expect(afterCanary(kind)).toBe(next);
  });
});
