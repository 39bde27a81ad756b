import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createIdleLoop } from '../../src/index.js';
import { freezeTime } from '../support/clock.js';
import { type Brings, begin, NEW, type Refreshing, refreshing, SCOPE } from './refreshing.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const EVERY_MS = 30_000;
const WARMTH: readonly [string, boolean][] = [
  ['warm', true],
  ['cold', false],
];

function idling({ latchkey, attempt }: Refreshing) {
  return createIdleLoop(latchkey, {
    everyMs: EVERY_MS,
    items: () => [SCOPE],
    scope: (item) => item,
    task: async (_, { run }) => void (await run(attempt)),
  });
}

async function ticks(count: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(count * EVERY_MS);
}

const counts = ({ seen, reporter, unauthorized }: Refreshing) => ({
  calls: seen.calls,
  unauthorized: unauthorized(),
  refreshes: seen.refreshes,
  reports: reporter.openings.length,
});

describe('a token that is dead for good', () => {
  it.each(WARMTH)('without a refresh, %s: 100 ticks are one 401 and one report', async (_, warm) => {
    const house = refreshing({ refresh: false });
    await begin(house, warm);
    const loop = idling(house);
    loop.start();
    await ticks(100);
    expect(counts(house)).toEqual({ calls: 1, unauthorized: 1, refreshes: 0, reports: 1 });
    await loop.stop();
  });

  it.each(WARMTH)('with a refresh that is refused, %s: 100 ticks are one 401, one refresh and one report', async (_, warm) => {
    const house = refreshing({ refresh: true });
    await begin(house, warm);
    house.brings = 'invalid_grant';
    const loop = idling(house);
    loop.start();
    await ticks(100);
    expect(counts(house)).toEqual({ calls: 1, unauthorized: 1, refreshes: 1, reports: 1 });
    expect(house.latchkey.status(SCOPE)).toMatchObject({ state: 'blocked', reason: 'rejected', next: undefined });
    await loop.stop();
  });

  it.each<[Brings, string, boolean]>([
    ['same', 'warm', true],
    ['same', 'cold', false],
    ['nothing', 'warm', true],
    ['nothing', 'cold', false],
  ])('with a refresh that brings %s, %s: one refresh for all ticks of ten minutes, and one report', async (brings, _, warm) => {
    const house = refreshing({ refresh: true });
    await begin(house, warm);
    house.brings = brings;
    const loop = idling(house);
    loop.start();
    // The first tick meets the 401. The refresh that it waits for ends 20 ms later, and the next one is due ten minutes after that.
    await ticks(21);
    expect(counts(house)).toEqual({ calls: 1, unauthorized: 1, refreshes: 1, reports: 1 });
    await ticks(1);
    expect(counts(house)).toMatchObject({ refreshes: 2, reports: 1 });
    await ticks(78);
    expect(counts(house)).toEqual({ calls: 1, unauthorized: 1, refreshes: 5, reports: 1 });
    await loop.stop();
  });

  it('100 runs in a row with a refresh that brings the same token again: one 401, one refresh, one report', async () => {
    const house = refreshing({ refresh: true });
    await begin(house, true);
    house.brings = 'same';
    house.refreshMs = 0;
    for (let tick = 0; tick < 100; tick++) expect(await house.latchkey.run(SCOPE, house.attempt, { whenBlocked: 'skip' })).toBeUndefined();
    expect(counts(house)).toEqual({ calls: 1, unauthorized: 1, refreshes: 1, reports: 1 });
    expect(house.latchkey.stats()).toMatchObject({ skipped: 100 });
  });

  it('after the refusal a new login resumes the work; when its token dies in turn, a refresh is asked for again', async () => {
    const house = refreshing({ refresh: true });
    await begin(house, true);
    house.brings = 'invalid_grant';
    const loop = idling(house);
    loop.start();
    await ticks(10);
    house.alive.add('token-of-the-login');
    house.present('token-of-the-login');
    expect(house.reporter.endings).toMatchObject([{ end: 'fresh' }]);
    await ticks(10);
    expect(counts(house)).toEqual({ calls: 11, unauthorized: 1, refreshes: 1, reports: 1 });
    house.alive.delete('token-of-the-login');
    house.brings = 'new';
    await ticks(10);
    // The tick that met the 401 went on with what the refresh brought.
    expect(counts(house)).toEqual({ calls: 22, unauthorized: 2, refreshes: 2, reports: 1 });
    expect(house.answers.at(-1)).toEqual({ token: NEW, status: 200 });
    await loop.stop();
  });
});
