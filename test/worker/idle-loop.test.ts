import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createIdleLoop, createLatchkey, type IdleLoopOptions, type Latchkey } from '../../src/index.js';
import { throwing, watch } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';
import { type Deferred, deferred } from '../support/deferred.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

function loopOver(latchkey: Latchkey, items: string[], options: Partial<IdleLoopOptions<string>> = {}) {
  const started: string[] = [];
  const out = new Map<string, Deferred<void>>();
  const loop = createIdleLoop<string>(latchkey, {
    everyMs: 1_000,
    items: () => items,
    scope: (item) => item,
    task: async (item) => {
      started.push(item);
      const done = deferred();
      out.set(item, done);
      await done.promise;
    },
    ...options,
  });
  return { loop, started, out };
}

function sessions(...names: string[]): Latchkey {
  const latchkey = createLatchkey({ fallback: 'none', canary: 'off' });
  for (const name of names) latchkey.capture(name, bearer(`token-${name}`));
  return latchkey;
}

describe('idle loop: ticks', () => {
  it('case 51: the skip check comes before any preparation', async () => {
    const latchkey = sessions('a');
    latchkey.capture('b', bearer('token-b')).settle(401);
    const prepared: string[] = [];
    const { loop } = loopOver(latchkey, ['a', 'b', 'c'], { task: async (item) => void prepared.push(item) });
    await expect(loop.tick()).resolves.toEqual({ done: 1, failed: 0, blocked: 2, busy: 0 });
    expect(prepared).toEqual(['a']);
  });

  it('case 51: asking has no side effect', () => {
    const latchkey = sessions('a');
    latchkey.capture('b', bearer('token-b')).settle(401);
    const before = [latchkey.stats(), latchkey.snapshot()];
    for (const session of ['a', 'b', 'c']) {
      latchkey.canRun(session);
      latchkey.explain(session);
    }
    expect([latchkey.stats(), latchkey.snapshot()]).toEqual(before);
  });

  it('case 54: ticks never overlap for one key', async () => {
    const latchkey = sessions('a', 'b');
    const { loop, started, out } = loopOver(latchkey, ['a', 'b']);
    const first = loop.tick();
    expect(loop.busy('a')).toBe(true);
    out.get('b')?.resolve();
    await settled();
    const second = loop.tick();
    expect(started).toEqual(['a', 'b', 'b']);
    out.get('a')?.resolve();
    out.get('b')?.resolve();
    await expect(first).resolves.toEqual({ done: 2, failed: 0, blocked: 0, busy: 0 });
    await expect(second).resolves.toEqual({ done: 1, failed: 0, blocked: 0, busy: 1 });
    expect(loop.busy('a')).toBe(false);
  });

  it('case 54: one key however a scope is written, another for another purpose', async () => {
    const latchkey = sessions('a');
    const out = deferred();
    const scopes = ['a', { session: 'a' }, { session: 'a', purpose: 'warm' }, { purpose: 'warm', session: 'a', tenant: undefined }];
    const loop = createIdleLoop(latchkey, { everyMs: 1, items: () => scopes, scope: (item) => item, task: () => out.promise });
    const tick = loop.tick();
    expect(loop.busy('a')).toBe(true);
    out.resolve();
    await expect(tick).resolves.toEqual({ done: 2, failed: 0, blocked: 0, busy: 2 });
  });

  it('case 54: a key of the user decides what may not run twice', async () => {
    const latchkey = sessions('a', 'b');
    const { loop, started, out } = loopOver(latchkey, ['a', 'b'], { key: () => 'one' });
    const tick = loop.tick();
    expect(started).toEqual(['a']);
    expect(loop.busy('one')).toBe(true);
    out.get('a')?.resolve();
    await expect(tick).resolves.toMatchObject({ done: 1, busy: 1 });
  });

  it('case 54: a throwing task does not stop the loop, and is told', async () => {
    const latchkey = sessions('a', 'b');
    const heard: unknown[] = [];
    const own = new Error('own');
    const { loop } = loopOver(latchkey, ['a', 'b'], {
      task: (item) => {
        if (item === 'a') throw own;
        return Promise.resolve();
      },
      onError: (error, item) => {
        heard.push([error, item]);
        throw new Error('who hears it throws too');
      },
    });
    await expect(loop.tick()).resolves.toEqual({ done: 1, failed: 1, blocked: 0, busy: 0 });
    loop.start();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(heard).toEqual([
      [own, 'a'],
      [own, 'a'],
      [own, 'a'],
    ]);
    await loop.stop();
  });

  it('case 54: scope(), key() and items() that throw end neither the tick nor the loop', async () => {
    const latchkey = sessions('a', 'b');
    const heard: unknown[] = [];
    const { loop, started } = loopOver(latchkey, ['a', 'b'], {
      scope: (item) => {
        if (item === 'a') throw new Error('no scope');
        return item;
      },
      task: async (item) => void started.push(item),
      onError: (error, item) => heard.push([(error as Error).message, item]),
    });
    await expect(loop.tick()).resolves.toEqual({ done: 1, failed: 1, blocked: 0, busy: 0 });
    expect(heard).toEqual([['no scope', 'a']]);

    let rounds = 0;
    const failing = loopOver(latchkey, [], {
      items: function* () {
        if (++rounds === 1) throw new Error('no items');
        yield 'b';
      },
      task: async (item) => void failing.started.push(item),
      onError: (error, item) => heard.push([(error as Error).message, item]),
    });
    failing.loop.start();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(heard.at(-1)).toEqual(['no items', undefined]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(failing.started).toEqual(['b']);
    await failing.loop.stop();
  });

  it('case 54: items are asked anew at each tick, and drawn lazily as places come free', async () => {
    const latchkey = sessions('a', 'b', 'c');
    const drawn: string[] = [];
    let asked = 0;
    const { loop, out } = loopOver(latchkey, [], {
      concurrency: 1,
      items: function* () {
        asked++;
        for (const item of ['a', 'b', 'c']) {
          drawn.push(item);
          yield item;
        }
      },
    });
    loop.start();
    expect(asked).toBe(0);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(drawn).toEqual(['a', 'b']);
    out.get('a')?.resolve();
    await settled();
    expect(drawn).toEqual(['a', 'b', 'c']);
    // A tick that still hands out its work is not overtaken.
    await vi.advanceTimersByTimeAsync(5_000);
    expect(asked).toBe(1);
    out.get('b')?.resolve();
    await settled();
    out.get('c')?.resolve();
    await settled();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked).toBe(2);
    const stopped = loop.stop({ timeoutMs: 0 });
    await vi.advanceTimersByTimeAsync(0);
    await stopped;
  });

  it('asks `concurrency` whenever a place comes free', async () => {
    const latchkey = sessions('a', 'b', 'c', 'd');
    let places = 1;
    const { loop, started, out } = loopOver(latchkey, ['a', 'b', 'c', 'd'], { concurrency: () => places });
    const tick = loop.tick();
    expect(started).toEqual(['a']);
    places = 3;
    out.get('a')?.resolve();
    await settled();
    expect(started).toEqual(['a', 'b', 'c', 'd']);
    for (const item of ['b', 'c', 'd']) out.get(item)?.resolve();
    await expect(tick).resolves.toMatchObject({ done: 4 });
    places = Number.NaN;
    const again = loop.tick();
    expect(started).toHaveLength(5);
    for (let i = 0; i < 4; i++) {
      for (const done of out.values()) done.resolve();
      await settled();
    }
    await expect(again).resolves.toMatchObject({ done: 4 });
  });

  it('gives a task `run` for its scope, skipping when it is blocked in the meantime', async () => {
    const latchkey = sessions('a');
    const { attempt, sent } = throwing({ 'token-a': 401 });
    const results: unknown[] = [];
    const { loop } = loopOver(latchkey, ['a'], {
      task: async (_, { run }) => {
        results.push(await run(attempt));
        results.push(await run(attempt));
        results.push(await run(attempt, { whenBlocked: 'throw' }).catch((error: { code: string }) => error.code));
      },
    });
    await expect(loop.tick()).resolves.toMatchObject({ done: 1 });
    expect(results).toEqual([undefined, undefined, 'CREDENTIAL_REJECTED']);
    expect(sent).toEqual(['token-a']);
    await expect(loop.tick()).resolves.toMatchObject({ blocked: 1 });
  });

  it('after close every item is blocked, and nothing is thrown', async () => {
    const latchkey = sessions('a');
    const { loop, started } = loopOver(latchkey, ['a']);
    await latchkey.close();
    await expect(loop.tick()).resolves.toEqual({ done: 0, failed: 0, blocked: 1, busy: 0 });
    expect(started).toEqual([]);
  });

  it('refuses unknown and malformed options', () => {
    const latchkey = createLatchkey();
    const good = { everyMs: 1, items: () => [], scope: () => 's', task: async () => {} };
    for (const [options, name] of [
      [{ ...good, interval: 1 }, '`interval`'],
      [{ ...good, everyMs: 0 }, '`everyMs`'],
      [{ ...good, items: [] }, '`items`'],
      [{ ...good, scope: undefined }, '`scope`'],
      [{ ...good, task: 1 }, '`task`'],
      [{ ...good, key: 'k' }, '`key`'],
      [{ ...good, concurrency: 0 }, '`concurrency`'],
      [{ ...good, onError: 1 }, '`onError`'],
    ] as const) {
      expect(() => createIdleLoop(latchkey, options as never)).toThrow(name);
    }
    expect(() => createIdleLoop(latchkey, null as never)).toThrow(TypeError);
  });

  it('starts once', async () => {
    const latchkey = sessions('a');
    let ticks = 0;
    const items = () => {
      ticks++;
      return [];
    };
    const { loop } = loopOver(latchkey, [], { items });
    loop.start();
    loop.start();
    await vi.advanceTimersByTimeAsync(3_000);
    expect(ticks).toBe(3);
    const stopped = watch(loop.stop());
    await vi.advanceTimersByTimeAsync(3_000);
    expect([ticks, stopped.state]).toEqual([3, 'resolved']);
    loop.start();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(ticks).toBe(4);
    await loop.stop();
    expect(vi.getTimerCount()).toBe(1); // the sweep for idle sessions
  });
});
