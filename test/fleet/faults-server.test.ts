import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bearer, type Latchkey } from '../../src/index.js';
import { GoodTokens } from '../support/good-tokens.js';
import { outlook } from '../support/known.js';
import { eventually, pause, type RedisFleet, startRedisFleet, unhandledRejections } from '../support/redis-fleet.js';
import { describeWithRedis, startRedis } from '../support/redis-server.js';

const COMMAND_MS = 300;
const STORE = { commandMs: COMMAND_MS, syncMs: 200 };

describeWithRedis('a Redis server that fails', () => {
  let fleet: RedisFleet | undefined;
  let stopWork: (() => Promise<void>) | undefined;
  let unhandled: ReturnType<typeof unhandledRejections>;
  beforeEach(() => {
    unhandled = unhandledRejections();
  });
  afterEach(async () => {
    await stopWork?.();
    stopWork = undefined;
    await fleet?.close();
    fleet = undefined;
    unhandled.stop();
    expect(unhandled.seen).toEqual([]);
  });

  /** Work on a session in every process, without end. Each piece has to be through in time, whatever the store does. */
  function work(upstream: GoodTokens, latchkeys: readonly Latchkey[], session: (index: number) => string): { slowestMs: number } {
    const seen = { slowestMs: 0 };
    let stopped = false;
    const loops = latchkeys.map(async (latchkey, index) => {
      while (!stopped) {
        const before = performance.now();
        await latchkey.run(session(index), upstream.attempt, { whenBlocked: 'skip' });
        seen.slowestMs = Math.max(seen.slowestMs, performance.now() - before);
        await pause(2);
      }
    });
    stopWork = async () => {
      stopped = true;
      await Promise.all(loops);
    };
    return seen;
  }

  describe.each(['redis', 'ioredis'] as const)('%s', (client) => {
    it('down at the start: each works alone, and all that was captured meanwhile is shared when it comes', async () => {
      const server = await startRedis();
      await server.kill();
      try {
        fleet = await startRedisFleet({ processes: 2, client, server, store: STORE });
        const [a, b] = fleet.latchkeys as [Latchkey, Latchkey];
        for (const { latchkey, states, reasons } of fleet.processes) {
          expect(latchkey.stats().store).toBe('down');
          expect(states).toEqual(['down']);
          expect(reasons).toEqual(['STORE_DOWN']);
        }
        const upstream = new GoodTokens();
        upstream.good.add('token-s');
        a.capture('S', bearer('token-s'));
        b.capture('T', bearer('token-t'));
        a.pin({ provider: 'P' }, bearer('token-pin'));
        expect(await a.run('S', upstream.attempt)).toBe('token-s');
        await expect(b.run('T', upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
        expect(a.canRun('T')).toBe(true);
        expect(b.canRun('S')).toBe(false);
        await pause(600);
        await server.restart();
        const { slots } = await fleet.converge('S', 'T', { provider: 'P' });
        expect(slots).toHaveLength(4);
        for (const latchkey of [a, b]) {
          expect(outlook(latchkey, 'S')).toBe('token-s');
          expect(outlook(latchkey, { provider: 'P' })).toBe('token-pin');
          expect(latchkey.explain('T').candidates[0]).toMatchObject({ reason: 'rejected', status: 401 });
        }
        for (const { states, problems } of fleet.processes) {
          expect(states).toEqual(['down', 'up']);
          expect(problems).toEqual([]);
        }
      } finally {
        await fleet?.close();
        fleet = undefined;
        await server.stop();
      }
    });

    it('killed under load and restarted empty: work goes on, and everything is there again', async () => {
      fleet = await startRedisFleet({ processes: 4, client, store: STORE });
      const { latchkeys, server } = fleet;
      const upstream = new GoodTokens();
      for (const [index, latchkey] of latchkeys.entries()) {
        upstream.good.add(`token-${index}`);
        latchkey.capture(`S${index}`, bearer(`token-${index}`));
      }
      const scopes = latchkeys.map((_, index) => `S${index}`);
      await fleet.converge(...scopes);
      // Every process works for every session.
      let turn = 0;
      const seen = work(upstream, latchkeys, () => `S${turn++ % 4}`);
      await eventually(() => upstream.answered > 40);
      await server.kill();
      await eventually(() => latchkeys.every((latchkey) => latchkey.stats().store === 'down'));
      const before = upstream.answered;
      await eventually(() => upstream.answered > before + 40);
      // Found out by one process only, while nobody can be told.
      upstream.good.delete('token-1');
      latchkeys[1]?.capture('S1', bearer('token-1')).settle(401);
      upstream.good.add('token-2b');
      latchkeys[3]?.capture('S2', bearer('token-2b'));
      latchkeys[0]?.evict('S3');
      await server.restart();
      await eventually(() => latchkeys.every((latchkey) => latchkey.stats().store === 'up'));
      await stopWork?.();
      await fleet.converge(...scopes, 'new');
      for (const latchkey of latchkeys) {
        expect(outlook(latchkey, 'S0')).toBe('token-0');
        expect(latchkey.explain('S1').candidates[0]).toMatchObject({ source: 'session', reason: 'rejected' });
        expect(outlook(latchkey, 'S2')).toBe('token-2b');
        expect(latchkey.snapshot().slots.filter(({ scope }) => scope.session === 'S3')).toEqual([]);
      }
      for (const { states, problems } of fleet.processes) {
        expect(states).toEqual(['up', 'down', 'up']);
        expect(problems).toEqual([]);
      }
      expect(seen.slowestMs).toBeLessThan(3_000);
    });

    it('paused and resumed: nobody waits for it longer than for one command', async () => {
      fleet = await startRedisFleet({ processes: 2, client, store: STORE });
      const [a, b] = fleet.latchkeys as [Latchkey, Latchkey];
      const upstream = new GoodTokens();
      upstream.good.add('token-s').add('token-new');
      a.capture('S', bearer('token-s'));
      await fleet.converge('S', 'T', 'unheard of');
      const seen = work(upstream, [a, b], () => 'S');
      await eventually(() => upstream.answered > 10);
      fleet.server.pause();
      await eventually(() => fleet?.latchkeys.every((latchkey) => latchkey.stats().store === 'down') === true);
      const before = upstream.answered;
      await eventually(() => upstream.answered > before + 20);
      b.capture('T', bearer('token-t')).settle(401);
      a.capture('S', bearer('token-new'));
      expect(a.canRun('S')).toBe(true);
      // Of a scope that nobody has looked up yet, nobody knows anything; it is not waited for.
      const asked = performance.now();
      await a.load(['another']);
      expect(performance.now() - asked).toBeLessThan(COMMAND_MS * 3);
      await pause(500);
      fleet.server.resume();
      await fleet.converge('S', 'T', 'unheard of', 'another');
      for (const latchkey of [a, b]) {
        expect(outlook(latchkey, 'S')).toBe('token-new');
        expect(latchkey.explain('T').candidates[0]).toMatchObject({ source: 'session', reason: 'rejected' });
      }
      for (const { states, problems } of fleet.processes) {
        expect(states).toEqual(['up', 'down', 'up']);
        expect(problems).toEqual([]);
      }
      await stopWork?.();
      expect(seen.slowestMs).toBeLessThan(COMMAND_MS + 1_500);
    });
  });
});
