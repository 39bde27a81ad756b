import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bearer, type Latchkey, type LatchkeyOptions } from '../../src/index.js';
import { statusError } from '../support/attempts.js';
import { frozenFleet, pass } from '../support/frozen-fleet.js';
import type { MemoryProcess } from '../support/memory-fleet.js';
import { eventually, type RedisFleet, startRedisFleet } from '../support/redis-fleet.js';
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.js';
import { TokenFamily } from '../support/token-family.js';

const OLD = 'token-0';
const PROCESSES = 4;
const ALL_REFRESHED = Array(PROCESSES).fill('token-1');

/** Ends with the value that it was done with, or the code of the error. */
function work(latchkey: Latchkey, session: string): Promise<string> {
  const attempt = latchkey.run(session, async ({ credential }) => {
    if (credential.reveal() === OLD) throw statusError(401);
    return credential.reveal();
  });
  return attempt.catch((error: { code: string }) => error.code);
}

describe('a refresh, and its store is not as it should be', () => {
  const world = frozenFleet();

  /** Each process knows a session of its own, which holds the same token. */
  async function start(options: LatchkeyOptions, lastsMs?: number): Promise<MemoryProcess[]> {
    for (let index = 0; index < PROCESSES; index++) world.fleet.add({ fallback: 'none', ...options });
    await world.fleet.ready();
    const expiresAt = lastsMs === undefined ? undefined : Date.now() + lastsMs;
    for (const [index, { latchkey }] of world.fleet.processes.entries()) latchkey.capture(`S${index}`, bearer(OLD, { expiresAt }));
    await pass(100);
    return world.fleet.processes;
  }

  const works = (processes: readonly MemoryProcess[]): Promise<string>[] =>
    processes.map(({ latchkey }, index) => work(latchkey, `S${index}`));

  it('it is away for a moment: those who wait go on waiting', async () => {
    const family = new TokenFamily(3_000);
    const processes = await start({ refresh: family.refresh });
    const runs = works(processes);
    await pass(500);
    expect(family.tries).toEqual([OLD]);
    world.fleet.store.down = true;
    await pass(2_100);
    world.fleet.store.down = false;
    await pass(10_000);
    expect(await Promise.all(runs)).toEqual(ALL_REFRESHED);
    expect(family).toMatchObject({ tries: [OLD], isDead: false });
  });

  it('it is away for a moment: those who begin meanwhile wait for it', async () => {
    const family = new TokenFamily(3_000);
    const processes = await start({ refresh: family.refresh });
    const runs = works(processes.slice(0, 1));
    await pass(500);
    world.fleet.store.down = true;
    await pass(1_100);
    const late = processes.slice(1).map(({ latchkey }, index) => work(latchkey, `S${index + 1}`));
    await pass(1_000);
    world.fleet.store.down = false;
    await pass(10_000);
    expect(await Promise.all([...runs, ...late])).toEqual(ALL_REFRESHED);
    expect(family).toMatchObject({ tries: [OLD], isDead: false });
  });

  it('it is started again, empty: who has the right to refresh has it still', async () => {
    const family = new TokenFamily(3_000);
    const processes = await start({ refresh: family.refresh });
    const runs = works(processes.slice(0, 1));
    await pass(500);
    world.fleet.store.reset();
    await pass(100);
    const late = processes.slice(1).map(({ latchkey }, index) => work(latchkey, `S${index + 1}`));
    await pass(10_000);
    expect(await Promise.all([...runs, ...late])).toEqual(ALL_REFRESHED);
    expect(family).toMatchObject({ tries: [OLD], isDead: false });
  });

  it('it has another epoch, which nobody was told: no one refreshes beside another', async () => {
    const family = new TokenFamily(3_000);
    const processes = await start({ refresh: family.refresh }, 2_000);
    await pass(3_000);
    for (const { carrier } of processes) carrier.auto = false;
    world.fleet.store.reset();
    for (const { carrier } of processes) {
      while (carrier.pending.length > 0) carrier.drop();
      carrier.auto = true;
    }
    // What each has to tell is refused.
    for (const [index, { latchkey }] of processes.entries()) latchkey.capture(`other ${index}`, bearer(`other-${index}`));
    await pass(1);
    const runs = works(processes);
    await pass(8_000);
    expect(await Promise.all(runs)).toEqual(ALL_REFRESHED);
    expect(family).toMatchObject({ tries: [OLD], isDead: false });
  });

  it('it is slow: the right to refresh lasts as long as the try', async () => {
    const family = new TokenFamily(4_500);
    const [slow, other] = await start({ refresh: family.refresh, refreshMs: 5_000 });
    const { load } = slow!.carrier;
    slow!.carrier.load = async (refs) => {
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      return load(refs);
    };
    const first = work(slow!.latchkey, 'S0');
    await pass(100);
    const second = work(other!.latchkey, 'S1');
    await pass(20_000);
    expect(await Promise.all([first, second])).toEqual(['token-1', 'token-1']);
    expect(family).toMatchObject({ tries: [OLD], isDead: false });
  });
});

