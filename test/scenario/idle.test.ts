import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createIdleLoop, createLatchkey, type Lease } from '../../src/index.js';
import { statusError } from '../support/attempts.js';
import { freezeTime } from '../support/clock.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const EVERY_MS = 30_000;

function house({ wakeOnFreshAuth = false } = {}) {
  const latchkey = createLatchkey({ fallback: 'none' });
  const alive = new Set(['token-a', 'token-b']);
  const calls: string[] = [];
  const prepared: string[] = [];
  const provider = async (lease: Lease) => {
    const value = lease.credential.reveal();
    calls.push(value);
    if (!alive.has(value)) throw statusError(401);
    return 'done';
  };
  const loopFor = (purpose: string) =>
    createIdleLoop(latchkey, {
      everyMs: EVERY_MS,
      wakeOnFreshAuth,
      items: () => ['a', 'b'],
      scope: (session) => ({ session, purpose }),
      task: async (session, { run }) => {
        prepared.push(`${purpose} ${session}`);
        await run(provider);
      },
    });
  latchkey.capture('a', bearer('token-a'));
  latchkey.capture('b', bearer('token-b'));
  return { latchkey, alive, calls, prepared, loopFor };
}

describe('idle sessions', () => {
  it('case 52: ten ticks of a blocked session make no request; a fresh credential resumes it at the next', async () => {
    const { latchkey, alive, calls, prepared, loopFor } = house();
    const loop = loopFor('distil');
    loop.start();
    await vi.advanceTimersByTimeAsync(EVERY_MS);
    alive.delete('token-a');
    await vi.advanceTimersByTimeAsync(EVERY_MS);
    calls.length = prepared.length = 0;
    await vi.advanceTimersByTimeAsync(10 * EVERY_MS);
    expect(calls).toEqual(Array(10).fill('token-b'));
    expect(prepared).toEqual(Array(10).fill('distil b'));
    alive.add('token-a2');
    latchkey.capture('a', bearer('token-a2'));
    calls.length = 0;
    await vi.advanceTimersByTimeAsync(EVERY_MS - 1);
    expect(calls).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(calls.sort()).toEqual(['token-a2', 'token-b']);
    await loop.stop();
  });

  it('case 52: or at once with `wakeOnFreshAuth`, and only what was skipped', async () => {
    const { latchkey, alive, calls, loopFor } = house({ wakeOnFreshAuth: true });
    const loop = loopFor('distil');
    loop.start();
    alive.delete('token-a');
    await vi.advanceTimersByTimeAsync(2 * EVERY_MS);
    calls.length = 0;
    alive.add('token-a2');
    latchkey.capture('a', bearer('token-a2'));
    await vi.advanceTimersByTimeAsync(0);
    expect(calls).toEqual(['token-a2']);
    await loop.stop();
  });

  it('case 53: all kinds of work of a session see the same state; nothing needs re-enabling one by one', async () => {
    const { latchkey, alive, calls, loopFor } = house();
    const loops = ['warm-up', 'distillation', 'batch'].map(loopFor);
    alive.delete('token-a');
    const [first, second, third] = [await loops[0]?.tick(), await loops[1]?.tick(), await loops[2]?.tick()];
    expect(first).toEqual({ done: 2, failed: 0, blocked: 0, busy: 0 });
    expect([second, third]).toEqual(Array(2).fill({ done: 1, failed: 0, blocked: 1, busy: 0 }));
    expect(calls.filter((value) => value === 'token-a')).toHaveLength(1);
    alive.add('token-a2');
    latchkey.capture('a', bearer('token-a2'));
    for (const loop of loops) expect(await loop.tick()).toEqual({ done: 2, failed: 0, blocked: 0, busy: 0 });
    for (const purpose of ['warm-up', 'distillation', 'batch']) expect(latchkey.canRun({ session: 'a', purpose })).toBe(true);
  });

  it('case 55: a long chain of steps stops between two of them', async () => {
    const { latchkey, alive, calls } = house();
    const steps: number[] = [];
    await latchkey.run('a', async (lease) => {
      for (let step = 0; step < 5 && lease.usable(); step++) {
        steps.push(step);
        if (step === 1) {
          alive.delete('token-a');
          latchkey.capture('a', bearer('token-a')).settle(401);
        }
      }
      return 'as far as it came';
    });
    expect(steps).toEqual([0, 1]);
    expect(calls).toEqual([]);
  });
});
