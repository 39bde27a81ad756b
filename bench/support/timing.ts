import { median } from './median.js';

const WARM_UP_MS = 300;
const LEAST_MS = 700;
const LEAST_PASSES = 3;

/**
 * Nanoseconds a call: the median of several passes, after a warm-up. `pass` makes so many calls by itself, in a loop written by hand: a clock read
 * around each call of 50 ns would measure the clock.
 */
export async function nsPerCall(calls: number, pass: () => unknown): Promise<number> {
  for (const end = performance.now() + WARM_UP_MS; performance.now() < end; ) await pass();
  const taken: number[] = [];
  for (let total = 0; total < LEAST_MS || taken.length < LEAST_PASSES; ) {
    const start = performance.now();
    await pass();
    const ms = performance.now() - start;
    total += ms;
    taken.push((ms * 1e6) / calls);
  }
  return median(taken);
}

/** Two of them turn by turn, so that whatever slows the machine slows both. */
export async function nsPerCallOfBoth(
  calls: number,
  one: () => unknown,
  other: () => unknown,
  passes: number,
): Promise<{ one: number; other: number; ratio: number }> {
  const taken = { one: [] as number[], other: [] as number[] };
  for (let round = -1; round < passes; round++) {
    for (const [name, pass] of [['one', one] as const, ['other', other] as const]) {
      const start = performance.now();
      await pass();
      const ns = ((performance.now() - start) * 1e6) / calls;
      // The first round is the warm-up.
      if (round >= 0) taken[name].push(ns);
    }
  }
  const ratios = taken.one.map((ns, round) => ns / taken.other[round]!);
  return { one: median(taken.one), other: median(taken.other), ratio: median(ratios) };
}
