import { describe, expect, it, vi } from 'vitest';
import { StoreError } from '../../src/fleet/store-error.js';
import { bearer } from '../../src/index.js';
import { credentialOf, frozenFleet, pass } from '../support/frozen-fleet.js';

describe('a store that is not what it was', () => {
  const world = frozenFleet();

  it('put back to an earlier state, and written to by others since: a sign-out stays one', async () => {
    const [a, b] = [world.fleet.add(), world.fleet.add()];
    await world.fleet.ready();
    b.latchkey.capture('S', bearer('s'));
    a.latchkey.capture('X', bearer('x'));
    await pass(3_000);
    const putBack = world.fleet.store.save();
    b.latchkey.evict('S');
    await pass(3_000);
    world.fleet.store.down = true;
    await pass(600);
    putBack();
    b.carrier.down = true;
    world.fleet.store.down = false;
    await pass(300);
    for (let turn = 0; turn < 5; turn++) {
      a.latchkey.capture('X', bearer(`x${turn}`));
      await pass(30);
    }
    b.carrier.down = false;
    await pass(60_000);
    for (const { latchkey } of [a, b]) {
      await latchkey.load(['S']);
      expect(credentialOf(latchkey, 'S')).not.toBe('s');
    }
  });

  it('put back while nothing fails: the next that tells it anything finds out', async () => {
    const [a, b] = [world.fleet.add({ syncMs: 600_000 }), world.fleet.add({ syncMs: 600_000 })];
    await world.fleet.ready();
    await b.latchkey.load(['S']);
    const putBack = world.fleet.store.save();
    a.latchkey.capture('S', bearer('s'));
    await pass(100);
    for (const { carrier } of [a, b]) carrier.auto = false;
    putBack();
    for (const { carrier } of [a, b]) {
      while (carrier.pending.length > 0) carrier.drop();
      carrier.auto = true;
    }
    a.latchkey.capture('T', bearer('t'));
    await pass(1_000);
    const c = world.fleet.add();
    await c.latchkey.ready();
    await c.latchkey.load(['S', 'T']);
    expect([credentialOf(c.latchkey, 'S'), credentialOf(c.latchkey, 'T')]).toEqual(['s', 't']);
  });

  it('restarted empty, and out of reach once more while it is read: what was not read is read later', async () => {
    const [a, b] = [world.fleet.add(), world.fleet.add({ fallback: 'none' })];
    const scope = { session: 'S', provider: 'P' };
    await world.fleet.ready();
    a.latchkey.capture('X', bearer('x'));
    await pass(100);
    const woken = vi.fn();
    b.latchkey.whenRunnable(scope).then(woken, () => {});
    await pass(3_000);
    b.carrier.down = true;
    world.fleet.store.reset();
    a.latchkey.capture(scope, bearer('s'));
    for (let turn = 0; turn < 10; turn++) {
      a.latchkey.capture('X', bearer(`x${turn}`));
      await pass(300);
    }
    const { load } = b.carrier;
    let failures = 1;
    b.carrier.load = (refs) => (failures-- > 0 ? Promise.reject(new StoreError('STORE_DOWN', 'slow')) : load(refs));
    b.carrier.down = false;
    await pass(60_000);
    expect(woken).toHaveBeenCalledOnce();
  });

  it('hears what a process did before it was there, even if that ends at once', async () => {
    const first = world.fleet.add();
    await world.fleet.ready();
    first.latchkey.capture('S', bearer('s'));
    await pass(100);
    const short = world.fleet.add({ helloMs: 20 });
    short.latchkey.evict('S');
    short.latchkey.capture('T', bearer('t'));
    const closed = short.latchkey.close();
    await pass(100);
    await closed;
    await first.latchkey.load(['T']);
    expect([credentialOf(first.latchkey, { session: 'S', provider: 'P' }), credentialOf(first.latchkey, 'T')]).toEqual(['missing', 't']);
    expect(first.latchkey.stats().sessions).toBe(1);
  });
});
