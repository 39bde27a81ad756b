import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { freezeTime } from '../support/clock.js';
import { begin, NEW, OLD, refreshing, SCOPE } from './refreshing.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const WARMTH: readonly [string, boolean][] = [
  ['warm', true],
  ['cold', false],
];

describe('a 401 that comes when the new token is there already', () => {
  it.each(WARMTH)('with a refresh, %s: one refresh, nobody fails, the new token stays', async (_, warm) => {
    const house = refreshing({ refresh: true, usualMs: 1 });
    await begin(house, warm);
    house.refreshMs = 5;
    house.latencies.push(5, 60);
    const both = Promise.all([house.latchkey.run(SCOPE, house.attempt), house.latchkey.run(SCOPE, house.attempt)]);
    await vi.advanceTimersByTimeAsync(100);
    expect(await both).toEqual([NEW, NEW]);
    // Cold, the second call waits for what the first one learns.
    expect(house.answers.map(({ token }) => token)).toEqual(warm ? [OLD, NEW, OLD, NEW] : [OLD, NEW, NEW]);
    expect(house.seen.refreshes).toBe(1);
    const again = house.latchkey.run(SCOPE, house.attempt);
    await vi.advanceTimersByTimeAsync(1);
    expect(await again).toBe(NEW);
    expect(house.seen).toMatchObject({ calls: warm ? 5 : 4, refreshes: 1 });
    expect(house.reporter.openings).toEqual([]);
  });

  it.each(WARMTH)('without one, %s: nobody fails, the new token stays', async (_, warm) => {
    const house = refreshing({ refresh: false, usualMs: 1 });
    await begin(house, warm);
    house.latencies.push(5, 60);
    const park = { whenBlocked: 'park' } as const;
    const both = Promise.all([house.latchkey.run(SCOPE, house.attempt, park), house.latchkey.run(SCOPE, house.attempt, park)]);
    await vi.advanceTimersByTimeAsync(10);
    house.alive.add(NEW);
    house.present(NEW);
    await vi.advanceTimersByTimeAsync(100);
    expect(await both).toEqual([NEW, NEW]);
    expect(house.unauthorized()).toBe(warm ? 2 : 1);
    expect(house.latchkey.canRun(SCOPE)).toBe(true);
    expect(house.latchkey.stats()).toMatchObject({ openIncidents: 0, reports: 1 });
  });

  it('a refresh that is out still when the second 401 comes serves both', async () => {
    const house = refreshing({ refresh: true, usualMs: 1 });
    await begin(house, true);
    house.refreshMs = 100;
    house.latencies.push(5, 60);
    const both = Promise.all([house.latchkey.run(SCOPE, house.attempt), house.latchkey.run(SCOPE, house.attempt)]);
    await vi.advanceTimersByTimeAsync(104);
    expect(house.answers).toEqual([
      { token: OLD, status: 401 },
      { token: OLD, status: 401 },
    ]);
    await vi.advanceTimersByTimeAsync(100);
    expect(await both).toEqual([NEW, NEW]);
    expect(house.seen).toMatchObject({ calls: 4, refreshes: 1 });
  });

  it('a client’s own login while the refresh is out is kept, and what the refresh brings is not put in its place', async () => {
    const house = refreshing({ refresh: true, usualMs: 1 });
    await begin(house, true);
    house.refreshMs = 100;
    const work = house.latchkey.run(SCOPE, house.attempt);
    await vi.advanceTimersByTimeAsync(50);
    house.alive.add('token-of-the-login');
    house.present('token-of-the-login');
    await vi.advanceTimersByTimeAsync(10);
    expect(await work).toBe('token-of-the-login');
    await vi.advanceTimersByTimeAsync(200);
    const after = house.latchkey.run(SCOPE, house.attempt);
    await vi.advanceTimersByTimeAsync(10);
    expect(await after).toBe('token-of-the-login');
    expect(house.seen.refreshes).toBe(1);
  });
});
