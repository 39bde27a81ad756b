import { describe, expect, it } from 'vitest';
import { apiKey, type Latchkey, type LatchkeyOptions } from '../../src/index.js';
import { statusError } from '../support/attempts.js';
import { frozenFleet, pass } from '../support/frozen-fleet.js';

const KEY = 'static-key';
const MINUTE_MS = 60_000;
/** The pause and its jitter. */
const DUE_MS = 16.5 * MINUTE_MS;

/** Takes its time, and answers by what it says now. */
class Upstream {
  isDown = true;
  status = 401;
  calls = 0;
  ms = 100;

  readonly attempt = async (): Promise<string> => {
    this.calls++;
    const { isDown, status } = this;
    await new Promise((resolve) => setTimeout(resolve, this.ms));
    if (isDown) throw statusError(status);
    return 'ok';
  };
}

describe('a probe in a fleet', () => {
  const world = frozenFleet();

  async function start(options: LatchkeyOptions = {}): Promise<Latchkey[]> {
    for (let index = 0; index < 4; index++) world.fleet.add(options);
    await world.fleet.ready();
    const latchkeys = world.fleet.processes.map(({ latchkey }) => latchkey);
    latchkeys[0]?.capture('S', apiKey(KEY));
    await pass(100);
    for (const latchkey of latchkeys) await latchkey.load(['S']);
    return latchkeys;
  }

  /** Every process does its work, five times over. */
  function works(latchkeys: readonly Latchkey[], { attempt }: Upstream): Promise<(string | undefined)[]> {
    const runs = latchkeys.flatMap((latchkey) => [1, 2, 3, 4, 5].map(() => latchkey.run('S', attempt, { whenBlocked: 'skip' })));
    return Promise.all(runs);
  }

  it('is one call, and one more after twice the time; its success frees everybody', async () => {
    const upstream = new Upstream();
    const latchkeys = await start();
    void works(latchkeys, upstream);
    await pass(1_000);
    expect(upstream.calls).toBe(1);
    void works(latchkeys, upstream);
    await pass(14 * MINUTE_MS);
    expect(upstream.calls).toBe(1);
    await pass(DUE_MS - 14 * MINUTE_MS);
    for (const latchkey of latchkeys) expect(latchkey.canRun('S')).toBe(true);
    const second = works(latchkeys, upstream);
    await pass(1_000);
    expect(new Set(await second)).toEqual(new Set([undefined]));
    expect(upstream.calls).toBe(2);
    for (const latchkey of latchkeys) expect(latchkey.canRun('S')).toBe(false);
    await pass(DUE_MS);
    for (const latchkey of latchkeys) expect(latchkey.canRun('S')).toBe(false);
    void works(latchkeys, upstream);
    await pass(DUE_MS);
    expect(upstream.calls).toBe(2);
    upstream.isDown = false;
    const parked = latchkeys.map((latchkey) => latchkey.run('S', upstream.attempt, { whenBlocked: 'park' }));
    await pass(1_000);
    expect(await Promise.all(parked)).toEqual(Array(4).fill('ok'));
    expect(upstream.calls).toBe(6);
    expect(latchkeys.map((latchkey) => latchkey.stats().probes).reduce((sum, probes) => sum + probes)).toBe(2);
  });

  it('is one call however long it takes, and nobody waits for it who need not', async () => {
    const upstream = new Upstream();
    const latchkeys = await start();
    void works(latchkeys.slice(0, 1), upstream);
    await pass(DUE_MS + 1_000);
    expect(upstream.calls).toBe(1);
    upstream.ms = 45_000;
    const probing = works(latchkeys.slice(0, 1), upstream);
    await pass(1_000);
    expect(upstream.calls).toBe(2);
    let skipped = 0;
    const skip = (latchkey: Latchkey): void =>
      void latchkey.run('S', upstream.attempt, { whenBlocked: 'skip' }).then((value) => void (value === undefined && skipped++));
    latchkeys.slice(1, 3).forEach(skip);
    await pass(1_000);
    expect(skipped).toBe(2);
    // Longer than a canary is waited for.
    await pass(15_000);
    latchkeys.slice(3).forEach(skip);
    await pass(1_000);
    expect(skipped).toBe(3);
    void works(latchkeys, upstream);
    await pass(60_000);
    await probing;
    expect(upstream.calls).toBe(2);
  });

  it('is not made by who did not hear of the last one', async () => {
    const upstream = new Upstream();
    const latchkeys = await start();
    void works(latchkeys, upstream);
    await pass(1_000);
    const [deaf] = world.fleet.processes.slice(1);
    await pass(DUE_MS);
    deaf!.carrier.auto = false;
    void works(latchkeys.slice(0, 1), upstream);
    await pass(1_000);
    expect(upstream.calls).toBe(2);
    while (deaf!.carrier.pending.length > 0) deaf!.carrier.drop();
    const work = works([deaf!.latchkey], upstream);
    await pass(1_000);
    expect(new Set(await work)).toEqual(new Set([undefined]));
    expect(upstream.calls).toBe(2);
  });

  it('is one call within the time that a canary has, too, if what it met says nothing of the credential', async () => {
    const latchkeys = await start();
    const upstream = new Upstream();
    void works(latchkeys, upstream);
    await pass(DUE_MS + 1_000);
    expect(upstream.calls).toBe(1);
    upstream.status = 503;
    for (let second = 0; second < 50; second++) {
      for (const latchkey of latchkeys) void latchkey.run('S', upstream.attempt, { whenBlocked: 'skip' }).catch(() => {});
      await pass(1_000);
    }
    expect(upstream.calls).toBe(2);
  });

  it('is made by another process when the one that took it was killed', async () => {
    const latchkeys = await start();
    const upstream = new Upstream();
    void works(latchkeys, upstream);
    await pass(1_000);
    await pass(DUE_MS);
    void latchkeys[0]?.run('S', () => new Promise(() => {}), { whenBlocked: 'skip' }).catch(() => {});
    await pass(100);
    world.fleet.processes[0]!.carrier.down = true;
    upstream.isDown = false;
    const parked = latchkeys[1]!.run('S', upstream.attempt, { whenBlocked: 'park' });
    await pass(2 * MINUTE_MS);
    expect(await parked).toBe('ok');
  });
});
