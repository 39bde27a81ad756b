import { describe, expect, it } from 'vitest';
import { isProbed, probeDueAt } from '../../src/policy/probe.js';
import { START } from '../support/clock.js';

const MINUTE = 60_000;
const RULES = { afterMs: 15 * MINUTE, maxMs: 360 * MINUTE, sessionTokens: false };
const EARLIEST = `${'f'.repeat(8)}${'0'.repeat(8)}`;
const LATEST = `${'0'.repeat(8)}${'f'.repeat(8)}`;

describe('which rejected credentials are put to the test', () => {
  const session = 'S';
  it.each([
    ['a bearer token of a session', { source: 'session', scheme: 'bearer', session }, false],
    ['one that it borrows', { source: 'global', scheme: 'bearer', session }, false],
    ['an API key of a session', { source: 'session', scheme: 'api-key', session }, true],
    ['an API key that it borrows', { source: 'global', scheme: 'api-key', session }, true],
    ["the gateway's own", { source: 'pinned', scheme: 'bearer', session }, true],
    ['a bearer token of session-less work', { source: 'global', scheme: 'bearer', session: undefined }, true],
  ] as const)('%s: %o', (_, candidate, probed) => {
    expect(isProbed(RULES, candidate)).toBe(probed);
    expect(isProbed({ ...RULES, sessionTokens: true }, candidate)).toBe(true);
  });
});

describe('when they are', () => {
  it('after 15 minutes, doubled by each probe that failed, up to 6 hours', () => {
    const pauses = [0, 1, 2, 3, 4, 5, 6, 100, 10_000].map((failed) => (probeDueAt(RULES, START, failed, EARLIEST) - START) / MINUTE);
    expect(pauses).toEqual([15, 30, 60, 120, 240, 360, 360, 360, 360]);
  });

  it('a share of a tenth later, always the same for one identity, and not the one that spreads refreshes', () => {
    expect(probeDueAt(RULES, START, 0, LATEST)).toBeCloseTo(START + 16.5 * MINUTE, -2);
    expect(probeDueAt(RULES, START, 0, LATEST)).toBe(probeDueAt(RULES, START, 0, LATEST));
    expect(probeDueAt(RULES, START, 0, EARLIEST)).toBe(START + 15 * MINUTE);
  });

  it('a rule of the least and of the greatest pauses makes no absurd moment', () => {
    expect(probeDueAt({ afterMs: 1, maxMs: 1, sessionTokens: false }, START, 50, EARLIEST)).toBe(START + 1);
    expect(Number.isFinite(probeDueAt({ afterMs: 1e15, maxMs: 1e15, sessionTokens: false }, START, 50, LATEST))).toBe(true);
  });
});
