import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Ruling, supersedes, UNPROVEN, verdictOf } from '../../src/policy/verdict.js';

const accepted = (sent: number): Ruling => ({ state: 'accepted', sent, passed: 0, since: 5 });
const rejected = (sent: number): Ruling => ({ state: 'rejected', reach: 'identity', status: 401, sent, passed: 1, since: 5 });
const held = (sent: number): Ruling => ({ state: 'held', status: 402, reason: 'budget', sent, passed: 1, since: 5, until: 9 });

const ruling: fc.Arbitrary<Ruling> = fc.oneof(
  fc.constant(UNPROVEN),
  fc.tuple(fc.constantFrom(accepted, rejected, held), fc.integer({ min: 0, max: 4 })).map(([make, sent]) => make(sent)),
);

/** What is left of rulings that arrive in this order. */
const merge = (rulings: readonly Ruling[]): Ruling =>
  rulings.reduce((present, incoming) => (supersedes(incoming, present) ? incoming : present), UNPROVEN);

describe('supersedes', () => {
  it('the outcome of the call that was sent later wins, whatever it was', () => {
    for (const later of [accepted(2), rejected(2), held(2)]) {
      for (const earlier of [UNPROVEN, accepted(1), rejected(1), held(1)]) {
        expect(supersedes(later, earlier)).toBe(true);
        expect(supersedes(earlier, later)).toBe(false);
      }
    }
  });

  it('of two outcomes of one call the more severe wins', () => {
    const bySeverity = [accepted(1), held(1), rejected(1)];
    for (const [a, one] of bySeverity.entries()) {
      for (const [b, other] of bySeverity.entries()) expect(supersedes(one, other)).toBe(a > b);
    }
  });

  it('is a strict weak order, so that "no worse" is a total preorder', () => {
    fc.assert(
      fc.property(ruling, ruling, ruling, (a, b, c) => {
        expect(supersedes(a, a)).toBe(false);
        if (supersedes(a, b)) expect(supersedes(b, a)).toBe(false);
        if (supersedes(a, b) && supersedes(b, c)) expect(supersedes(a, c)).toBe(true);
        const level = (x: Ruling, y: Ruling): boolean => !supersedes(x, y) && !supersedes(y, x);
        if (level(a, b) && level(b, c)) expect(level(a, c)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('merges to the same verdict in whatever order, and however often, outcomes arrive', () => {
    const arrivals = fc
      .array(ruling, { maxLength: 8 })
      .chain((rulings) => fc.tuple(fc.constant(rulings), fc.shuffledSubarray([...rulings, ...rulings], { minLength: rulings.length * 2 })));
    fc.assert(
      fc.property(arrivals, ([rulings, shuffled]) => {
        expect(merge(shuffled)).toEqual(merge(rulings));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('verdictOf', () => {
  it('shows what users may see, without the numbers', () => {
    expect(verdictOf(UNPROVEN)).toEqual({ state: 'unproven' });
    expect(verdictOf(accepted(7))).toEqual({ state: 'accepted', since: 5 });
    expect(verdictOf(rejected(7))).toEqual({ state: 'rejected', reach: 'identity', status: 401, since: 5 });
    expect(verdictOf(held(7))).toEqual({ state: 'held', status: 402, reason: 'budget', since: 5, until: 9 });
  });
});
