import { describe, expect, it } from 'vitest';
import type { StoreChange } from '../../src/fleet/carrier.js';
import { Names } from '../../src/fleet/names.js';
import { Pending } from '../../src/fleet/pending.js';
import { Releases } from '../../src/fleet/releases.js';
import { bearer } from '../../src/index.js';
import { Identity } from '../../src/ledger/verdicts.js';
import { frozenFleet, pass } from '../support/frozen-fleet.js';
import type { MemoryCarrier } from '../support/memory-carrier.js';
import { settled } from '../support/memory-fleet.js';

/** What a process tells the store from now on. */
function toldBy(carrier: MemoryCarrier): StoreChange[] {
  const told: StoreChange[] = [];
  const { push } = carrier;
  carrier.push = (epoch, changes, ...rest) => {
    told.push(...changes);
    return push(epoch, changes, ...rest);
  };
  return told;
}

const kinds = (told: readonly StoreChange[]): string[] => told.map(({ kind }) => kind);

describe('what a process tells the store', () => {
  const world = frozenFleet();
  const HOUR_MS = 3_600_000;

  it('one more success is told when there is time, all of them together; one that changes something at once', async () => {
    const { latchkey, carrier } = world.fleet.add();
    await world.fleet.ready();
    latchkey.capture('S', bearer('s'));
    await pass(100);
    const told = toldBy(carrier);
    await latchkey.run('S', () => 1);
    await settled();
    expect(kinds(told)).toEqual(['learn']);
    for (let turn = 0; turn < 20; turn++) {
      await latchkey.run('S', () => 1);
      await settled();
    }
    expect(told.length).toBe(1);
    await pass(2_100);
    expect(kinds(told)).toEqual(['learn', 'learn']);
    latchkey.capture('S', bearer('s')).settle(401);
    await settled();
    expect(kinds(told)).toEqual(['learn', 'learn', 'learn']);
  });

  it('the same token again is told now and then, so that it is kept; its expiry hint not again', async () => {
    const { latchkey, carrier } = world.fleet.add();
    await world.fleet.ready();
    const token = bearer('s', { expiresAt: Date.now() + 100 * HOUR_MS });
    latchkey.capture('S', token);
    await pass(100);
    const told = toldBy(carrier);
    for (let turn = 0; turn < 50; turn++) {
      latchkey.capture('S', token);
      await pass(1_000);
    }
    expect(kinds(told)).toEqual([]);
    await pass(4 * HOUR_MS);
    latchkey.capture('S', token);
    await pass(100);
    expect(kinds(told)).toEqual(['present']);
    latchkey.capture('S', bearer('s', { expiresAt: Date.now() + 200 * HOUR_MS }));
    await pass(100);
    expect(kinds(told)).toEqual(['present', 'learn']);
  });

  it('in an outage remembers no more of a session than it has slots for, and nothing of one that has left', async () => {
    const { latchkey, carrier } = world.fleet.add({ limits: { sessions: 5 } });
    await world.fleet.ready();
    const told = toldBy(carrier);
    world.fleet.store.down = true;
    for (let index = 0; index < 200; index++) latchkey.capture({ session: 'S', provider: `p${index}` }, bearer(`t${index}`));
    await pass(3_000);
    world.fleet.store.down = false;
    told.length = 0;
    await pass(3_000);
    expect(kinds(told)).toEqual(Array.from({ length: 64 }, () => 'present'));
    world.fleet.store.down = true;
    for (let index = 0; index < 200; index++) latchkey.capture(`S${index}`, bearer(`t${index}`));
    await pass(3_000);
    world.fleet.store.down = false;
    told.length = 0;
    await pass(3_000);
    expect(kinds(told)).toEqual(Array.from({ length: 5 }, () => 'present'));
  });

  it('gives a lock back only when what its owner learnt has been told', async () => {
    const unlocked: string[] = [];
    const pending = new Pending(new Names(new Uint8Array(32), 'test'));
    const releases = new Releases({ unlock: async (lock) => void unlocked.push(lock) }, pending);
    for (let index = 0; index < 300; index++) {
      pending.learnt(new Identity(undefined, String(index).padStart(16, '0')));
      if (index === 99 || index === 299) releases.add(`lock ${index}`, 'owner', 'choose');
    }
    pending.take(200);
    pending.sent();
    await releases.send();
    expect(unlocked).toEqual(['lock 99']);
    const batch = pending.take(200);
    pending.putBack(batch);
    releases.putOff();
    await releases.send();
    expect(unlocked).toEqual(['lock 99']);
    pending.take(200);
    pending.sent();
    await releases.send();
    expect(unlocked).toEqual(['lock 99', 'lock 299']);
    expect(releases.isEmpty).toBe(true);
  });
});
