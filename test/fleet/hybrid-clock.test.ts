import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HybridClock } from '../../src/fleet/hybrid-clock.js';
import { manualClock, START } from '../support/clock.js';

const START_NUMBER = (START - Date.UTC(2020, 0, 1)) * 4_096;

describe('HybridClock', () => {
  it('gives numbers that follow the time, 4,096 to the millisecond', () => {
    const clock = manualClock();
    const numbers = new HybridClock(clock);
    expect(numbers.last).toBe(0);
    expect(numbers.next()).toBe(START_NUMBER);
    expect(numbers.next()).toBe(START_NUMBER + 1);
    clock.advance(1);
    expect(numbers.next()).toBe(START_NUMBER + 4_096);
    expect(numbers.last).toBe(START_NUMBER + 4_096);
  });

  it('goes on counting where more than 4,096 fall into a millisecond, and where the time goes back', () => {
    const clock = manualClock();
    const numbers = new HybridClock(clock);
    for (let n = 0; n < 5_000; n++) expect(numbers.next()).toBe(START_NUMBER + n);
    clock.advance(-3_600_000);
    expect(numbers.next()).toBe(START_NUMBER + 5_000);
  });

  it('gives numbers greater than any it has observed', () => {
    const numbers = new HybridClock(manualClock());
    numbers.observe(START_NUMBER + 1_000_000);
    expect(numbers.last).toBe(START_NUMBER + 1_000_000);
    expect(numbers.next()).toBe(START_NUMBER + 1_000_001);
    numbers.observe(5);
    expect(numbers.next()).toBe(START_NUMBER + 1_000_002);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -1, 0.5, START_NUMBER + 0.5])('observes nothing in %d', (number) => {
    const numbers = new HybridClock(manualClock());
    numbers.next();
    numbers.observe(number);
    expect(numbers.next()).toBe(START_NUMBER + 1);
  });

  it.each([
    [1_000, 0],
    [-1_000, 0],
    [1_001, 1_001],
    [-1_001, -1_001],
    [Number.NaN, 0],
  ])('is corrected by an offset of more than a second: %d ms count as %d', (offset, counted) => {
    const numbers = new HybridClock(manualClock());
    numbers.setOffset(offset);
    expect(numbers.next()).toBe(START_NUMBER + counted * 4_096);
  });

  it('forgets an offset that is none any more', () => {
    const clock = manualClock();
    const numbers = new HybridClock(clock);
    numbers.setOffset(-60_000);
    numbers.next();
    numbers.setOffset(3);
    expect(numbers.next()).toBe(START_NUMBER);
  });

  it('goes back only when it is told to, and no further', () => {
    const clock = manualClock(START + 3_600_000);
    const numbers = new HybridClock(clock);
    const wrong = numbers.next();
    clock.advance(-3_600_000);
    expect(numbers.next()).toBe(wrong + 1);
    numbers.stepBack(START_NUMBER + 7);
    expect(numbers.last).toBe(START_NUMBER + 7);
    expect(numbers.next()).toBe(START_NUMBER + 8);
    for (const number of [START_NUMBER + 1_000_000, Number.NaN, -5]) numbers.stepBack(number);
    expect(numbers.next()).toBe(START_NUMBER + 9);
  });

  it('only ever grows, and stays a safe integer, whatever the clock says and others send', () => {
    const time = fc.oneof(
      fc.constantFrom(Number.NaN, -1e15, 0, 8.64e15, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.MAX_VALUE),
      fc.constantFrom(Date.UTC(3000, 0, 1), Date.UTC(2019, 0, 1), START, START + 0.7),
      fc.double(),
    );
    const step = fc.oneof(
      time.map((now) => ({ now })),
      fc.oneof(fc.double(), fc.integer({ min: 0, max: 2 ** 52 })).map((observed) => ({ observed })),
      time.map((offset) => ({ offset })),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let now = START;
        const numbers = new HybridClock({ now: () => now });
        let last = 0;
        for (const taken of steps) {
          if ('now' in taken) now = taken.now;
          else if ('observed' in taken) numbers.observe(taken.observed);
          else numbers.setOffset(taken.offset);
          const next = numbers.next();
          expect(Number.isSafeInteger(next)).toBe(true);
          expect(next).toBeGreaterThan(last);
          if ('observed' in taken && Number.isSafeInteger(taken.observed)) expect(next).toBeGreaterThan(taken.observed);
          last = next;
        }
      }),
      { numRuns: 500 },
    );
  });

  it('stays a safe integer where there is nothing left to count', () => {
    const numbers = new HybridClock(manualClock());
    numbers.observe(Number.MAX_SAFE_INTEGER);
    expect(numbers.next()).toBe(Number.MAX_SAFE_INTEGER);
  });

  it('after another process is observed every number is later than that process’s', () => {
    const slow = new HybridClock(manualClock(START - 900));
    const fast = new HybridClock(manualClock(START));
    const seen = fast.next();
    slow.observe(seen);
    expect(slow.next()).toBeGreaterThan(seen);
  });
});

describe('stamps', () => {
  it('have 16 digits, and compare as their numbers do', () => {
    const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(number, number, (a, b) => {
        const [x, y] = [HybridClock.stamp(a), HybridClock.stamp(b)];
        expect(x).toMatch(/^\d{16}$/);
        expect(HybridClock.parse(x)).toBe(a);
        expect(x < y).toBe(a < b);
      }),
    );
    expect(HybridClock.stamp(42)).toBe('0000000000000042');
  });

  it.each([Number.NaN, -1, Number.NEGATIVE_INFINITY, 0])('%d is the oldest', (number) => {
    expect(HybridClock.stamp(number)).toBe('0000000000000000');
  });

  it('are whole and not beyond what can be counted', () => {
    expect(HybridClock.stamp(7.9)).toBe('0000000000000007');
    expect(HybridClock.stamp(Number.POSITIVE_INFINITY)).toBe('9007199254740991');
    expect(HybridClock.stamp(1e300)).toBe('9007199254740991');
  });

  it.each([
    '',
    '42',
    '000000000000004x',
    '-000000000000042',
    '00000000000000420',
    ' 000000000000042',
    '9007199254740992',
    '9999999999999999',
  ])('what is none is older than everything: %j', (text) => {
    expect(HybridClock.parse(text)).toBe(0);
  });

  it('nor is what is no text', () => {
    for (const value of [undefined, null, 42, ['0000000000000042']]) expect(HybridClock.parse(value as unknown as string)).toBe(0);
  });
});
