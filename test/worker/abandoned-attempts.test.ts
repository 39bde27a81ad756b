import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { watch } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';
import { deferred } from '../support/deferred.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

function ready(): Latchkey {
  const latchkey = createLatchkey({ canary: 'off' });
  latchkey.capture('s', bearer('token-a'));
  return latchkey;
}

describe('attempts that never settle', () => {
  it('are not counted as running once their time is up', async () => {
    const latchkey = ready();
    const runs = Array.from({ length: 100 }, () => watch(latchkey.run('s', () => new Promise(() => {}), { timeoutMs: 1_000 })));
    await vi.advanceTimersByTimeAsync(999);
    expect(latchkey.stats().running).toBe(100);
    await vi.advanceTimersByTimeAsync(1);
    expect(runs.every(({ reason }) => (reason as { code?: string }).code === 'TIMEOUT')).toBe(true);
    expect(latchkey.stats().running).toBe(0);
    expect(vi.getTimerCount()).toBe(1);
    await latchkey.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('are not counted as running once their caller has gone, and its signal is let go', async () => {
    const latchkey = ready();
    const caller = new AbortController();
    const letGo = vi.spyOn(caller.signal, 'removeEventListener');
    const run = watch(latchkey.run('s', () => new Promise(() => {}), { signal: caller.signal, timeoutMs: 60_000 }));
    caller.abort(new Error('gone'));
    await settled();
    expect(run.state).toBe('rejected');
    expect(latchkey.stats().running).toBe(0);
    expect(letGo).toHaveBeenCalledTimes(1);
  });

  it('close does not wait for them', async () => {
    const latchkey = ready();
    void watch(latchkey.run('s', () => new Promise(() => {}), { timeoutMs: 1_000 }));
    await vi.advanceTimersByTimeAsync(1_000);
    const closing = watch(latchkey.close({ timeoutMs: 5_000 }));
    await settled();
    expect(closing.state).toBe('resolved');
  });

  it('one that settles after all changes no count, and close waits for those that are wanted still', async () => {
    const latchkey = ready();
    const [late, wanted] = [deferred<string>(), deferred<string>()];
    void watch(latchkey.run('s', () => late.promise, { timeoutMs: 1_000 }));
    const run = watch(latchkey.run('s', () => wanted.promise));
    await vi.advanceTimersByTimeAsync(1_000);
    const closing = watch(latchkey.close({ timeoutMs: 5_000 }));
    late.resolve('late');
    await settled();
    expect([closing.state, latchkey.stats().running]).toEqual(['pending', 1]);
    wanted.resolve('ok');
    await settled();
    expect([closing.state, run.value, latchkey.stats().running]).toEqual(['resolved', 'ok', 0]);
  });
});
