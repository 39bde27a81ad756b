import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { apiKey, bearer, createIdleLoop, createLatchkey, type Latchkey, type LatchkeyOptions, type RunContext } from '../../src/index.js';
import { statusError, watch } from '../support/attempts.js';
import { freezeTime, START, settled } from '../support/clock.js';
import { deferred } from '../support/deferred.js';
import { recordingReporter } from '../support/reporter.js';

const MINUTE = 60_000;
const KEY = apiKey('static-key');

let latchkey: Latchkey;
/** What the upstream answers now. */
let status: number;
/** When it was called, in minutes. */
let calls: number[];
beforeEach(() => {
  freezeTime();
  status = 401;
  calls = [];
});
afterEach(async () => {
  vi.useRealTimers();
  await latchkey.close({ timeoutMs: 0 });
});

function make(options: LatchkeyOptions = {}): Latchkey {
  latchkey = createLatchkey(options);
  return latchkey;
}

const call = (): Response => {
  calls.push(Math.floor((Date.now() - START) / MINUTE));
  return new Response(null, { status });
};

/** Rejected, and due to be put to the test. */
async function due(session = 'S'): Promise<void> {
  latchkey.capture(session, KEY);
  await latchkey.run(session, call).catch(() => {});
  vi.setSystemTime(START + 20 * MINUTE);
  calls = [];
}

describe('an upstream that answers 401 for ten minutes, to a static API key, while no client is there', () => {
  const outage = async (minutes: number): Promise<void> => {
    await vi.advanceTimersByTimeAsync(minutes * MINUTE);
    status = 200;
  };

  it('the idle loop goes on by itself: one call met the outage, and one ended it', async () => {
    const reporter = recordingReporter();
    make({ reporter });
    for (let i = 0; i < 50; i++) latchkey.capture(`S${i}`, KEY);
    const done = new Set<string>();
    const loop = createIdleLoop(latchkey, {
      everyMs: 30_000,
      items: () => Array.from({ length: 50 }, (_, i) => `S${i}`),
      scope: (item) => item,
      task: async (item, { run }) => {
        if ((await run(call))?.status === 200) done.add(item);
      },
    });
    loop.start();
    await outage(10);
    expect(calls).toEqual([0]);
    await vi.advanceTimersByTimeAsync(8 * MINUTE);
    expect(done.size).toBe(50);
    // All the others came when it was over.
    expect(calls.filter((minute) => minute < 15)).toEqual([0]);
    expect(latchkey.stats()).toMatchObject({ rejected: 1, probes: 1, openIncidents: 0 });
    await loop.stop();
    expect([reporter.openings.length, reporter.endings.length]).toEqual([1, 1]);
  });

  const P = { provider: 'P' };
  const SP = { session: 'S', provider: 'P' };
  it.each<[string, typeof P, (gateway: Latchkey) => unknown]>([
    ['of a session', SP, (gateway) => gateway.capture(SP, KEY)],
    ["of the gateway's own", SP, (gateway) => gateway.pin(P, bearer('pinned'))],
    ['of work without a session', P, (gateway) => gateway.capture(P, bearer('left-behind'))],
  ])('what waits goes on by itself, with a key %s', async (_, scope, set) => {
    set(make());
    await latchkey.run(scope, call).catch(() => {});
    const parked = watch(latchkey.run(scope, call, { whenBlocked: 'park', parkMs: 60 * MINUTE }));
    const runnable = watch(latchkey.whenRunnable(scope, { timeoutMs: 60 * MINUTE }));
    await outage(10);
    expect([parked.state, runnable.state]).toEqual(['pending', 'pending']);
    await vi.advanceTimersByTimeAsync(7 * MINUTE);
    expect([parked.state, runnable.state]).toEqual(['resolved', 'resolved']);
    expect(calls).toHaveLength(2);
  });

  it('a day of it costs 7 calls, whatever waits for its end', async () => {
    make();
    latchkey.capture('S', KEY);
    for (let i = 0; i < 100; i++) latchkey.run('S', call, { whenBlocked: 'park', parkMs: 48 * 60 * MINUTE }).catch(() => {});
    await outage(24 * 60 - 1);
    // The one that went first, and the probes: after 15 minutes, then 30, 60, 120, 240, 360 and 360 later, and a share of a tenth.
    expect(calls.length).toBeLessThanOrEqual(8);
    expect(calls.length).toBeGreaterThanOrEqual(7);
    expect(latchkey.stats().probes).toBe(calls.length - 1);
  });
});

