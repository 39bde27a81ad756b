import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, type RunOptions } from '../../src/index.js';
import { reportedOnce } from '../../src/testkit/assertions.js';
import { freezeTime } from '../support/clock.js';
import { begin, NEW, OLD, type Refreshing, refreshing, SCOPE } from './refreshing.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const WORKERS = 200;
const START_MS = 30;

/** Two hundred workers start within 30 ms; what became of each. */
async function storm(house: Refreshing, options: RunOptions = {}): Promise<PromiseSettledResult<string | undefined>[]> {
  // 5 to 60 ms, and every start from 0 to 30: mixed, and the same each time.
  house.latencies.push(...Array.from({ length: WORKERS }, (_, worker) => 5 + ((worker * 37) % 56)));
  const ends = Array.from({ length: WORKERS }, async (_, worker) => {
    await new Promise((resolve) => setTimeout(resolve, (worker * 11) % (START_MS + 1)));
    return house.latchkey.run(SCOPE, house.attempt, options);
  });
  const all = Promise.allSettled(ends);
  await vi.advanceTimersByTimeAsync(5_000);
  return all;
}

const done = (ends: readonly PromiseSettledResult<string | undefined>[]) =>
  ends.filter((end) => end.status === 'fulfilled' && end.value === NEW).length;

describe('a storm on one token that has just expired', () => {
  it('with a refresh, warm: those in flight meet the 401, one refresh, nobody fails', async () => {
    const house = refreshing({ refresh: true, usualMs: 10 });
    await begin(house, true);
    expect(done(await storm(house))).toBe(WORKERS);
    const { calls, callsOut, refreshes } = house.seen;
    expect(callsOut).toBeGreaterThan(1);
    expect(callsOut).toBeLessThan(WORKERS);
    expect({ unauthorized: house.unauthorized(), calls, refreshes }).toEqual({
      unauthorized: callsOut,
      calls: WORKERS + callsOut,
      refreshes: 1,
    });
    expect(house.reporter.openings).toEqual([]);
    expect(house.latchkey.stats()).toMatchObject({ refreshes: 1, refreshed: 1, incidents: 0, running: 0, waiting: 0, refreshing: 0 });
  });

  it('with a refresh, cold: one 401, one refresh, nobody fails', async () => {
    const house = refreshing({ refresh: true, usualMs: 10 });
    await begin(house, false);
    expect(done(await storm(house))).toBe(WORKERS);
    expect({ unauthorized: house.unauthorized(), ...house.seen }).toEqual({
      unauthorized: 1,
      calls: WORKERS + 1,
      callsOut: 1,
      refreshes: 1,
    });
    expect(house.reporter.openings).toEqual([]);
  });

  it.each([
    ['warm', true],
    ['cold', false],
  ])('without one, %s: the workers park until a client brings a token; one report', async (_, warm) => {
    const house = refreshing({ refresh: false, usualMs: 10 });
    await begin(house, warm);
    const off = house.latchkey.on('incident', () => {
      setTimeout(() => {
        house.alive.add(NEW);
        house.present(NEW);
      }, 20);
    });
    expect(done(await storm(house, { whenBlocked: 'park' }))).toBe(WORKERS);
    off();
    const { calls, callsOut } = house.seen;
    expect(warm ? callsOut > 1 : callsOut === 1).toBe(true);
    expect({ unauthorized: house.unauthorized(), calls }).toEqual({ unauthorized: callsOut, calls: WORKERS + callsOut });
    reportedOnce(house.reporter, { ended: 'fresh' });
  });

  it('with a refresh, on a token that is known to have expired: no 401 at all, one refresh, a call each', async () => {
    const house = refreshing({ refresh: true, usualMs: 10 });
    house.latchkey.capture(SCOPE, bearer(OLD, { expiresAt: Date.now() + 1_000 }));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(done(await storm(house))).toBe(WORKERS);
    expect({ unauthorized: house.unauthorized(), ...house.seen }).toEqual({ unauthorized: 0, calls: WORKERS, callsOut: 0, refreshes: 1 });
  });

  it('with a token endpoint that is down: one try for all of them, who fail fast; the next try frees them', async () => {
    const house = refreshing({ refresh: true, usualMs: 10 });
    await begin(house, true);
    house.brings = 'outage';
    const ends = await storm(house);
    const codes = new Set(ends.map((end) => (end.status === 'rejected' ? (end.reason as { code: string }).code : 'done')));
    expect(codes).toEqual(new Set(['AUTH_RETRYING']));
    const { callsOut } = house.seen;
    expect({ unauthorized: house.unauthorized(), ...house.seen }).toEqual({
      unauthorized: callsOut,
      calls: callsOut,
      callsOut,
      refreshes: 1,
    });
    expect(house.latchkey.status(SCOPE)).toMatchObject({ state: 'refreshing', reason: 'rejected' });
    house.brings = 'new';
    await vi.advanceTimersByTimeAsync(10_000);
    expect(house.latchkey.status(SCOPE)).toMatchObject({ state: 'ready' });
    expect(done(await storm(house))).toBe(WORKERS);
    expect(house.unauthorized()).toBe(callsOut);
    expect(house.seen.refreshes).toBe(2);
    expect(house.reporter.openings).toEqual([]);
  });
});
