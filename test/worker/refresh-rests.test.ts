import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { watch } from '../support/attempts.js';
import { freezeTime, START, settled } from '../support/clock.js';
import { endpointDown, refreshing } from '../support/refreshing.js';
import { recordingReporter } from '../support/reporter.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const tick = async (ms: number): Promise<void> => {
  await vi.advanceTimersByTimeAsync(ms);
  await settled(3);
};

const skip = (latchkey: Latchkey, session: string): void => void latchkey.run(session, () => 'x', { whenBlocked: 'skip' });

describe('while the token endpoint is down', () => {
  it('more sessions than may be refreshed at once are asked for no more often than few, and are reported', async () => {
    const sessions = 1_050;
    const recorded = refreshing(() => endpointDown());
    const latchkey = createLatchkey({ refresh: recorded.refresh, fallback: 'none', canary: 'off' });
    for (let i = 0; i < sessions; i++) latchkey.capture(`s${i}`, bearer(`t${i}`, { expiresAt: START + MINUTE }));
    await tick(2 * MINUTE);
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < sessions; i++) skip(latchkey, `s${i}`);
      await tick(MINUTE);
    }
    // Five short tries each, at the most.
    expect(recorded.calls.length).toBeLessThanOrEqual(5 * sessions);
    expect(latchkey.stats().openIncidents).toBeGreaterThan(0);
    expect(latchkey.stats().refreshing).toBeLessThanOrEqual(1_000);
  });

  it('one that makes room for another is reported at once, and the others are not', async () => {
    const recorded = refreshing(() => endpointDown());
    const reporter = recordingReporter();
    const latchkey = createLatchkey({ refresh: recorded.refresh, reporter, fallback: 'none', canary: 'off' });
    for (let i = 0; i <= 1_000; i++) latchkey.capture(`s${i}`, bearer(`t${i}`)).settle(401);
    for (let i = 0; i < 1_000; i++) skip(latchkey, `s${i}`);
    await tick(SECOND);
    expect([recorded.calls.length, reporter.openings]).toEqual([1_000, []]);
    skip(latchkey, 's1000');
    await tick(SECOND);
    expect([recorded.calls.length, latchkey.stats().refreshing]).toEqual([1_001, 1_000]);
    expect(reporter.openings).toMatchObject([{ scopes: [{ session: 's0' }] }]);
    expect(latchkey.status('s0')).toMatchObject({ state: 'blocked', reason: 'rejected', next: expect.any(Number) });
    expect(latchkey.status('s1').state).toBe('refreshing');
  });

  it('two tokens that a session presents by turns are asked for no more often than one', async () => {
    const recorded = refreshing(() => endpointDown());
    const reporter = recordingReporter();
    const latchkey = createLatchkey({ refresh: recorded.refresh, reporter });
    const two = [bearer('token-a', { expiresAt: START + MINUTE }), bearer('token-b', { expiresAt: START + MINUTE })] as const;
    await tick(2 * MINUTE);
    for (let i = 0; i < 240; i++) {
      latchkey.capture('s', i % 2 === 0 ? two[0] : two[1]);
      skip(latchkey, 's');
      await tick(15 * SECOND);
    }
    // An hour has five short tries and five of every ten minutes for each, and there are rests in between.
    expect(recorded.calls.length).toBeLessThanOrEqual(2 * 12);
    expect(reporter.openings).toHaveLength(1);
  });
});

describe('a refresh that brings nothing better', () => {
  it('is asked for anew when the token that works still is over: it breaks no work', async () => {
    let [token, end] = ['token-0', START + HOUR];
    // An issuer that keeps its answers: the same one until a minute before its end.
    const recorded = refreshing((_, __, tried) => {
      if (Date.now() >= end - MINUTE) [token, end] = [`token-${tried}`, Date.now() + 10 * HOUR];
      return bearer(token, { expiresAt: end });
    });
    const reporter = recordingReporter();
    const latchkey = createLatchkey({ refresh: recorded.refresh, reporter });
    latchkey.capture('s', bearer('token-0', { expiresAt: end }));
    const failures: unknown[] = [];
    for (let i = 0; i < 160; i++) {
      await latchkey.run('s', () => 'ok').catch((error: unknown) => failures.push(error));
      await tick(30 * SECOND);
    }
    expect([failures, reporter.openings]).toEqual([[], []]);
    expect(recorded.calls.length).toBeLessThanOrEqual(3);
  });

  it('is asked for anew by those who wait, when its rest is over, time after time', async () => {
    const recorded = refreshing((_, __, tried) => (tried < 4 ? undefined : bearer('token-new')));
    const latchkey = createLatchkey({ refresh: recorded.refresh });
    latchkey.capture('s', bearer('token-old')).settle(401);
    const parked = watch(latchkey.run('s', ({ credential }) => credential.reveal(), { whenBlocked: 'park', parkMs: HOUR }));
    const runnable = watch(latchkey.whenRunnable('s', { timeoutMs: HOUR }));
    await tick(29 * MINUTE);
    expect([recorded.calls.length, parked.state, runnable.state]).toEqual([3, 'pending', 'pending']);
    await tick(2 * MINUTE);
    expect(recorded.calls).toHaveLength(4);
    expect(parked).toMatchObject({ state: 'resolved', value: 'token-new' });
    expect(runnable.state).toBe('resolved');
  });

  it('of two that rest, that is waited for which is over first', async () => {
    const recorded = refreshing(() => undefined);
    const latchkey = createLatchkey({ refresh: recorded.refresh });
    latchkey.capture('a', bearer('token-a')).settle(401);
    skip(latchkey, 'a');
    await tick(3 * MINUTE);
    latchkey.capture('b', bearer('token-b')).settle(401);
    skip(latchkey, 'b');
    await tick(SECOND);
    expect(recorded.calls).toEqual(['token-a', 'token-b']);
    for (const session of ['a', 'b', 'c']) latchkey.whenRunnable(session, { timeoutMs: 12 * MINUTE }).catch(() => {});
    await tick(8 * MINUTE);
    expect(recorded.calls).toEqual(['token-a', 'token-b', 'token-a']);
  });

  it('is not asked for by those who have given up', async () => {
    const recorded = refreshing(() => undefined);
    const latchkey = createLatchkey({ refresh: recorded.refresh });
    latchkey.capture('s', bearer('token-old')).settle(401);
    const runnable = watch(latchkey.whenRunnable('s', { timeoutMs: 5 * MINUTE }));
    await tick(HOUR);
    expect([runnable.reason, recorded.calls.length]).toMatchObject([{ code: 'PARK_TIMEOUT' }, 1]);
    await latchkey.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
