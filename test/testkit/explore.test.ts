import { describe, expect, it } from 'vitest';
import { bearer } from '../../src/index.js';
import { explore, replay } from '../../src/testkit/explore.js';
import type { Scenario, World } from '../../src/testkit/world.js';
import { failure } from './exploration-failure.js';

/** Two who read, wait and write back what they have read: one update is lost if they overlap. */
async function lostUpdate(world: World): Promise<void> {
  let balance = 0;
  const add = async (who: string): Promise<void> => {
    const before = balance;
    await world.schedule(`${who} waits`, Promise.resolve());
    balance = before + 1;
  };
  const noise = ['x', 'y', 'z'].map((name) => world.schedule(name, () => {}));
  await Promise.all([...noise, world.schedule('a', () => add('a')), world.schedule('b', () => add('b'))]);
  if (balance !== 2) throw new Error(`an update was lost: ${balance}`);
}

/** Fails only if something comes last that would come first. */
const lateFirst: Scenario = async (world) => {
  const order: string[] = [];
  await Promise.all(['a', 'b', 'c', 'd'].map((name) => world.schedule(name, () => order.push(name))));
  if (order.indexOf('a') > order.indexOf('c')) throw new Error(`in the order ${order.join('')}`);
};

describe('explore', () => {
  it('finds an interleaving that fails, and prints the shortest', async () => {
    const error = await failure(lateFirst, { seed: 3 });
    expect(error.steps).toEqual(['c', 'a', 'b', 'd']);
    expect(error.message).toMatch(/^explore: the scenario fails under schedule \d+ of 500 \(seed 3\); the shortest way/);
    expect(error.message).toContain("  1. c\n  2. a\n  3. b\n  4. d\n  then: Error: in the order cabd\nAgain: replay(scenario, '3:2')");
    expect(error.cause).toMatchObject({ message: 'in the order cabd' });
    expect((await failure(lostUpdate)).cause).toMatchObject({ message: 'an update was lost: 1' });
  });

  it('is the same for the same seed, and replays what it has found', async () => {
    const [first, second] = [await failure(lateFirst, { seed: 11 }), await failure(lateFirst, { seed: 11 })];
    expect(second.message).toBe(first.message);
    await expect(replay(lateFirst, first.schedule)).rejects.toMatchObject({ steps: first.steps, cause: { message: 'in the order cabd' } });
    expect(await replay(lateFirst, '11:')).toEqual(['a', 'b', 'c', 'd']);
  });

  it('tries what it is told to, and says how much that was', async () => {
    const played: string[] = [];
    const scenario: Scenario = async (world) => {
      const order: string[] = [];
      await Promise.all(['a', 'b', 'c'].map((name) => world.schedule(name, () => order.push(name))));
      played.push(`${order.join('')}${Math.random()}`);
    };
    expect(await explore(scenario, { schedules: 40, seed: 5 })).toEqual({ schedules: 40, steps: 120 });
    const once = played.splice(0);
    await explore(scenario, { schedules: 40, seed: 5 });
    expect(played).toEqual(once);
    expect(new Set(once.map((one) => one.slice(0, 3))).size).toBe(6);
    await explore(scenario, { schedules: 40, seed: 6 });
    expect(played.slice(40)).not.toEqual(once);
    expect(await explore(scenario, { ms: Number.MIN_VALUE })).toMatchObject({ schedules: 1 });
    played.length = 0;
    await explore(scenario, { schedules: 2 });
    expect(played.map((one) => one.slice(0, 3))).toEqual(['abc', 'cba']);
  });

  it('lets time pass when nothing else can happen, and only then', async () => {
    const steps = await replay(async (world) => {
      const startedAt = Date.now();
      const timer = new Promise<void>((resolve) => setTimeout(resolve, 60_000));
      await world.schedule('at once', () => {});
      expect(Date.now()).toBe(startedAt);
      await timer;
      expect(Date.now()).toBe(startedAt + 60_000);
      setTimeout(() => world.schedule('late', () => {}), 400);
      await world.idle(399);
      expect(world.clock.now()).toBe(startedAt + 60_399);
      await world.idle(1);
      expect(world.clock.timers).toBe(0);
    }, '1:');
    expect(steps).toEqual(['at once', 'time passes (2 times)', 'late']);
  });

  it('chooses for the scenario, the first if it can', async () => {
    const error = await failure((world) => {
      const size = world.pick('size', [1, 2, 3, 4]);
      const kind = world.pick('kind', ['plain', 'odd']);
      if (size > 2) throw new Error(`${size} ${kind}`);
    });
    expect(error.steps).toEqual(['size: 3 of 4', 'kind: 1 of 2']);
    expect(error.cause).toMatchObject({ message: '3 plain' });
  });

  it('lets the answers of its upstream arrive in any order', async () => {
    const orders = new Set<string>();
    await explore(
      async (world) => {
        const upstream = world.upstream({
          credentials: { A: bearer('token-of-a'), B: bearer('token-of-b') },
          rules: [{ for: 'B', status: 401 }],
        });
        const got: number[] = [];
        const call = async (credential: ReturnType<typeof bearer>): Promise<void> =>
          void got.push((await upstream.attempt(credential)).status);
        await Promise.all([call(bearer('token-of-a')), call(bearer('token-of-b'))]);
        orders.add(got.join());
      },
      { schedules: 10 },
    );
    expect(orders).toEqual(new Set(['200,401', '401,200']));
  });

  it('knows of a call that was called off while its answer was on its way', async () => {
    await replay(async (world) => {
      const upstream = world.upstream();
      const controller = new AbortController();
      const call = upstream.fetch('http://upstream.test', { signal: controller.signal });
      controller.abort(new Error('enough'));
      await expect(call).rejects.toThrow('enough');
      await world.idle();
      expect(upstream.calls).toMatchObject([{ state: 'gone', status: 200 }]);
    }, '1:');
  });

  it('fails by what a scheduled function throws, awaited or not; a promise it lets through only rejects', async () => {
    const thrown = new Error('thrown');
    const wait = (world: World): Promise<void> => world.idle();
    expect(
      (
        await failure(async (world) => {
          void world.schedule('throws', () => {
            throw thrown;
          });
          await wait(world);
        })
      ).cause,
    ).toBe(thrown);
    expect(
      (
        await failure(async (world) => {
          void world.schedule('rejects', () => world.schedule('later', Promise.reject(thrown)));
          await wait(world);
        })
      ).cause,
    ).toBe(thrown);
    await explore(
      async (world) => {
        await expect(world.schedule('through', Promise.reject(thrown))).rejects.toBe(thrown);
        void world.schedule('nobody waits', Promise.reject(thrown));
        await wait(world);
      },
      { schedules: 3 },
    );
  });

  it('says so when the scenario waits for ever, or never ends', async () => {
    expect((await failure(() => new Promise(() => {}))).cause).toMatchObject({
      message: 'the scenario waits, and nothing more will happen',
    });
    // However far away a timer is, it is something that will happen.
    expect(await replay(() => new Promise((resolve) => setTimeout(resolve, 5 * 3_600_000)), '1:')).toEqual(['time passes']);
    const endless = async (world: World): Promise<void> => {
      for (;;) await world.schedule('again', () => {});
    };
    const error: unknown = await replay(endless, '1:').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ cause: { message: 'the scenario has taken 10000 steps, and there is no end to it' } });
    const polling = async (world: World): Promise<void> => {
      for (;;) await world.idle(10);
    };
    const polled: unknown = await replay(polling, '1:').catch((reason: unknown) => reason);
    expect(polled).toMatchObject({ cause: { message: 'the scenario has taken 10000 steps, and there is no end to it' } });
  });

  it('does what was scheduled, also if the scenario does not wait for it', async () => {
    const error = await failure((world) => {
      void world.schedule('a bug', () => {
        throw new Error('found');
      });
    });
    expect(error).toMatchObject({ steps: ['a bug'], cause: { message: 'found' } });
  });

  it('lets the scenario move the clock itself, and wait for what takes some turns', async () => {
    const steps = await replay(async (world) => {
      await world.clock.advance(10);
      let fired = false;
      setTimeout(() => {
        fired = true;
      }, 10);
      await world.clock.advance(10);
      expect(fired).toBe(true);
      await import('node:path');
    }, '1:');
    expect(steps).toEqual([]);
  });

  it('looks for a shorter way for no longer than it looked for a failure', async () => {
    let plays = 0;
    const slow = async (world: World): Promise<void> => {
      plays++;
      const until = performance.now() + 40;
      for (let count = 0; count < 12; count++) void world.schedule(`${count}`, () => {});
      while (performance.now() < until);
      await world.idle();
      throw new Error('always');
    };
    await expect(explore(slow, { ms: 100 })).rejects.toThrow('always');
    expect(plays).toBeLessThan(10);
  });

  it('says so when the scenario does not go by the seed', async () => {
    let times = 0;
    const error = await failure(() => {
      if (times++ === 0) throw new Error('the first time only');
    });
    expect(error.message).toContain('but not again: something in it does not go by');
  });

  it('leaves timers, `Date` and `Math.random` as they were', async () => {
    const before = [setTimeout, clearTimeout, setInterval, clearInterval, Date, Math.random];
    await failure(() => {
      expect(setTimeout).not.toBe(before[0]);
      throw new Error('whatever');
    });
    expect([setTimeout, clearTimeout, setInterval, clearInterval, Date, Math.random]).toEqual(before);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['explore: `scenario` must be a function', () => explore(undefined as never)],
    ['explore: unknown option `runs`', () => explore(() => {}, { runs: 1 } as never)],
    ['explore: `seed` must be', () => explore(() => {}, { seed: -1 })],
    ['explore: `schedules` must be', () => explore(() => {}, { schedules: 0 })],
    ['explore: `ms` must be', () => explore(() => {}, { ms: 0 })],
    ['replay: `schedule` must be', () => replay(() => {}, '1.2')],
    ['replay: `scenario` must be a function', () => replay('' as never, '1:')],
  ])('says what is wrong: %s', async (message, call) => {
    await expect(call()).rejects.toThrow(TypeError);
    await expect(call()).rejects.toThrow(message);
  });

  it.each<[string, (world: World) => unknown]>([
    ['schedule: `what` must be', (world) => world.schedule('a', 1 as never)],
    ['schedule: `name` must be', (world) => world.schedule(1 as never, () => {})],
    ['pick: `among` must be', (world) => world.pick('a', [] as never)],
    ['idle: `ms` must be', (world) => world.idle(-1)],
    ['idle: `ms` must be', (world) => world.idle(0.5)],
  ])('says what is wrong in a scenario: %s', async (message, scenario) => {
    await expect(replay(scenario, '1:')).rejects.toMatchObject({ cause: { message: expect.stringContaining(message) } });
  });
});