describe('a probe that is due', () => {
  it('is taken by one of 100 runs; the others are blocked until it is back, and then all go', async () => {
    make();
    await due();
    const answer = deferred<Response>();
    let out = 0;
    const runs = Array.from({ length: 100 }, () =>
      watch(
        latchkey.run('S', (lease) => {
          out++;
          return lease.probe ? answer.promise : new Response(null, { status: 200 });
        }),
      ),
    );
    await settled();
    expect(out).toBe(1);
    expect(latchkey.canRun('S')).toBe(false);
    expect(latchkey.resolve('S')).toMatchObject({ ok: false, reason: 'rejected', until: Date.now() + MINUTE });
    expect(runs.filter(({ state }) => state === 'rejected')).toHaveLength(99);
    expect(runs.at(-1)?.reason).toMatchObject({ code: 'CREDENTIAL_REJECTED', message: 'the credential is rejected, nothing was sent' });
    answer.resolve(new Response(null, { status: 200 }));
    await settled();
    expect(runs[0]?.state).toBe('resolved');
    await latchkey.run('S', () => 1);
    expect(latchkey.stats()).toMatchObject({ probes: 1 });
  });

  it('100 parked runs make one, and wait on if it fails', async () => {
    make();
    await due();
    const runs = Array.from({ length: 100 }, () => watch(latchkey.run('S', call, { whenBlocked: 'park', parkMs: 600 * MINUTE })));
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(calls).toEqual([20]);
    expect(runs.filter(({ state }) => state === 'pending')).toHaveLength(100);
    status = 200;
    await vi.advanceTimersByTimeAsync(40 * MINUTE);
    expect(runs.filter(({ state }) => state === 'resolved')).toHaveLength(100);
  });

  it.each<[string, number, (context: RunContext, controller: AbortController) => unknown]>([
    ['that was not made', 0, ({ unused }) => unused()],
    ['whose run was called off', 0, (_, controller) => controller.abort(new Error('called off'))],
    ['whose attempt crashed', MINUTE, () => Promise.reject(new Error('a bug'))],
    ['that failed for reasons that pass', MINUTE, () => Promise.reject(statusError(503))],
    ['that was not about the credential', MINUTE, () => Promise.reject(statusError(404))],
  ])('%s may be made again after %i ms', async (_, ms, end) => {
    make();
    await due();
    const controller = new AbortController();
    await latchkey.run('S', async (_lease, context) => end(context, controller), { signal: controller.signal }).catch(() => {});
    await settled();
    expect(latchkey.canRun('S')).toBe(ms === 0);
    vi.setSystemTime(Date.now() + Math.max(0, ms - 1));
    expect(latchkey.canRun('S')).toBe(ms === 0);
    vi.setSystemTime(Date.now() + 1);
    expect(latchkey.canRun('S')).toBe(true);
    status = 200;
    await latchkey.run('S', call);
    expect(calls).toHaveLength(1);
  });

  it('whose answer never comes holds nothing up for longer than a minute', async () => {
    make();
    await due();
    const stuck = latchkey.run('S', () => new Promise(() => {}), { timeoutMs: 1_000 });
    stuck.catch(() => {});
    await settled();
    const parked = watch(latchkey.run('S', call, { whenBlocked: 'park' }));
    await vi.advanceTimersByTimeAsync(MINUTE - 1);
    expect(parked.state).toBe('pending');
    status = 200;
    await vi.advanceTimersByTimeAsync(20);
    expect(parked.state).toBe('resolved');
    await expect(stuck).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  it('is one call, also of a run that would repeat it', async () => {
    make();
    await due();
    await expect(latchkey.run('S', call, { transient: { retries: 3 } })).rejects.toMatchObject({
      code: 'CREDENTIAL_REJECTED',
      status: 401,
    });
    expect(calls).toEqual([20]);
  });

  it('is made by an urgent run as by any other, and whatever the canary mode', async () => {
    for (const canary of ['off', 'doubtful'] as const) {
      await latchkey?.close({ timeoutMs: 0 });
      vi.setSystemTime(START);
      make({ canary });
      await due();
      const runs = Array.from({ length: 10 }, () => latchkey.run('S', call, { urgent: true }).catch(() => {}));
      await Promise.all(runs);
      expect(calls).toEqual([20]);
    }
  });

  it('is not for a run that has met the rejection: that stays parked until another has made it', async () => {
    make({ probe: { afterMs: 1_000 } });
    latchkey.capture('S', KEY);
    const run = watch(latchkey.run('S', call, { whenBlocked: 'park', parkMs: 10 * MINUTE }));
    await vi.advanceTimersByTimeAsync(2_000);
    expect(run.state).toBe('pending');
    expect(calls).toHaveLength(1);
    status = 200;
    await latchkey.run('S', call);
    await vi.advanceTimersByTimeAsync(100);
    expect(run.state).toBe('resolved');
    expect(calls).toHaveLength(3);
  });

  it('fails, and the run that stays parked has its time', async () => {
    make({ probe: { afterMs: 1_000 } });
    latchkey.capture('S', KEY);
    const run = watch(latchkey.run('S', call, { whenBlocked: 'park', parkMs: 10_000 }));
    await vi.advanceTimersByTimeAsync(2_000);
    await latchkey.run('S', call).catch(() => {});
    await vi.advanceTimersByTimeAsync(7_000);
    expect(run.state).toBe('pending');
    await vi.advanceTimersByTimeAsync(1_100);
    expect(run).toMatchObject({ state: 'rejected', reason: { code: 'PARK_TIMEOUT' } });
    expect(calls).toHaveLength(2);
  });
});

it('of several leases that one due probe was handed out as, the pause is lengthened once', async () => {
  make();
  latchkey.capture('S', KEY).settle(401);
  await vi.advanceTimersByTimeAsync(17 * MINUTE);
  const leases = Array.from({ length: 5 }, () => latchkey.resolve('S'));
  for (const resolved of leases) if (resolved.ok) resolved.lease.settle(401);
  const [candidate] = latchkey.explain('S').candidates;
  // Half an hour, and a tenth of that at the most.
  expect(((candidate?.until ?? 0) - Date.now()) / MINUTE).toBeGreaterThanOrEqual(30);
  expect(((candidate?.until ?? 0) - Date.now()) / MINUTE).toBeLessThanOrEqual(33);
});
