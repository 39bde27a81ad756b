import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { marginsOf, readExpiryHeader, shareOf } from '../../src/policy/expiry.js';
import { START } from '../support/clock.js';

const MINUTE = 60_000;
const WINDOWS = { advisoryMs: 5 * MINUTE, mandatoryMs: 5_000, jitterMs: 2 * MINUTE };
const fingerprints = (count: number): string[] => {
  // As a hash spreads them: a multiplicative one is enough to fill all 64 bits.
  return Array.from({ length: count }, (_, i) =>
    BigInt.asUintN(64, BigInt(i + 1) * 0x9e3779b97f4a7c15n)
      .toString(16)
      .padStart(16, '0'),
  );
};

describe('the windows before an expiry', () => {
  it.each<[string, number, number, { advisoryMs: number; mandatoryMs: number }]>([
    ['an hour left, the earliest moment', 60 * MINUTE, 0, { advisoryMs: 5 * MINUTE, mandatoryMs: 5_000 }],
    ['an hour left, halfway through the jitter', 60 * MINUTE, 0.5, { advisoryMs: 4 * MINUTE, mandatoryMs: 5_000 }],
    ['six minutes left: the advisory one takes half', 6 * MINUTE, 0, { advisoryMs: 3 * MINUTE, mandatoryMs: 5_000 }],
    ['ten seconds left: the mandatory one takes a tenth', 10_000, 0, { advisoryMs: 5_000, mandatoryMs: 1_000 }],
    ['ten seconds left: the jitter ends before the mandatory one', 10_000, 0.5, { advisoryMs: 3_000, mandatoryMs: 1_000 }],
    ['nothing left', 0, 0.5, { advisoryMs: 0, mandatoryMs: 0 }],
    ['expired already', -MINUTE, 0.5, { advisoryMs: 0, mandatoryMs: 0 }],
  ])('%s', (_, lifetimeMs, share, expected) => {
    expect(marginsOf(WINDOWS, lifetimeMs, share)).toEqual(expected);
  });

  it('the refresh never begins after the credential is given up, nor before it came', () => {
    const ms = fc.integer({ min: 0, max: 100 * MINUTE });
    fc.assert(
      fc.property(
        ms,
        ms,
        ms,
        ms,
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (advisoryMs, mandatoryMs, jitterMs, lifetimeMs, share) => {
          const margins = marginsOf({ advisoryMs, mandatoryMs, jitterMs }, lifetimeMs, share);
          expect([margins.advisoryMs, margins.mandatoryMs].every(Number.isInteger)).toBe(true);
          expect(margins.advisoryMs).toBeGreaterThanOrEqual(margins.mandatoryMs);
          expect(margins.advisoryMs).toBeLessThanOrEqual(Math.max(lifetimeMs / 2, margins.mandatoryMs));
          expect(margins.mandatoryMs).toBeLessThanOrEqual(lifetimeMs / 10);
        },
      ),
    );
  });

  it('each identity has its own moment, always the same, spread evenly', () => {
    const buckets = new Array<number>(10).fill(0);
    for (const fingerprint of fingerprints(10_000)) {
      const share = shareOf(fingerprint);
      expect(shareOf(fingerprint)).toBe(share);
      expect(share >= 0 && share < 1).toBe(true);
      buckets[Math.floor(share * 10)] = (buckets[Math.floor(share * 10)] as number) + 1;
    }
    for (const count of buckets) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });
});

describe('an expiry in a header', () => {
  const SECONDS = START / 1_000;
  it.each<[string, ReturnType<typeof readExpiryHeader>]>([
    ['3600', { expiresAt: START + 3_600_000, clock: 'own' }],
    [' 0.5 ', { expiresAt: START + 500, clock: 'own' }],
    ['0', { expiresAt: START, clock: 'own' }],
    [`${SECONDS}`, { expiresAt: START, clock: 'upstream' }],
    [`${SECONDS}.25`, { expiresAt: START + 250, clock: 'upstream' }],
    [`${START}`, { expiresAt: START, clock: 'upstream' }],
    ['253402300799', { expiresAt: 253_402_300_799_000, clock: 'upstream' }],
    ['Thu, 01 Jan 2026 00:00:00 GMT', { expiresAt: START, clock: 'upstream' }],
    ['2026-01-01T00:00:00Z', { expiresAt: START, clock: 'upstream' }],
    ['2026-01-01T01:00:00.000+01:00', { expiresAt: START, clock: 'upstream' }],
    ['', undefined],
    ['-1', undefined],
    ['never', undefined],
    ['NaN', undefined],
    ['Infinity', undefined],
    ['1e9', undefined],
    ['0x10', undefined],
    ['3600, 3600', undefined],
    ['9999999999999999', undefined],
    ['12345678901234567', undefined],
    ['2026-01-01', undefined],
    ['2026-01-01T00:00:00', undefined],
    ['2026-13-41T00:00:00Z', undefined],
    ['Thu, some day GMT', undefined],
    ['Mon, 5 GMT', undefined],
    ['January 1, 2026', undefined],
    [`Thu, ${'0'.repeat(100)} GMT`, undefined],
  ])('%s', (text, expected) => {
    expect(readExpiryHeader(text, START)).toEqual(expected);
  });

  it('nothing makes it throw, and what it gives is a moment', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\d.:TZ+-]{0,40}$/), fc.double().map(String)), (text) => {
        const read = readExpiryHeader(text, START);
        if (read !== undefined) expect(Number.isNaN(new Date(read.expiresAt).getTime())).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });
});
