import { describe, expect, it } from 'vitest';
import { bearer, type Latchkey } from '../../src/index.js';
import { credentialOf, frozenFleet, pass } from '../support/frozen-fleet.js';

const HOUR_MS = 3_600_000;

describe('a process whose clock is wrong', () => {
  const world = frozenFleet();

  /** Two processes; the first one's clock can be set ahead. */
  async function two(): Promise<{ wrong: Latchkey; right: Latchkey; clock: { ahead: number } }> {
    const clock = { ahead: 0 };
    const wrong = world.fleet.add({ clock: { now: () => Date.now() + clock.ahead } });
    const right = world.fleet.add();
    await world.fleet.ready();
    await pass(100);
    return { wrong: wrong.latchkey, right: right.latchkey, clock };
  }

  async function expectReplaced(wrong: Latchkey, right: Latchkey): Promise<void> {
    await right.load(['S']);
    expect(credentialOf(right, 'S')).toBe('old');
    right.capture('S', bearer('new'));
    await pass(10_000);
    expect([credentialOf(wrong, 'S'), credentialOf(right, 'S')]).toEqual(['new', 'new']);
  }

  it('does not outrank what others present later, if it was wrong before the store was there', async () => {
    world.fleet.store.down = true;
    const wrong = world.fleet.add({ clock: { now: () => Date.now() + HOUR_MS } });
    const right = world.fleet.add();
    wrong.latchkey.capture('S', bearer('old'));
    await world.fleet.ready();
    world.fleet.store.down = false;
    await pass(5_000);
    await expectReplaced(wrong.latchkey, right.latchkey);
  });

  it('nor if it jumps ahead', async () => {
    const { wrong, right, clock } = await two();
    clock.ahead = HOUR_MS;
    wrong.capture('S', bearer('old'));
    await pass(10_000);
    await expectReplaced(wrong, right);
  });

  it('nor with a provisional capture that is committed once the clock is corrected', async () => {
    const { wrong, right, clock } = await two();
    clock.ahead = HOUR_MS;
    const capture = wrong.capture('S', bearer('old'), { provisional: true });
    await pass(5_000);
    capture.commit();
    await pass(5_000);
    await expectReplaced(wrong, right);
  });

  it('nor with an eviction', async () => {
    const { wrong, right, clock } = await two();
    right.capture('S', bearer('old'));
    await pass(100);
    clock.ahead = HOUR_MS;
    wrong.evict('S');
    await pass(5_000);
    right.capture('S', bearer('new'));
    await pass(5_000);
    await wrong.load(['S']);
    expect([credentialOf(wrong, 'S'), credentialOf(right, 'S')]).toEqual(['new', 'new']);
  });

  it('nor with a pin', async () => {
    const { wrong, right, clock } = await two();
    await right.load([{}]);
    clock.ahead = HOUR_MS;
    const unpin = wrong.pin({}, bearer('old'));
    await pass(5_000);
    expect(credentialOf(right, {})).toBe('old');
    right.pin({}, bearer('new'));
    await pass(5_000);
    expect([credentialOf(wrong, {}), credentialOf(right, {})]).toEqual(['new', 'new']);
    unpin();
    await pass(5_000);
    expect(credentialOf(right, {})).toBe('new');
  });

  it('loses nothing of what it hears while it is behind', async () => {
    const { wrong, right, clock } = await two();
    right.capture('S', bearer('one'));
    right.capture('R', bearer('three'));
    await pass(3_000);
    await wrong.load(['S', 'R']);
    await pass(100);
    clock.ahead = -120_000;
    right.capture('S', bearer('two'));
    const lease = right.resolve('R');
    if (lease.ok) lease.lease.settle(401);
    await pass(1_000);
    clock.ahead = 0;
    await pass(60_000);
    expect(credentialOf(wrong, 'S')).toBe('two');
    expect(wrong.explain('R').candidates[0]?.reason).toBe('rejected');
  });

  it('is told of it once, and so are its operators', async () => {
    const clock = { ahead: 0 };
    const { latchkey } = world.fleet.add({ clock: { now: () => Date.now() + clock.ahead } });
    const told: unknown[] = [];
    latchkey.on('error', ({ origin, error }) => told.push([origin, (error as { code?: string }).code]));
    await world.fleet.ready();
    clock.ahead = HOUR_MS;
    await pass(60_000);
    expect(told).toEqual([['store', 'STORE_SKEW']]);
  });

  it('and one whose clock throws loses nothing either, and throws into nobody', async () => {
    let throws = false;
    const now = (): number => {
      if (throws) throw new Error('no time');
      return Date.now();
    };
    const [a, b] = [world.fleet.add(), world.fleet.add({ clock: { now } })];
    await world.fleet.ready();
    await b.latchkey.load(['S']);
    await pass(100);
    b.carrier.auto = false;
    a.latchkey.capture('S', bearer('new'));
    await pass(1);
    throws = true;
    expect(() => b.carrier.deliverAll()).not.toThrow();
    throws = false;
    b.carrier.auto = true;
    await pass(60_000);
    expect(credentialOf(b.latchkey, 'S')).toBe('new');
  });
});
