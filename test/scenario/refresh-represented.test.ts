import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer } from '../../src/index.js';
import { freezeTime } from '../support/clock.js';
import { type Brings, begin, NEW, OLD, type Refreshing, refreshing, SCOPE } from './refreshing.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const PRESENTATIONS = 50;
const TICK_MS = 1_000;

/** The client presents its dead token fifty times, and a loop ticks after each. Returns how many of the ticks did their work. */
async function presentAgain(house: Refreshing): Promise<number> {
  let done = 0;
  for (let tick = 0; tick < PRESENTATIONS; tick++) {
    house.present(OLD);
    const run = house.latchkey.run(SCOPE, house.attempt, { whenBlocked: 'skip' });
    await vi.advanceTimersByTimeAsync(TICK_MS);
    if ((await run) !== undefined) done++;
  }
  return done;
}

const counts = ({ seen, reporter, unauthorized }: Refreshing) => ({
  unauthorized: unauthorized(),
  refreshes: seen.refreshes,
  reports: reporter.openings.length,
});

const WARMTH: readonly [string, boolean][] = [
  ['warm', true],
  ['cold', false],
];

describe('a client that presents its dead token again and again', () => {
  it.each(WARMTH)('without a refresh, %s: one 401 and one report', async (_, warm) => {
    const house = refreshing({ refresh: false });
    await begin(house, warm);
    expect(await presentAgain(house)).toBe(0);
    expect(counts(house)).toEqual({ unauthorized: 1, refreshes: 0, reports: 1 });
  });

  it.each(WARMTH)('with a refresh, %s: one 401, one refresh, no report; every tick does its work, with the new token', async (_, warm) => {
    const house = refreshing({ refresh: true });
    await begin(house, warm);
    expect(await presentAgain(house)).toBe(PRESENTATIONS);
    expect(counts(house)).toEqual({ unauthorized: 1, refreshes: 1, reports: 0 });
    expect(house.answers.slice(1)).toEqual(Array(PRESENTATIONS).fill({ token: NEW, status: 200 }));
  });

  it.each<[Brings]>([['same'], ['nothing'], ['invalid_grant']])(
    'with a refresh that brings %s: one 401, one refresh and one report',
    async (brings) => {
      const house = refreshing({ refresh: true });
      await begin(house, true);
      house.brings = brings;
      expect(await presentAgain(house)).toBe(0);
      expect(counts(house)).toEqual({ unauthorized: 1, refreshes: 1, reports: 1 });
    },
  );

  it('refreshed before its end, while it works still: the old token, presented again, does not come back', async () => {
    const house = refreshing({ refresh: true });
    const { latchkey } = house;
    await begin(house, true, false);
    house.answers.length = 0;
    latchkey.capture(SCOPE, bearer(OLD, { expiresAt: Date.now() + 3_600_000 }));
    // Well within the advisory window, wherever in it this token's own moment is.
    await vi.advanceTimersByTimeAsync(3_600_000 - 60_000);
    expect(await presentAgain(house)).toBe(PRESENTATIONS);
    // The first tick goes on with the old token, and has the new one fetched beside it.
    expect(house.answers).toEqual([{ token: OLD, status: 200 }, ...Array(PRESENTATIONS - 1).fill({ token: NEW, status: 200 })]);
    expect(counts(house)).toEqual({ unauthorized: 0, refreshes: 1, reports: 0 });
  });
});
