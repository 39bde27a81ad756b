import { describe, expect, it } from 'vitest';
import { decideReport, type RecentReports, type ReportDecision, type ReportLimits } from '../../src/policy/incident.js';

const HOUR = 3_600_000;
const NOW = 10 * HOUR;
const LIMITS: ReportLimits = { graceMs: 0, perHour: 3, providerWideAfter: { identities: 2, withinMs: 1_000 } };

const decide = (recent: Partial<RecentReports>, limits: Partial<ReportLimits> = {}): ReportDecision =>
  decideReport({ reportedAt: [], openedAt: [NOW], wideOpen: false, wideAt: undefined, ...recent }, { ...LIMITS, ...limits }, NOW);

const PER_HOUR = { suppressed: 'per-hour' };
const WIDE = { suppressed: 'provider-wide' };

describe('decideReport', () => {
  it('tells the first incident singly', () => {
    expect(decide({})).toBe('single');
  });

  it('case 58: tells no more than `perHour` in any hour, which slides', () => {
    expect(decide({ reportedAt: [NOW - 3, NOW - 2] })).toBe('single');
    expect(decide({ reportedAt: [NOW - 3, NOW - 2, NOW - 1] })).toEqual(PER_HOUR);
    expect(decide({ reportedAt: [NOW - HOUR + 1, NOW - 2, NOW - 1] })).toEqual(PER_HOUR);
    expect(decide({ reportedAt: [NOW - HOUR, NOW - 2, NOW - 1] })).toBe('single');
    expect(decide({}, { perHour: 0 })).toEqual(PER_HOUR);
  });

  it('case 59: tells more identities than the limit within the window as one of the provider', () => {
    expect(decide({ openedAt: [NOW - 1, NOW] })).toBe('single');
    expect(decide({ openedAt: [NOW - 2, NOW - 1, NOW] })).toBe('provider-wide');
    expect(decide({ openedAt: [NOW - 999, NOW - 1, NOW] })).toBe('provider-wide');
    expect(decide({ openedAt: [NOW - 1_000, NOW - 1, NOW] })).toBe('single');
  });

  it('case 59: tells nothing singly while a provider-wide incident is open', () => {
    expect(decide({ wideOpen: true })).toEqual(WIDE);
    expect(decide({ wideOpen: true, wideAt: NOW - HOUR, openedAt: [NOW - 2, NOW - 1, NOW] })).toEqual(WIDE);
  });

  it('case 59: tells one provider-wide incident in a window, the next one after it', () => {
    const openedAt = [NOW - 2, NOW - 1, NOW];
    expect(decide({ openedAt, wideAt: NOW - 999 })).toEqual(WIDE);
    expect(decide({ openedAt, wideAt: NOW - 1_000 })).toBe('provider-wide');
    expect(decide({ openedAt: [NOW], wideAt: NOW - 1 })).toBe('single');
  });

  it('case 58: a provider-wide report counts towards `perHour` like any other', () => {
    expect(decide({ openedAt: [NOW - 2, NOW - 1, NOW], reportedAt: [NOW, NOW, NOW] })).toEqual(PER_HOUR);
  });
});
