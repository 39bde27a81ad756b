import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { statusError, watch } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';
import { type Deferred, deferred } from '../support/deferred.js';
import { recordingReporter } from '../support/reporter.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

interface Call {
  readonly value: string;
  readonly answer: Deferred<unknown>;
}

/** Calls that stay out until the test answers them. */
function held(latchkey: Latchkey, scope: Parameters<Latchkey['run']>[0] = 's') {
  const calls: Call[] = [];
  const run = (options = {}) =>
    watch(
      latchkey.run(
        scope,
        (lease) => {
          const answer = deferred<unknown>();
          calls.push({ value: lease.credential.reveal(), answer });
          return answer.promise;
        },
        options,
      ),
    );
  return { calls, run };
}

function doubtful(): Latchkey {
  const latchkey = createLatchkey();
  latchkey.capture('s', bearer('token-a'));
  return latchkey;
}

describe('run: canary', () => {
  it('case 48: one call goes first; once it is accepted all go', async () => {
    const latchkey = doubtful();
    const { calls, run } = held(latchkey);
    const runs = Array.from({ length: 40 }, () => run());
    await settled();
    expect(calls).toHaveLength(1);
    expect(latchkey.stats()).toMatchObject({ waiting: 39, running: 40 });
    calls[0]?.answer.resolve('ok');
    await settled();
    expect(calls).toHaveLength(40);
    expect(latchkey.stats().waiting).toBe(0);
    for (const { answer } of calls) answer.resolve('ok');
    await settled();
    expect(runs.every((one) => one.value === 'ok')).toBe(true);
  });

  it('case 48: rejected, none goes', async () => {
    const reporter = recordingReporter();
    const latchkey = createLatchkey({ reporter });
    latchkey.capture('s', bearer('token-a'));
    const { calls, run } = held(latchkey);
    const runs = Array.from({ length: 40 }, () => run());
    calls[0]?.answer.reject(statusError(401));
    await settled();
    expect(calls).toHaveLength(1);
    expect(runs.every((one) => (one.reason as { code?: string }).code === 'CREDENTIAL_REJECTED')).toBe(true);
    expect(reporter.openings).toHaveLength(1);
    expect(latchkey.stats()).toMatchObject({ rejected: 1, incidents: 1, waiting: 0, running: 0 });
  });

  it("case 48: after A's rejection one call tries G, the others wait for it, then all go or none does", async () => {
    for (const status of [200, 401]) {
      const latchkey = createLatchkey({ canary: 'borrowed' });
      latchkey.capture('s', bearer('token-a'));
      latchkey.capture('other', bearer('token-g'));
      const { calls, run } = held(latchkey);
      const runs = Array.from({ length: 10 }, () => run());
      expect(calls).toHaveLength(10);
      for (const { answer } of calls) answer.reject(statusError(401));
      await settled();
      expect(calls.slice(10).map(({ value }) => value)).toEqual(['token-g']);
      expect(latchkey.stats().waiting).toBe(9);
      if (status === 200) calls[10]?.answer.resolve('ok');
      else calls[10]?.answer.reject(statusError(401));
      await settled();
      for (const { answer } of calls) answer.resolve('ok');
      await settled();
      expect(calls).toHaveLength(status === 200 ? 20 : 11);
      expect(runs.every((one) => one.state === (status === 200 ? 'resolved' : 'rejected'))).toBe(true);
      expect(latchkey.stats()).toMatchObject({ waiting: 0, running: 0 });
    }
  });

  it('case 48: those who waited for a rejected canary choose again, and try the fallback behind one canary', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    latchkey.capture('other', bearer('token-g'));
    const { calls, run } = held(latchkey);
    const runs = Array.from({ length: 5 }, () => run());
    calls[0]?.answer.reject(statusError(401));
    await settled();
    expect(calls.map(({ value }) => value)).toEqual(['token-a', 'token-g']);
    calls[1]?.answer.resolve('ok');
    await settled();
    for (const { answer } of calls) answer.resolve('ok');
    await settled();
    expect(calls.map(({ value }) => value)).toEqual(['token-a', ...Array(5).fill('token-g')]);
    expect(runs.every((one) => one.value === 'ok')).toBe(true);
  });

  it('case 48: a leader that fails for a reason that passes: the next one leads', async () => {
    for (const failure of [statusError(503), Object.assign(new Error('reset'), { code: 'ECONNRESET' })]) {
      const { calls, run } = held(doubtful());
      for (let i = 0; i < 3; i++) run();
      calls[0]?.answer.reject(failure);
      await settled();
      expect(calls).toHaveLength(2);
      calls[1]?.answer.resolve('ok');
      await settled();
      expect(calls).toHaveLength(3);
    }
  });

  it('case 48: a transient leader hands over before its back-off', async () => {
    const { calls, run } = held(doubtful());
    const leader = run({ transient: { retries: 2, minMs: 30_000 } });
    const second = run();
    calls[0]?.answer.reject(statusError(503));
    await settled();
    expect(calls).toHaveLength(2);
    calls[1]?.answer.resolve('ok');
    await settled();
    expect([leader.state, second.state]).toEqual(['pending', 'resolved']);
  });

  it('case 43, 48: after `unused` the next waiter leads', async () => {
    const latchkey = doubtful();
    const cache = deferred();
    const leader = latchkey.run('s', async (_, { unused }) => {
      await cache.promise;
      unused();
      return 'from the cache';
    });
    const { calls, run } = held(latchkey);
    run();
    run();
    cache.resolve();
    await expect(leader).resolves.toBe('from the cache');
    await settled();
    expect(calls).toHaveLength(1);
    calls[0]?.answer.resolve('ok');
    await settled();
    expect(calls).toHaveLength(2);
  });

  it('case 48: a leader that is aborted: the next one leads at once, though the attempt is still out', async () => {
    const latchkey = doubtful();
    const { calls, run } = held(latchkey);
    const controller = new AbortController();
    const leader = run({ signal: controller.signal });
    run();
    run();
    controller.abort(new Error('gone'));
    await settled();
    expect(leader.state).toBe('rejected');
    expect(calls).toHaveLength(2);
    // What the aborted one learns no longer counts.
    calls[0]?.answer.reject(statusError(401));
    await settled();
    expect(latchkey.canRun('s')).toBe(true);
    expect(calls).toHaveLength(2);
  });

  it('case 48: a leader that times out while its attempt hangs: the next one leads, and its late verdict still counts', async () => {
    const latchkey = doubtful();
    const { calls, run } = held(latchkey);
    const leader = run({ timeoutMs: 100 });
    const waiter = run();
    await vi.advanceTimersByTimeAsync(100);
    expect(leader.reason).toMatchObject({ code: 'TIMEOUT' });
    expect(calls).toHaveLength(2);
    calls[0]?.answer.reject(statusError(401));
    await settled();
    expect(latchkey.canRun('s')).toBe(false);
    calls[1]?.answer.resolve('ok');
    await settled();
    expect(waiter.state).toBe('resolved');
    // Its call was sent later, and was accepted.
    expect(latchkey.canRun('s')).toBe(true);
  });

  it('case 48: a lead that is handed to one who is aborted at that moment goes on to the next', async () => {
    const latchkey = doubtful();
    const { calls, run } = held(latchkey);
    run();
    const controller = new AbortController();
    const aborted = run({ signal: controller.signal });
    const next = run();
    calls[0]?.answer.reject(statusError(503));
    controller.abort(new Error('gone'));
    await settled();
    expect(aborted.state).toBe('rejected');
    expect(calls).toHaveLength(2);
    calls[1]?.answer.resolve('ok');
    await settled();
    expect(next.value).toBe('ok');
    expect(latchkey.stats()).toMatchObject({ waiting: 0, running: 0 });
  });

  it('case 48: `canaryMs` bounds the wait: then the next one goes too, one at a time', async () => {
    const latchkey = createLatchkey({ canaryMs: 2_000 });
    latchkey.capture('s', bearer('token-a'));
    const { calls, run } = held(latchkey);
    for (let i = 0; i < 4; i++) run();
    await vi.advanceTimersByTimeAsync(1_999);
    expect(calls).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(calls).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(calls).toHaveLength(3);
    // The slow first one may still speak for all.
    calls[0]?.answer.resolve('ok');
    await settled();
    expect(calls).toHaveLength(4);
  });

  it('case 48: `urgent` does not wait, and nobody waits for it', async () => {
    const { calls, run } = held(doubtful());
    run({ urgent: true });
    run();
    run();
    run({ urgent: true });
    await settled();
    expect(calls).toHaveLength(3);
  });

  it('case 48: forty calls that all answer 400 do not run one after the other', async () => {
    const { calls, run } = held(doubtful());
    const runs = Array.from({ length: 40 }, () => run());
    calls[0]?.answer.reject(statusError(400));
    await settled();
    expect(calls).toHaveLength(40);
    for (const { answer } of calls) answer.reject(statusError(400));
    await settled();
    expect(runs.every((one) => one.state === 'rejected')).toBe(true);
  });

  it('case 48: denied releases all, held makes them choose again', async () => {
    const { calls, run } = held(doubtful());
    run();
    run();
    calls[0]?.answer.reject(statusError(403, { 'www-authenticate': 'Bearer error="insufficient_scope"' }));
    await settled();
    expect(calls).toHaveLength(2);

    const other = held(doubtful());
    other.run();
    const waiter = other.run();
    other.calls[0]?.answer.reject(statusError(402));
    await settled();
    expect(other.calls).toHaveLength(1);
    expect(waiter.reason).toMatchObject({ code: 'CREDENTIAL_HELD', status: 402, until: expect.any(Number) });
  });

  it('what somebody else learns of the credential meanwhile frees those who wait', async () => {
    for (const status of [200, 401]) {
      const latchkey = doubtful();
      const { calls, run } = held(latchkey);
      run();
      const waiter = run();
      latchkey.capture('s', bearer('token-a')).settle(status);
      await settled();
      expect(calls).toHaveLength(status === 200 ? 2 : 1);
      expect(waiter.state).toBe(status === 200 ? 'pending' : 'rejected');
      expect(latchkey.stats().waiting).toBe(0);
    }
  });

  it('those who wait behind a canary take seats, and give them back', async () => {
    const latchkey = createLatchkey({ limits: { parked: 2 } });
    latchkey.capture('s', bearer('token-a'));
    const { calls, run } = held(latchkey);
    const runs = [run(), run(), run(), run()];
    await settled();
    expect(runs[3]?.reason).toMatchObject({ code: 'PARK_OVERFLOW' });
    expect(latchkey.stats().waiting).toBe(2);
    calls[0]?.answer.reject(statusError(401));
    await settled();
    expect(latchkey.stats()).toMatchObject({ waiting: 0, running: 0 });
  });
});
