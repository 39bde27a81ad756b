import fc from 'fast-check';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ALL_SCOPES, canonicalLedger, FleetPlay, type FleetStep, fleetStep, namedSlots, storedSlots } from '../property/fleet-model.js';
import { LONG_MS } from '../property/runs.js';
import { eventually, type FleetProcess, pause, startRedisFleet } from '../support/redis-fleet.js';
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.js';

/** The network's own doings are in nobody's hands here; what the carrier in memory adds to that is left out. */
const MADE_UP = ['deliver', 'drop', 'duplicate', 'store', 'lose answers'];
const RUNS = process.env['CI'] ? 20 : 5;
const KINDS = { s: 'session', t: 'tenant', i: 'identity' } as const;

describeWithRedis('L11 on a real server', () => {
  let server: RedisServer;
  let redis: ReturnType<typeof createClient>;
  beforeAll(async () => {
    server = await startRedis();
    redis = createClient({ url: server.url });
    await redis.connect();
  });
  afterAll(async () => {
    redis.destroy();
    await server.stop();
  });

  async function stored(namespace: string): Promise<string[]> {
    const prefix = `{${namespace}}:lk:`;
    const keys = (await redis.keys(`${prefix}[sti]:*`)).map((key) => key.slice(prefix.length));
    const records = keys.map(async (key) => {
      const { v: _, ...fields } = await redis.hGetAll(prefix + key);
      return { kind: KINDS[key[0] as keyof typeof KINDS], name: key.slice(2), fields };
    });
    return storedSlots(await Promise.all(records), namespace);
  }

  async function play(steps: readonly FleetStep[], flushAfter: number): Promise<void> {
    const fleet = await startRedisFleet({ processes: 3, client: 'redis', server, proxied: true, store: { syncMs: 100, commandMs: 400 } });
    const game = new FleetPlay(fleet);
    const ways = fleet.processes.map(({ way }: FleetProcess) => way);
    try {
      for (const [index, step] of steps.entries()) {
        if (index === flushAfter) await redis.flushAll();
        if (step.do === 'wait') await pause(step.ms % 20);
        else if (step.do === 'cut') ways[step.at]?.[step.down ? 'cut' : 'restore']();
        else if (!MADE_UP.includes(step.do)) void game.play(step);
      }
      for (const way of ways) way.restore();
      await eventually(
        async () => {
          expect(fleet.latchkeys.map((latchkey) => latchkey.stats().store)).toEqual(['up', 'up', 'up']);
          for (const latchkey of fleet.latchkeys) await latchkey.load(ALL_SCOPES);
          const [first, second, third] = fleet.latchkeys.map((latchkey) => latchkey.snapshot());
          if (first === undefined || second === undefined || third === undefined) throw new Error('three processes');
          expect(canonicalLedger(second)).toEqual(canonicalLedger(first));
          expect(canonicalLedger(third)).toEqual(canonicalLedger(first));
          expect(namedSlots(first, fleet.namespace)).toEqual(await stored(fleet.namespace));
        },
        { withinMs: 10_000 },
      );
    } finally {
      await fleet.close();
    }
  }

  it(
    'three processes end in the same state, which is the store’s',
    async () => {
      const steps = fc.array(fleetStep, { minLength: 10, maxLength: 60 });
      await fc.assert(
        fc.asyncProperty(steps, fc.option(fc.nat({ max: 60 }), { nil: -1 }), (history, flushAfter) => play(history, flushAfter)),
        { numRuns: RUNS, endOnFailure: true },
      );
    },
    LONG_MS,
  );
});
