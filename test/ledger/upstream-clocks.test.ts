import { describe, expect, it } from 'vitest';
import { UpstreamClock, UpstreamClocks } from '../../src/ledger/upstream-clocks.js';
import { START } from '../support/clock.js';

const HOUR = 3_600_000;

/** An answer written when the upstream's clock was so far ahead, and heard so much later. */
function hear(clock: UpstreamClock, aheadMs: number, tookMs = 0, now = START): void {
  // A `Date` header knows no milliseconds.
  const date = Math.floor((now - tookMs + aheadMs) / 1_000) * 1_000;
  clock.sample(date, now);
}

/** As many answers as it takes. */
function hearAll(clock: UpstreamClock, aheadMs: number): void {
  for (let i = 0; i < 3; i++) hear(clock, aheadMs);
}

describe("an upstream's clock", () => {
  it.each([
    ['an hour ahead', HOUR],
    ['an hour behind', -HOUR],
    ['a minute ahead', 60_000],
    ['20 hours ahead', 20 * HOUR],
  ])('%s, to the second', (_, aheadMs) => {
    const clock = new UpstreamClock(() => START);
    hearAll(clock, aheadMs);
    expect(Math.abs(clock.aheadMs - aheadMs)).toBeLessThanOrEqual(1_000);
  });

  it.each([
    ['as ours', 0],
    ['a second ahead, which may be the header', 1_000],
    ['a second behind, which may be the way', -1_000],
    ['two days ahead, which cannot be', 48 * HOUR],
    ['years behind', -1e12],
    ['at no moment', Number.NaN],
  ])('%s: is taken to be ours', (_, aheadMs) => {
    const clock = new UpstreamClock(() => START);
    hearAll(clock, aheadMs);
    expect(clock.aheadMs).toBe(0);
  });

  it('answers that took long are no more than single ones that are wrong', () => {
    const took = [0, 5_000, 600_000, 0, 1_000, 600_000, 0, 0];
    const clock = new UpstreamClock(() => START);
    for (const ms of took) hear(clock, HOUR, ms);
    expect(Math.abs(clock.aheadMs - HOUR)).toBeLessThanOrEqual(6_000);
  });

  it('one machine that is wrong, or a moment in which ours was, says nothing', () => {
    const clock = new UpstreamClock(() => START);
    hear(clock, 12 * HOUR);
    expect(clock.aheadMs).toBe(0);
    hear(clock, 12 * HOUR);
    expect(clock.aheadMs).toBe(0);
    for (let i = 0; i < 3; i++) hear(clock, 0);
    expect(clock.aheadMs).toBe(0);
    for (let i = 0; i < 3; i++) hear(clock, i === 1 ? 12 * HOUR : 0);
    expect(clock.aheadMs).toBe(0);
  });

  it('absurd answers among good ones count for nothing', () => {
    const clock = new UpstreamClock(() => START);
    hearAll(clock, 60_000);
    hear(clock, 1e12);
    hear(clock, Number.NaN);
    expect(Math.abs(clock.aheadMs - 60_000)).toBeLessThanOrEqual(1_000);
  });

  it('is learnt anew once most of what is remembered says so', () => {
    const clock = new UpstreamClock(() => START);
    for (let i = 0; i < 8; i++) hear(clock, HOUR);
    for (let i = 0; i < 3; i++) hear(clock, 0);
    expect(clock.aheadMs).toBeGreaterThan(HOUR - 2_000);
    for (let i = 0; i < 2; i++) hear(clock, 0);
    expect(clock.aheadMs).toBe(0);
  });

  it('is forgotten after an hour without an answer: nothing may have left by which it could be set right', () => {
    let now = START;
    const clock = new UpstreamClock(() => now);
    hearAll(clock, HOUR);
    now += HOUR;
    expect(clock.aheadMs).toBeGreaterThan(0);
    now += 1;
    expect(clock.aheadMs).toBe(0);
    hear(clock, HOUR, 0, now);
    expect(clock.aheadMs).toBe(0);
  });

  it('is looked at for the first answers, and then every ten seconds, also after ours was set back', () => {
    const clock = new UpstreamClock(() => START);
    for (let i = 0; i < 8; i++) {
      expect(clock.isWanted(START)).toBe(true);
      hear(clock, 0);
    }
    expect(clock.isWanted(START + 9_999)).toBe(false);
    expect(clock.isWanted(START + 10_000)).toBe(true);
    expect(clock.isWanted(START - 1)).toBe(true);
  });
});

describe("upstreams' clocks", () => {
  it('are kept apart by provider, and one for each', () => {
    const clocks = new UpstreamClocks(() => START);
    hearAll(clocks.of('fast'), HOUR);
    expect(clocks.of('fast').aheadMs).toBeGreaterThan(0);
    expect(clocks.of('right').aheadMs).toBe(0);
    expect(clocks.of(undefined).aheadMs).toBe(0);
  });

  it('of 100,000 names that clients made up, no more than a thousand are remembered', () => {
    const clocks = new UpstreamClocks(() => START);
    const first = clocks.of('0');
    for (let i = 1; i < 1_000; i++) clocks.of(String(i));
    expect(clocks.of('0')).toBe(first);
    for (let i = 1_000; i < 100_000; i++) clocks.of(String(i));
    expect(clocks.of('0')).not.toBe(first);
    expect(clocks.of('99999')).toBe(clocks.of('99999'));
  });
});
