import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type LatchkeyOptions } from '../../src/index.js';
import { watch } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';
import { recordingReporter } from '../support/reporter.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

describe('whenRunnable', () => {
  it('resolves at once for a scope that can work, and takes no seat', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    await expect(latchkey.whenRunnable('s')).resolves.toBeUndefined();
    expect(latchkey.stats()).toMatchObject({ running: 0, waiting: 0, runs: 0 });
  });

  it('resolves on fresh auth, and opens no incident: it is no work', async () => {
    const reporter = recordingReporter();
    const latchkey = createLatchkey({ reporter });
    latchkey.capture('s', bearer('token-a')).settle(401);
    const waiting = watch(latchkey.whenRunnable('s'));
    await settled();
    expect(waiting.state).toBe('pending');
    expect(latchkey.stats()).toMatchObject({ waiting: 1 });
    latchkey.capture('s', bearer('token-b'));
    await settled();
    expect(waiting.state).toBe('resolved');
    expect(latchkey.stats()).toMatchObject({ waiting: 0, running: 0, incidents: 0 });
    expect(reporter.openings).toEqual([]);
  });

  it('resolves when a hold ends', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a')).settle({ holdMs: 5_000 });
    const waiting = watch(latchkey.whenRunnable('s'));
    await vi.advanceTimersByTimeAsync(5_001);
    expect(waiting.state).toBe('resolved');
  });

  it('rejects with PARK_TIMEOUT after `timeoutMs`, by default after five minutes', async () => {
    const latchkey = createLatchkey();
    const short = watch(latchkey.whenRunnable('s', { timeoutMs: 50 }));
    const long = watch(latchkey.whenRunnable('s'));
    await vi.advanceTimersByTimeAsync(50);
    expect(short.reason).toMatchObject({ code: 'PARK_TIMEOUT', scope: { session: 's' } });
    await vi.advanceTimersByTimeAsync(299_949);
    expect(long.state).toBe('pending');
    await vi.advanceTimersByTimeAsync(1);
    expect(long.reason).toMatchObject({ code: 'PARK_TIMEOUT' });
    expect(latchkey.stats()).toMatchObject({ waiting: 0, running: 0 });
  });

  it("one waiter's abort or deadline does not touch another", async () => {
    const latchkey = createLatchkey();
    const controller = new AbortController();
    const reason = new Error('gone');
    const aborted = watch(latchkey.whenRunnable('s', { signal: controller.signal }));
    const late = watch(latchkey.whenRunnable('s', { timeoutMs: 10 }));
    const other = watch(latchkey.whenRunnable('s'));
    controller.abort(reason);
    await vi.advanceTimersByTimeAsync(10);
    expect(aborted.reason).toBe(reason);
    expect(late.reason).toMatchObject({ code: 'PARK_TIMEOUT' });
    expect(other.state).toBe('pending');
    expect(latchkey.stats().waiting).toBe(1);
    latchkey.capture('s', bearer('token-a'));
    await settled();
    expect(other.state).toBe('resolved');
  });

  it('rejects for a bad scope or option, as a promise', async () => {
    const latchkey = createLatchkey();
    await expect(latchkey.whenRunnable({ session: '' })).rejects.toThrow(TypeError);
    await expect(latchkey.whenRunnable('s', { timeoutMs: -1 })).rejects.toThrow(TypeError);
    await expect(latchkey.whenRunnable('s', { signal: 1 as never })).rejects.toThrow(TypeError);
  });
});

it.each<[string, LatchkeyOptions]>([
  ['while a refresh is out', { refresh: () => new Promise(() => {}) }],
  ['without refresh', {}],
])(
  'whenRunnable resolves at once where a listener to `status` brings the credential that it is about to wait for, %s',
  async (_, options) => {
    const latchkey = createLatchkey(options);
    latchkey.capture('s', bearer('old')).settle(401);
    latchkey.on('status', () => void latchkey.capture('s', bearer('fresh')));
    const runnable = watch(latchkey.whenRunnable('s', { timeoutMs: 60_000 }));
    await vi.advanceTimersByTimeAsync(1);
    expect([latchkey.canRun('s'), runnable.state]).toEqual([true, 'resolved']);
  },
);

it('whenRunnable is called off by a listener to `status` that aborts its signal', async () => {
  const latchkey = createLatchkey();
  const aborter = new AbortController();
  latchkey.capture('s', bearer('old')).settle(401);
  latchkey.on('status', () => aborter.abort(new Error('enough')));
  const runnable = watch(latchkey.whenRunnable('s', { timeoutMs: 60_000, signal: aborter.signal }));
  await vi.advanceTimersByTimeAsync(1);
  expect(runnable).toMatchObject({ state: 'rejected', reason: { message: 'enough' } });
});
