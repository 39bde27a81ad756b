import { createClient } from 'redis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bearer, type Latchkey } from '../../src/index.js';
import { deferred } from '../support/deferred.js';
import { GoodTokens } from '../support/good-tokens.js';
import { outlook } from '../support/known.js';
import { eventually, type FleetProcess, pause, type RedisFleet, startRedisFleet, unhandledRejections } from '../support/redis-fleet.js';
import { describeWithRedis } from '../support/redis-server.js';

const STORE = { commandMs: 300, syncMs: 200 };

describeWithRedis('a network that fails', () => {
  let fleet: RedisFleet | undefined;
  let unhandled: ReturnType<typeof unhandledRejections>;
  beforeEach(() => {
    unhandled = unhandledRejections();
  });
  afterEach(async () => {
    await fleet?.close();
    fleet = undefined;
    unhandled.stop();
    expect(unhandled.seen).toEqual([]);
  });

  for (const client of ['redis', 'ioredis'] as const) {
    for (const way of ['cut', 'hold'] as const) {
      const what = way === 'cut' ? 'cut off' : 'unreachable, though nothing says so';
      it(`${client}: one process ${what}: it works alone, the others together, and then all are one again`, async () => {
        fleet = await startRedisFleet({ processes: 3, client, store: STORE, proxied: true, options: { fallback: 'none' } });
        const [a, b, c] = fleet.latchkeys as [Latchkey, Latchkey, Latchkey];
        const alone = fleet.processes[1] as FleetProcess;
        const upstream = new GoodTokens();
        upstream.good.add('token-s').add('token-t');
        for (const session of ['S', 'T', 'U', 'V']) a.capture(session, bearer(`token-${session.toLowerCase()}`));
        await fleet.converge('S', 'T', 'U', 'V');
        // However often a busy machine was too slow for it until now.
        const before = fleet.processes.map(({ states }) => states.length);
        const parked = b.run('U', upstream.attempt, { whenBlocked: 'park', parkMs: 20_000 });
        const alsoParked = a.run('U', upstream.attempt, { whenBlocked: 'park', parkMs: 20_000 });
        await eventually(() => a.stats().parked === 1 && b.stats().parked === 1);

        alone.way[way]();
        await eventually(() => b.stats().store === 'down');
        expect(await b.run('S', upstream.attempt)).toBe('token-s');
        // Each side learns something that the other is not told.
        b.capture('S', bearer('token-s')).settle(401);
        b.capture('V', bearer('token-v2'));
        await pause(5);
        a.capture('T', bearer('token-t')).settle(401);
        upstream.good.add('token-u2');
        c.capture('U', bearer('token-u2'));
        expect(await alsoParked).toBe('token-u2');
        expect(outlook(c, 'V')).toBe('token-v');
        expect(outlook(b, 'T')).toBe('token-t');
        expect(b.explain('S').candidates[0]?.reason).toBe('rejected');
        expect(a.explain('S').candidates[0]?.reason).toBeUndefined();
        await pause(700);

        alone.way.restore();
        await fleet.converge('S', 'T', 'U', 'V');
        expect(await parked).toBe('token-u2');
        for (const latchkey of fleet.latchkeys) {
          expect(latchkey.explain('S').candidates[0]).toMatchObject({ source: 'session', reason: 'rejected' });
          expect(latchkey.explain('T').candidates[0]).toMatchObject({ source: 'session', reason: 'rejected' });
          expect(outlook(latchkey, 'U')).toBe('token-u2');
          expect(outlook(latchkey, 'V')).toBe('token-v2');
        }
        expect(fleet.processes.map(({ states }, index) => states.slice(before[index]))).toEqual([[], ['down', 'up'], []]);
        for (const { problems } of fleet.processes) expect(problems).toEqual([]);
      });
    }
  }

  it('a run that waits for another process’s canary goes itself when it is cut off', async () => {
    fleet = await startRedisFleet({ processes: 2, client: 'redis', store: STORE, proxied: true, options: { canaryMs: 60_000 } });
    const [a, b] = fleet.latchkeys as [Latchkey, Latchkey];
    a.capture('S', bearer('token-s'));
    await fleet.converge('S');
    const gate = deferred<string>();
    let begun = 0;
    const first = a.run('S', () => {
      begun++;
      return gate.promise;
    });
    await eventually(() => begun === 1);
    const second = b.run('S', ({ credential }) => credential.reveal());
    await eventually(() => b.stats().waiting === 1);
    fleet.processes[1]?.way.cut();
    expect(await second).toBe('token-s');
    gate.resolve('done');
    expect(await first).toBe('done');
  });

  it.each(['redis', 'ioredis'] as const)('%s: a listening connection that is lost alone makes nobody miss anything', async (client) => {
    fleet = await startRedisFleet({ processes: 2, client, store: { syncMs: 600_000 } });
    const [a, b] = fleet.latchkeys as [Latchkey, Latchkey];
    await fleet.converge('S');
    const redis = await createClient({ url: fleet.server.url }).connect();
    for (let round = 0; round < 5; round++) {
      await redis.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
      a.capture('S', bearer(`token-${round}`));
      await eventually(() => outlook(b, 'S') === `token-${round}`);
    }
    redis.destroy();
    for (const { states } of fleet.processes) expect(states).toEqual(['up']);
  });

  it('slow, 100 ms each way: nothing is taken for lost, and everything arrives', async () => {
    fleet = await startRedisFleet({ processes: 3, client: 'redis', store: { commandMs: 1_000, syncMs: 500 }, proxied: true });
    for (const { way } of fleet.processes) way.delay(100);
    const upstream = new GoodTokens();
    const [a, b, c] = fleet.latchkeys as [Latchkey, Latchkey, Latchkey];
    const sessions = ['S', 'T', 'U'];
    await Promise.all(fleet.latchkeys.map((latchkey) => latchkey.load(sessions)));
    // Everybody presents everything at once, and rejects some of it.
    for (let round = 0; round < 20; round++) {
      for (const [index, latchkey] of fleet.latchkeys.entries()) {
        const session = sessions[(round + index) % 3] ?? '';
        const capture = latchkey.capture(session, bearer(`token-${round}-${index}`));
        if ((round + index) % 4 === 0) capture.settle(401);
      }
      await pause(10);
    }
    await fleet.converge(...sessions);
    upstream.good.add('token-good');
    b.capture('S', bearer('token-good'));
    const before = performance.now();
    await eventually(() => outlook(a, 'S') === 'token-good' && outlook(c, 'S') === 'token-good');
    expect(performance.now() - before).toBeLessThan(2_000);
    // A run that asks the fleet who goes first.
    expect(await Promise.all(fleet.latchkeys.map((latchkey) => latchkey.run('S', upstream.attempt)))).toEqual(Array(3).fill('token-good'));
    expect(fleet.processes.map(({ states }) => states)).toEqual([['up'], ['up'], ['up']]);
  });
});
