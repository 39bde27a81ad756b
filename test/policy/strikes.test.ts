import { describe, expect, it } from 'vitest';
import { isStrike, type StrikeRules, type Trial } from '../../src/policy/strikes.js';

const RULES: StrikeRules = { rejections: 2, of: 3, withinMs: 10_000, provenMs: 30_000, youngMs: 5_000 };
const NOW = 1_000_000;
const OLD = { provenAt: Number.NEGATIVE_INFINITY, seenAt: Number.NEGATIVE_INFINITY, now: NOW };
const PROVEN = { ...OLD, provenAt: NOW - 1_000 };
/** Outcomes, the last one a second ago, each a second after the one before: `x` a rejection, `o` anything else. */
const trials = (text: string): Trial[] => [...text].map((sign, i) => ({ at: NOW - (text.length - i) * 1_000, rejected: sign === 'x' }));

describe('whether a rejection is only a strike', () => {
  it.each<[string, string, Partial<typeof OLD>, Partial<StrikeRules>, boolean]>([
    ['of a credential that was never proven', '', OLD, {}, false],
    ['the first of one that was proven a moment ago', '', PROVEN, {}, true],
    ['proven as long ago as may be', '', { provenAt: NOW - 30_000 }, {}, true],
    ['proven too long ago', '', { provenAt: NOW - 30_001 }, {}, false],
    ['the second in a row', 'x', PROVEN, {}, false],
    ['the second of three outcomes', 'xo', PROVEN, {}, false],
    ['the second of four outcomes', 'xoo', PROVEN, {}, true],
    ['after many good ones', 'xooooooooo', PROVEN, {}, true],
    ['after two that were long before', 'xxoo', PROVEN, {}, true],
    ['the third of three that are needed', 'xx', PROVEN, { rejections: 3 }, false],
    ['the second of three that are needed', 'x', PROVEN, { rejections: 3 }, true],
    ['where one is enough', '', PROVEN, { rejections: 1, of: 1 }, false],
    ['where one of three is enough', 'oo', PROVEN, { rejections: 1 }, false],
    ['the second, with the first too long ago', 'x', PROVEN, { withinMs: 999 }, true],
    ['the second, with the first as long ago as may be', 'x', PROVEN, { withinMs: 1_000 }, false],
    ['the first of one that is very young', '', { seenAt: NOW - 4_999 }, {}, true],
    ['the first of one that is young no more', '', { seenAt: NOW - 5_000 }, {}, false],
    ['the second of one that is very young', 'x', { seenAt: NOW - 2_000 }, {}, false],
    ['the first of a young one where age does not count', '', { seenAt: NOW }, { youngMs: 0 }, false],
    ['the first of a young one, although one is enough', '', { seenAt: NOW }, { rejections: 1, of: 1 }, true],
  ])('%s', (_, before, known, rules, strike) => {
    expect(isStrike(trials(before), { ...OLD, ...known }, { ...RULES, ...rules })).toBe(strike);
  });
});
