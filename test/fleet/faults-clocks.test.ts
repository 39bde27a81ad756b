import { afterEach, expect, it } from 'vitest';
import { bearer, type Latchkey } from '../../src/index.js';
import { outlook } from '../support/known.js';
import { eventually, type RedisFleet, startRedisFleet } from '../support/redis-fleet.js';
import { describeWithRedis } from '../support/redis-server.js';

const STORE = { commandMs: 1_000, syncMs: 200 };
const HOUR_MS = 3_600_000;

describeWithRedis('clocks that are apart', () => {
  let fleet: RedisFleet | undefined;
  afterEach(async () => {
    await fleet?.close();
    fleet = undefined;
  });

  async function apart(...offsets: number[]): Promise<Latchkey[]> {
    fleet = await startRedisFleet({ processes: 0, client: 'redis', store: STORE });
    for (const offset of offsets) await fleet.add({ clock: { now: () => Date.now() + offset }, fallback: 'none' });
    await fleet.ready();
    return fleet.latchkeys;
  }

  const told = (latchkeys: readonly Latchkey[], expected: string): Promise<void> =>
    eventually(() => expect(latchkeys.map((latchkey) => outlook(latchkey, 'S'))).toEqual(latchkeys.map(() => expected)));

  it.each([
    ['by less than counts', [0, -900, 900], []],
    ['by an hour', [0, -HOUR_MS, HOUR_MS], ['STORE_SKEW']],
  ] as const)('%s: who comes later by what was heard is later', async (_, offsets, problems) => {
    const latchkeys = await apart(...offsets);
    await fleet?.converge('S');
    const [inTime, behind, ahead] = latchkeys as [Latchkey, Latchkey, Latchkey];
    for (const [round, latchkey] of [ahead, behind, inTime, behind, ahead, inTime].entries()) {
      latchkey.capture('S', bearer(`token-${round}`));
      await told(latchkeys, `token-${round}`);
    }
    // Sent after the rejection was heard of: it counts.
    const rejected = ahead.resolve('S');
    if (!rejected.ok) throw new Error(rejected.reason);
    rejected.lease.settle(401);
    await told(latchkeys, 'rejected');
    behind.capture('S', bearer('token-5')).settle(200);
    await told(latchkeys, 'token-5');
    await fleet?.converge('S');
    for (const [index, { problems: seen, states }] of (fleet?.processes ?? []).entries()) {
      expect(seen).toEqual(index === 0 ? [] : problems);
      expect(states).toEqual(['up']);
    }
  });

  it('a hold is over for all at the same moment', async () => {
    const latchkeys = await apart(0, -HOUR_MS, HOUR_MS);
    await fleet?.converge('S');
    const [inTime, behind, ahead] = latchkeys as [Latchkey, Latchkey, Latchkey];
    behind.capture('S', bearer('token-s'));
    await told(latchkeys, 'token-s');
    const resolution = ahead.resolve('S');
    if (!resolution.ok) throw new Error(resolution.reason);
    const before = Date.now();
    resolution.lease.settle({ holdMs: 1_000 });
    await told(latchkeys, 'held');
    await Promise.all(
      latchkeys.map(async (latchkey) => {
        await latchkey.whenRunnable('S', { timeoutMs: 5_000 });
        expect(Date.now() - before).toBeGreaterThanOrEqual(990);
        expect(Date.now() - before).toBeLessThan(2_500);
      }),
    );
    expect(outlook(inTime, 'S')).toBe('token-s');
  });
});