describeWithRedis('four processes whose Redis server does not do as it should', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  const start = (family: TokenFamily): Promise<RedisFleet> =>
    startRedisFleet({
      processes: PROCESSES,
      client: 'redis',
      server,
      options: { fallback: 'none', refresh: family.refresh },
      store: { commandMs: 200 },
    });

  const works = (fleet: RedisFleet): Promise<string[]> => Promise.all(fleet.latchkeys.map((latchkey) => work(latchkey, 'S')));

  it('it stalls while a refresh is out: the refresh token is used once', async () => {
    const family = new TokenFamily(2_000);
    const fleet = await start(family);
    try {
      for (const latchkey of fleet.latchkeys) latchkey.capture('S', bearer(OLD));
      const runs = works(fleet);
      await eventually(() => family.tries.length > 0);
      server.pause();
      for (const [index, latchkey] of fleet.latchkeys.entries()) latchkey.capture('other', bearer(`other-${index}`));
      await eventually(() => fleet.processes.every(({ states }) => states.at(-1) === 'down'));
      server.resume();
      expect(await runs).toEqual(ALL_REFRESHED);
      expect(family).toMatchObject({ tries: [OLD], isDead: false });
    } finally {
      server.resume();
      await fleet.close();
    }
  });

  it.each(['right before', 'in the middle of'])('it is flushed %s a refresh: the refresh token is used once', async (when) => {
    const family = new TokenFamily(2_000);
    const fleet = await start(family);
    const admin = createClient({ url: server.url });
    const [first, ...others] = fleet.latchkeys;
    const flush = async (): Promise<void> => {
      await admin.flushAll();
      // What each has to tell is refused.
      for (const [index, latchkey] of fleet.latchkeys.entries()) latchkey.capture(`other ${index}`, bearer(`other-${index}`));
    };
    try {
      await admin.connect();
      const old = bearer(OLD, { expiresAt: Date.now() + 300 });
      for (const latchkey of fleet.latchkeys) latchkey.capture('S', old);
      await eventually(() => fleet.latchkeys.every((latchkey) => !latchkey.canRun('S')));
      if (when === 'right before') await flush();
      const runs = [work(first!, 'S')];
      await eventually(() => family.tries.length > 0);
      if (when === 'in the middle of') {
        await flush();
        await eventually(async () => {
          await first!.load(['other 1']);
          return first!.canRun('other 1');
        });
      }
      runs.push(...others.map((latchkey) => work(latchkey, 'S')));
      expect(await Promise.all(runs)).toEqual(ALL_REFRESHED);
      expect(family).toMatchObject({ tries: [OLD], isDead: false });
    } finally {
      admin.destroy();
      await fleet.close();
    }
  });
});
