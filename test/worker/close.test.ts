import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Incident, type Latchkey } from '../../src/index.js';
import { statusError, throwing, watch } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';
import { deferred } from '../support/deferred.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

function ready(): Latchkey {
  const latchkey = createLatchkey();
  latchkey.capture('s', bearer('token-a'));
  return latchkey;
}

describe('close', () => {
  it('case 65: afterwards nothing runs, and a capture is no-op', async () => {
    const latchkey = ready();
    const capture = latchkey.capture('s', bearer('token-a'), { provisional: true });
    const { lease } = latchkey.resolve('s') as { lease: { usable(): boolean; settle(outcome: number): unknown } };
    await latchkey.close();
    const before = latchkey.snapshot();
    expect(latchkey.canRun('s')).toBe(false);
    expect(latchkey.resolve('s')).toEqual({ ok: false, reason: 'closed' });
    await expect(latchkey.run('s', () => 1)).rejects.toMatchObject({ code: 'CLOSED', scope: { session: 's' } });
    await expect(latchkey.run('s', () => 1, { whenBlocked: 'skip' })).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(latchkey.whenRunnable('s')).rejects.toMatchObject({ code: 'CLOSED' });
    expect(latchkey.capture('s', bearer('token-b'))).toMatchObject({ changed: false, usable: false });
    capture.commit();
    capture.settle(401);
    lease.settle(401);
    latchkey.pin({}, bearer('token-pin'))();
    expect(latchkey.snapshot()).toEqual(before);
    expect(latchkey.stats()).toMatchObject({ captures: 2, rejected: 0 });
  });

  it('case 65: parked runs, whenRunnable waiters, canary waiters and those in back-off get CLOSED at once', async () => {
    const latchkey = createLatchkey({ fallback: 'none' });
    const { attempt } = throwing({ 'token-busy': 503 });
    latchkey.capture('busy', bearer('token-busy'));
    latchkey.capture('limited', bearer('token-limited'));
    latchkey.capture('doubt', bearer('token-doubt'));
    const waiters = {
      parked: watch(latchkey.run('none', attempt, { whenBlocked: 'park' })),
      runnable: watch(latchkey.whenRunnable('none')),
      backOff: watch(latchkey.run('busy', attempt, { transient: { retries: 3, minMs: 3_000, maxMs: 3_000 } })),
      retryAfter: watch(
        latchkey.run('limited', () => Promise.reject(statusError(429, { 'retry-after': '30' })), { transient: { retries: 3 } }),
      ),
    };
    const leader = watch(latchkey.run('doubt', () => new Promise(() => {})));
    const behind = watch(latchkey.run('doubt', attempt));
    await settled();
    expect(latchkey.stats()).toMatchObject({ running: 6, waiting: 3 });
    void latchkey.close();
    await settled();
    for (const waiter of [...Object.values(waiters), behind]) expect(waiter.reason).toMatchObject({ code: 'CLOSED' });
    expect(leader.state).toBe('pending');
    expect(latchkey.stats()).toMatchObject({ running: 1, waiting: 0 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(latchkey.stats().attempts).toBe(3);
  });

  it('case 65: a running attempt is given its time', async () => {
    const latchkey = ready();
    const answer = deferred<string>();
    const run = watch(latchkey.run('s', () => answer.promise));
    const closing = watch(latchkey.close({ timeoutMs: 1_000 }));
    await vi.advanceTimersByTimeAsync(900);
    expect([run.state, closing.state]).toEqual(['pending', 'pending']);
    answer.resolve('in time');
    await settled();
    expect(run.value).toBe('in time');
    expect(closing.state).toBe('resolved');
    expect(latchkey.stats()).toMatchObject({ accepted: 1, running: 0 });
  });

  it('case 65: one that takes longer is aborted and gets CLOSED; its later outcome changes nothing', async () => {
    const latchkey = ready();
    const answer = deferred<string>();
    let signal: AbortSignal | undefined;
    const run = watch(
      latchkey.run('s', (_, context) => {
        ({ signal } = context);
        return answer.promise;
      }),
    );
    const closing = watch(latchkey.close());
    await vi.advanceTimersByTimeAsync(4_999);
    expect([run.state, closing.state, signal?.aborted]).toEqual(['pending', 'pending', false]);
    await vi.advanceTimersByTimeAsync(1);
    expect(closing.state).toBe('resolved');
    expect(run.reason).toMatchObject({ code: 'CLOSED', scope: { session: 's' } });
    expect(signal?.aborted).toBe(true);
    expect(signal?.reason).toBe(run.reason);
    answer.reject(statusError(401));
    await settled();
    expect(latchkey.stats()).toMatchObject({ rejected: 0, incidents: 0, running: 0 });
    expect(latchkey.snapshot().verdicts).toEqual([]);
  });

  it('case 65: what an attempt meets within its time does not make the run wait, retry or park', async () => {
    for (const [answer, options] of [
      [statusError(503), { transient: { retries: 3, minMs: 10 } }],
      [statusError(401), { whenBlocked: 'park' }],
      [statusError(401), {}],
    ] as const) {
      const latchkey = ready();
      const gate = deferred<string>();
      let calls = 0;
      const run = watch(
        latchkey.run(
          's',
          () => {
            calls++;
            return gate.promise;
          },
          options,
        ),
      );
      const closing = watch(latchkey.close());
      gate.reject(answer);
      await settled();
      expect(run.state).toBe('rejected');
      expect(closing.state).toBe('resolved');
      expect(calls).toBe(1);
      expect(latchkey.stats()).toMatchObject({ running: 0, waiting: 0 });
    }
  });

  it('case 65: a second close is fine, and ends with the first', async () => {
    const latchkey = ready();
    const answer = deferred<string>();
    void latchkey.run('s', () => answer.promise).catch(() => {});
    const first = watch(latchkey.close({ timeoutMs: 1_000 }));
    const second = watch(latchkey.close({ timeoutMs: 10 }));
    await vi.advanceTimersByTimeAsync(999);
    expect([first.state, second.state]).toEqual(['pending', 'pending']);
    await vi.advanceTimersByTimeAsync(1);
    expect([first.state, second.state]).toEqual(['resolved', 'resolved']);
    await expect(latchkey.close()).resolves.toBeUndefined();
    await expect(latchkey.close({ timeoutMs: Number.NaN })).rejects.toThrow(TypeError);
  });

  it('case 63, 65: a reporter on its way is awaited, one that hangs only for the time given', async () => {
    const delivered = deferred();
    const told: Incident[] = [];
    const latchkey = createLatchkey({
      reporter: {
        opened: async (incident) => {
          await delivered.promise;
          told.push(incident);
        },
        ended: () => {},
      },
    });
    latchkey.capture('s', bearer('token-a'));
    await latchkey.run('s', throwing({ 'token-a': 401 }).attempt).catch(() => {});
    const closing = watch(latchkey.close());
    await vi.advanceTimersByTimeAsync(100);
    expect(closing.state).toBe('pending');
    delivered.resolve();
    await settled();
    expect(closing.state).toBe('resolved');
    expect(told).toHaveLength(1);

    const hanging = createLatchkey({ reporter: { opened: () => new Promise(() => {}), ended: () => {} } });
    hanging.capture('s', bearer('token-a'));
    await hanging.run('s', throwing({ 'token-a': 401 }).attempt).catch(() => {});
    const slow = watch(hanging.close({ timeoutMs: 2_000 }));
    await vi.advanceTimersByTimeAsync(1_999);
    expect(slow.state).toBe('pending');
    await vi.advanceTimersByTimeAsync(1);
    expect(slow.state).toBe('resolved');
  });

  it('case 64: leaves no timer behind', async () => {
    const latchkey = createLatchkey({ report: { graceMs: 60_000 } });
    latchkey.capture('s', bearer('token-a'));
    latchkey.capture('s', bearer('token-a')).settle(401);
    void latchkey.run('s', () => 1).catch(() => {});
    void latchkey.run('s', () => 1, { whenBlocked: 'park' }).catch(() => {});
    void latchkey.whenRunnable('s').catch(() => {});
    await settled();
    await latchkey.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
