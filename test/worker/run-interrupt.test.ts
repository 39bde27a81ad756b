import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type RunOptions } from '../../src/index.js';
import { statusError, throwing } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';
import { type Deferred, deferred } from '../support/deferred.js';
import { hearAll } from '../support/heard.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const REASON = new Error('the caller has gone');

/** A run brought to each place where it can be broken off, and what it had sent by then. */
const PLACES: Record<string, (latchkey: Latchkey, options: RunOptions) => Promise<{ run: Promise<unknown>; sent: string[] }>> = {
  'during the first call': async (latchkey, options) => {
    latchkey.capture('s', bearer('token-a'));
    const sent: string[] = [];
    const run = latchkey.run('s', (lease) => new Promise(() => sent.push(lease.credential.reveal())), options);
    return { run, sent };
  },
  'during the auth retry': async (latchkey, options) => {
    latchkey.capture('s', bearer('token-a'));
    latchkey.capture('other', bearer('token-g'));
    const sent: string[] = [];
    const run = latchkey.run(
      's',
      (lease) => {
        sent.push(lease.credential.reveal());
        if (sent.length === 1) throw statusError(401);
        return new Promise(() => {});
      },
      options,
    );
    await settled();
    expect(sent).toHaveLength(2);
    return { run, sent };
  },
  'during back-off': async (latchkey, options) => {
    latchkey.capture('s', bearer('token-a'));
    const { attempt, sent } = throwing({ 'token-a': 503 });
    const run = latchkey.run('s', attempt, { ...options, transient: { retries: 5, minMs: 60_000, maxMs: 60_000 } });
    await settled();
    return { run, sent };
  },
  'during a Retry-After': async (latchkey, options) => {
    latchkey.capture('s', bearer('token-a'));
    const sent: string[] = [];
    const run = latchkey.run(
      's',
      (lease) => {
        sent.push(lease.credential.reveal());
        throw statusError(429, { 'retry-after': '3' });
      },
      { ...options, transient: { retries: 5, minMs: 10 } },
    );
    await settled();
    return { run, sent };
  },
  'while parked': async (latchkey, options) => {
    const { attempt, sent } = throwing({});
    const run = latchkey.run('s', attempt, { ...options, whenBlocked: 'park' });
    await settled();
    expect(latchkey.stats().waiting).toBe(1);
    return { run, sent };
  },
  'while waiting for a canary': async (latchkey, options) => {
    latchkey.capture('s', bearer('token-a'));
    void latchkey.run('s', () => new Promise(() => {}));
    const { attempt, sent } = throwing({});
    const run = latchkey.run('s', attempt, options);
    await settled();
    expect(latchkey.stats().waiting).toBe(1);
    return { run, sent };
  },
};

