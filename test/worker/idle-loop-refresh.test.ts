import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, type Credential, createLatchkey } from '../../src/index.js';
import { createIdleLoop } from '../../src/worker/idle-loop.js';
import { freezeTime, settled } from '../support/clock.js';
import { type Deferred, deferred } from '../support/deferred.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const EVERY_MS = 5_000;

function make(sessions: readonly string[], { wakeOnFreshAuth = false } = {}) {
  const tries: Deferred<Credential | undefined>[] = [];
  const latchkey = createLatchkey({
    fallback: 'none',
    canary: 'off',
    refresh: () => {
      const one = deferred<Credential | undefined>();
      tries.push(one);
      return one.promise;
    },
  });
  for (const session of sessions) latchkey.capture(session, bearer(`dead-${session}`)).settle(401);
  const sent: string[] = [];
  const loop = createIdleLoop<string>(latchkey, {
    everyMs: EVERY_MS,
    wakeOnFreshAuth,
    items: () => sessions,
    scope: (item) => item,
    task: (_, { run }) => run(async ({ credential }) => void sent.push(credential.reveal())),
  });
  loop.start();
  const tick = () => vi.advanceTimersByTimeAsync(EVERY_MS);
  const end = async (): Promise<void> => {
    await loop.stop();
    await latchkey.close();
  };
  return { latchkey, loop, tries, sent, tick, end };
}

describe('idle loop: a session whose credential can be refreshed', () => {
  it('has it refreshed when its block is met, and starts as soon as there is another', async () => {
    const { tries, sent, tick, end } = make(['a', 'b']);
    await tick();
    expect([tries.length, sent]).toEqual([2, []]);
    tries[0]?.resolve(bearer('fresh-a'));
    await vi.advanceTimersByTimeAsync(0);
    // Not at the next tick, and the other not at all.
    expect(sent).toEqual(['fresh-a']);
    await tick();
    expect(sent).toEqual(['fresh-a', 'fresh-a']);
    tries[1]?.resolve(bearer('fresh-b'));
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toEqual(['fresh-a', 'fresh-a', 'fresh-b']);
    await end();
  });

  it('is met once at a time, however many ticks there are while a try is out', async () => {
    const { latchkey, tries, tick, end } = make(['a']);
    for (let count = 0; count < 5; count++) await tick();
    expect([tries.length, latchkey.stats().waiting, latchkey.stats().runs]).toEqual([1, 1, 1]);
    tries[0]?.resolve(undefined);
    await settled();
    expect(latchkey.stats()).toMatchObject({ waiting: 0, skipped: 1 });
    await tick();
    await tick();
    // Nothing better is to be had for a while: it is skipped again at each tick, and nobody waits.
    expect(latchkey.stats()).toMatchObject({ waiting: 0, skipped: 3, refreshes: 1 });
    await end();
  });

  it('costs neither a call nor a wait between two tries, and starts with what a later one brings', async () => {
    const { latchkey, tries, sent, tick, end } = make(['a'], { wakeOnFreshAuth: true });
    await tick();
    tries[0]?.reject({ status: 503 });
    await settled();
    expect(latchkey.status('a').state).toBe('refreshing');
    await tick();
    expect([sent, latchkey.stats().waiting]).toEqual([[], 0]);
    await tick();
    expect(tries).toHaveLength(2);
    tries[1]?.resolve(bearer('fresh'));
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toEqual(['fresh']);
    await end();
  });

  it('wakes once for a refresh that helps, though it is heard of in two ways', async () => {
    const { tries, sent, tick, end } = make(['a'], { wakeOnFreshAuth: true });
    await tick();
    tries[0]?.resolve(bearer('fresh'));
    await vi.advanceTimersByTimeAsync(1);
    expect(sent).toEqual(['fresh']);
    await end();
  });

  it('starts nothing once it has stopped, and leaves nobody waiting', async () => {
    const { latchkey, loop, tries, sent, tick, end } = make(['a'], { wakeOnFreshAuth: true });
    await tick();
    expect(latchkey.stats().waiting).toBe(1);
    await loop.stop();
    await settled();
    expect(latchkey.stats().waiting).toBe(0);
    tries[0]?.resolve(bearer('fresh'));
    await tick();
    expect(sent).toEqual([]);
    await end();
  });
});
