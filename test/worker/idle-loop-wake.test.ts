import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createIdleLoop, createLatchkey } from '../../src/index.js';
import { watch } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';
import { type Deferred, deferred } from '../support/deferred.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

function make(items: () => Iterable<string>, { wakeOnFreshAuth = true, concurrency = 4, everyMs = 60_000 } = {}) {
  const latchkey = createLatchkey({ fallback: 'none', canary: 'off' });
  const started: string[] = [];
  const out: Deferred<void>[] = [];
  const signals: AbortSignal[] = [];
  const loop = createIdleLoop<string>(latchkey, {
    everyMs,
    wakeOnFreshAuth,
    concurrency,
    items,
    scope: (item) => item,
    task: async (item, { signal }) => {
      started.push(item);
      signals.push(signal);
      const done = deferred();
      out.push(done);
      await done.promise;
    },
  });
  const finish = async () => {
    for (const done of out) done.resolve();
    await settled();
  };
  return { latchkey, loop, started, finish, out, signals };
}

describe('idle loop: fresh auth', () => {
  it('case 52: resumes at once, and then only what was skipped as blocked', async () => {
    const { latchkey, loop, started, finish } = make(() => ['a', 'b', 'c']);
    latchkey.capture('a', bearer('token-a'));
    loop.start();
    await vi.advanceTimersByTimeAsync(60_000);
    await finish();
    expect(started).toEqual(['a']);
    latchkey.capture('b', bearer('token-b'));
    await vi.advanceTimersByTimeAsync(0);
    expect(started).toEqual(['a', 'b']);
    await finish();
    // Done since: the next capture is no reason to do it again.
    latchkey.capture('b', bearer('token-b2'));
    latchkey.capture('a', bearer('token-a2'));
    await vi.advanceTimersByTimeAsync(0);
    expect(started).toEqual(['a', 'b']);
    await loop.stop();
  });

  it('case 52: and only what is due now: an item that is gone from the list stays away', async () => {
    let items = ['a', 'b'];
    const { latchkey, loop, started, finish } = make(() => items);
    loop.start();
    await vi.advanceTimersByTimeAsync(60_000);
    items = ['b'];
    latchkey.capture('a', bearer('token-a'));
    latchkey.capture('b', bearer('token-b'));
    await vi.advanceTimersByTimeAsync(0);
    expect(started).toEqual(['b']);
    await finish();
    await loop.stop();
  });

  it('case 52: proof and forgiveness are fresh auth too', async () => {
    for (const revive of ['proof', 'forgive'] as const) {
      const { latchkey, loop, started, finish } = make(() => ['a']);
      latchkey.capture('a', bearer('token-a')).settle(401);
      loop.start();
      await vi.advanceTimersByTimeAsync(60_000);
      expect(started).toEqual([]);
      if (revive === 'proof') latchkey.capture('a', bearer('token-a')).settle(200);
      else latchkey.forgive('a');
      await vi.advanceTimersByTimeAsync(0);
      expect(started).toEqual(['a']);
      await finish();
      await loop.stop();
    }
  });

  it('case 52: without `wakeOnFreshAuth` it waits for the next tick', async () => {
    const { latchkey, loop, started, finish } = make(() => ['a'], { wakeOnFreshAuth: false });
    loop.start();
    await vi.advanceTimersByTimeAsync(60_000);
    latchkey.capture('a', bearer('token-a'));
    await vi.advanceTimersByTimeAsync(59_999);
    expect(started).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(started).toEqual(['a']);
    await finish();
    await loop.stop();
  });

  it('wakes nothing once it is stopped, and again once it is started again', async () => {
    const { latchkey, loop, started, finish } = make(() => ['a', 'b']);
    loop.start();
    await vi.advanceTimersByTimeAsync(60_000);
    latchkey.capture('a', bearer('token-a'));
    await loop.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(started).toEqual([]);
    loop.start();
    await vi.advanceTimersByTimeAsync(60_000);
    await finish();
    expect(started).toEqual(['a']);
    latchkey.capture('b', bearer('token-b'));
    await vi.advanceTimersByTimeAsync(0);
    expect(started).toEqual(['a', 'b']);
    await finish();
    await loop.stop();
  });

  it('a wake and a tick together keep to `concurrency`', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const { latchkey, loop, started, finish } = make(() => names, { concurrency: 2 });
    loop.start();
    await vi.advanceTimersByTimeAsync(60_000);
    for (const name of names) latchkey.capture(name, bearer(`token-${name}`));
    await vi.advanceTimersByTimeAsync(0);
    const tick = loop.tick();
    await settled();
    expect(started).toHaveLength(2);
    for (let round = 0; round < 8; round++) {
      const before = started.length;
      await finish();
      expect(started.length - before).toBeLessThanOrEqual(2);
    }
    await tick;
    expect(new Set(started)).toEqual(new Set(names));
    await loop.stop();
  });
});

describe('idle loop: stop', () => {
  it('case 54: waits for what runs, and starts nothing more', async () => {
    const { latchkey, loop, started, finish } = make(() => ['a', 'b', 'c'], { concurrency: 1 });
    for (const name of ['a', 'b', 'c']) latchkey.capture(name, bearer(`token-${name}`));
    const tick = watch(loop.tick());
    const stopped = watch(loop.stop());
    await vi.advanceTimersByTimeAsync(1_000);
    expect([started, stopped.state]).toEqual([['a'], 'pending']);
    await finish();
    expect(stopped.state).toBe('resolved');
    expect(started).toEqual(['a']);
    expect(tick.value).toEqual({ done: 1, failed: 0, blocked: 0, busy: 0 });
  });

  it('case 54: bounded: tasks that hang are aborted after `timeoutMs`', async () => {
    const { latchkey, loop, started, signals } = make(() => ['a']);
    latchkey.capture('a', bearer('token-a'));
    void loop.tick();
    expect(started).toEqual(['a']);
    const stopped = watch(loop.stop());
    await vi.advanceTimersByTimeAsync(4_999);
    expect([stopped.state, signals[0]?.aborted]).toEqual(['pending', false]);
    await vi.advanceTimersByTimeAsync(1);
    expect([stopped.state, signals[0]?.aborted]).toEqual(['resolved', true]);
    expect(signals[0]?.reason).toMatchObject({ name: 'AbortError' });
  });

  it('case 54: the abort reaches the runs of the task', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('a', bearer('token-a'));
    const errors: unknown[] = [];
    const loop = createIdleLoop(latchkey, {
      everyMs: 1_000,
      items: () => ['a'],
      scope: (item) => item,
      task: (_, { run }) => run(() => new Promise(() => {})),
      onError: (error) => errors.push(error),
    });
    const tick = watch(loop.tick());
    const stopped = loop.stop({ timeoutMs: 0 });
    await vi.advanceTimersByTimeAsync(0);
    await stopped;
    await settled();
    expect(tick.value).toMatchObject({ failed: 1 });
    expect(errors).toEqual([expect.objectContaining({ name: 'AbortError' })]);
  });

  it('stopped before it began, or twice, it is fine; a tick afterwards does nothing', async () => {
    const { latchkey, loop, started } = make(() => ['a']);
    latchkey.capture('a', bearer('token-a'));
    await loop.stop();
    await loop.stop();
    await expect(loop.tick()).resolves.toEqual({ done: 0, failed: 0, blocked: 0, busy: 0 });
    expect(started).toEqual([]);
  });
});