describe('run: broken off', () => {
  it('case 44: aborted before it begins, it rejects with the reason and sends nothing', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    const { attempt, sent } = throwing({});
    await expect(latchkey.run('s', attempt, { signal: AbortSignal.abort(REASON) })).rejects.toBe(REASON);
    await expect(latchkey.run('s', attempt, { signal: AbortSignal.abort(REASON), whenBlocked: 'skip' })).rejects.toBe(REASON);
    await expect(latchkey.whenRunnable('cold', { signal: AbortSignal.abort(REASON) })).rejects.toBe(REASON);
    expect(sent).toEqual([]);
    expect(latchkey.stats()).toMatchObject({ runs: 0, running: 0, waiting: 0 });
  });

  for (const [place, bring] of Object.entries(PLACES)) {
    it(`case 44: aborted ${place}, it rejects with the reason and marks nothing`, async () => {
      const latchkey = createLatchkey();
      const controller = new AbortController();
      const { run, sent } = await bring(latchkey, { signal: controller.signal });
      const before = sent.length;
      const verdicts = latchkey.snapshot().verdicts;
      const ended = run.catch((error: unknown) => error);
      controller.abort(REASON);
      expect(await ended).toBe(REASON);
      await vi.advanceTimersByTimeAsync(200_000);
      expect(sent).toHaveLength(before);
      expect(latchkey.snapshot().verdicts).toEqual(verdicts);
      expect(latchkey.stats().waiting).toBe(0);
    });

    // A Retry-After past the deadline is not waited for: see run-transient.
    if (place === 'during a Retry-After') continue;
    it(`case 45: \`timeoutMs\` ends it ${place}`, async () => {
      const latchkey = createLatchkey();
      const { run, sent } = await bring(latchkey, { timeoutMs: 5_000 });
      const before = sent.length;
      const ended = run.catch((error: unknown) => error);
      await vi.advanceTimersByTimeAsync(4_900);
      expect(latchkey.stats().running).toBeGreaterThan(0);
      await vi.advanceTimersByTimeAsync(100);
      expect(await ended).toMatchObject({ name: 'LatchkeyError', code: 'TIMEOUT', scope: { session: 's' } });
      await vi.advanceTimersByTimeAsync(200_000);
      expect(sent).toHaveLength(before);
      expect(latchkey.stats().waiting).toBe(0);
    });
  }

  it('case 44: the signal is looked at before what the attempt throws: a 401 after an abort marks nothing', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    const controller = new AbortController();
    const run = latchkey.run(
      's',
      () => {
        controller.abort(REASON);
        throw statusError(401);
      },
      { signal: controller.signal },
    );
    await expect(run).rejects.toBe(REASON);
    await settled();
    expect(latchkey.canRun('s')).toBe(true);
    expect(latchkey.stats()).toMatchObject({ rejected: 0, accepted: 0, running: 0 });
  });

  it("case 44: the attempt's own signal aborts with the caller's reason", async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    const controller = new AbortController();
    const reasons: unknown[] = [];
    const run = latchkey.run(
      's',
      (_, { signal }) => new Promise((__, reject) => signal.addEventListener('abort', () => reject(reasons.push(signal.reason)))),
      { signal: controller.signal },
    );
    controller.abort(REASON);
    await expect(run).rejects.toBe(REASON);
    expect(reasons).toEqual([REASON]);
    await settled();
    expect(latchkey.stats().running).toBe(0);
  });

  it('an abort that is not the run’s own may be a time limit of the client: repeated where that is asked for, and it marks nothing', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    const own = new DOMException('aborted', 'AbortError');
    let calls = 0;
    const attempt = () => {
      calls++;
      return Promise.reject(own);
    };
    await expect(latchkey.run('s', attempt)).rejects.toBe(own);
    const run = latchkey.run('s', attempt, { transient: { retries: 2, minMs: 10 } }).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await run).toBe(own);
    expect(calls).toBe(4);
    expect(latchkey.canRun('s')).toBe(true);
  });

  it('one that the client says was asked for is not repeated', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    const own = Object.assign(new Error('canceled'), { code: 'ERR_CANCELED' });
    let calls = 0;
    const attempt = () => {
      calls++;
      return Promise.reject(own);
    };
    await expect(latchkey.run('s', attempt, { transient: { retries: 2 } })).rejects.toBe(own);
    expect(calls).toBe(1);
  });

  it('case 45: an attempt that ignores its signal is abandoned, its late failure swallowed, its verdict still counted', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    const gate: Deferred<string> = deferred();
    const run = latchkey.run('s', () => gate.promise, { timeoutMs: 100 }).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(100);
    expect(await run).toMatchObject({ code: 'TIMEOUT' });
    expect(latchkey.canRun('s')).toBe(true);
    gate.reject(statusError(401));
    await settled();
    expect(latchkey.canRun('s')).toBe(false);
    expect(latchkey.stats()).toMatchObject({ rejected: 1, incidents: 1, running: 0 });
  });

  it('case 45: a late success of one abandoned is counted too', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    const gate: Deferred<string> = deferred();
    const run = latchkey.run('s', () => gate.promise, { timeoutMs: 100 }).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(100);
    await run;
    gate.resolve('too late');
    await settled();
    expect(latchkey.stats()).toMatchObject({ accepted: 1, running: 0 });
  });

  it('case 45: a late failure of one aborted is swallowed, and not counted', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    const gate: Deferred<string> = deferred();
    const controller = new AbortController();
    const run = latchkey.run('s', () => gate.promise, { signal: controller.signal }).catch((error: unknown) => error);
    controller.abort(REASON);
    expect(await run).toBe(REASON);
    gate.reject(statusError(401));
    await settled();
    expect(latchkey.canRun('s')).toBe(true);
  });

  it('case 45: one time limit covers both calls and the pauses between', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    latchkey.capture('other', bearer('token-g'));
    let calls = 0;
    const run = latchkey
      .run(
        's',
        async () => {
          calls++;
          await new Promise((resolve) => setTimeout(resolve, 400));
          throw statusError(calls === 1 ? 401 : 503);
        },
        { timeoutMs: 1_000, transient: { retries: 9, minMs: 50, maxMs: 50 } },
      )
      .catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(999);
    expect(calls).toBe(3);
    await vi.advanceTimersByTimeAsync(1);
    expect(await run).toMatchObject({ code: 'TIMEOUT' });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(calls).toBe(3);
  });

  it('no attempt begins after an abort, however close to its turn that comes', async () => {
    for (let hops = 0; hops < 12; hops++) {
      const latchkey = createLatchkey();
      latchkey.capture('s', bearer('token-a'));
      const leader = deferred<string>();
      void latchkey.run('s', (_, { unused }) => leader.promise.then(unused));
      const controller = new AbortController();
      let begun = 0;
      const waiter = latchkey.run('s', () => ++begun, { signal: controller.signal }).catch((error: unknown) => error);
      const behind = latchkey.run('s', () => 'went');
      leader.resolve('done');
      for (let hop = 0; hop < hops; hop++) await null;
      const begunBeforeAbort = begun;
      controller.abort(REASON);
      await waiter;
      await expect(behind).resolves.toBe('went');
      expect(begun).toBe(begunBeforeAbort);
      await settled();
      expect(latchkey.stats()).toMatchObject({ waiting: 0, running: 0 });
    }
  });

  it('a run that has ended holds no listener on the signal and no timer', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    const timers = vi.getTimerCount();
    const { signal } = new AbortController();
    const add = vi.spyOn(signal, 'addEventListener');
    const remove = vi.spyOn(signal, 'removeEventListener');
    await latchkey.run('s', () => 1, { signal, timeoutMs: 5_000 });
    await latchkey.run('s', () => Promise.reject(statusError(401)), { signal, timeoutMs: 5_000 }).catch(() => {});
    expect(add).toHaveBeenCalledTimes(2);
    expect(remove).toHaveBeenCalledTimes(2);
    expect(vi.getTimerCount()).toBe(timers);
    expect(hearAll(latchkey)).toEqual([]);
  });
});
