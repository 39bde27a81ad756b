import { describe, expect, it } from 'vitest';
import { bearer, type Scope } from '../../src/index.js';
import { credentialOf, frozenFleet, pass } from '../support/frozen-fleet.js';

describe('what was known of a credential, and the store has lost', () => {
  const test = frozenFleet();

  async function tellsAgain(present: () => void, scope: Scope): Promise<void> {
    const [a, b] = test.fleet.processes;
    present();
    await pass(3_000);
    for (const record of test.fleet.store.dump()) if (record.kind === 'identity') test.fleet.store.lose(record);
    // Whatever makes it ask again.
    await a?.latchkey.load([typeof scope === 'string' ? { session: scope, purpose: 'other' } : { ...scope, purpose: 'other' }]);
    await pass(100);
    await b?.latchkey.load([scope]);
    expect(b && credentialOf(b.latchkey, scope)).toBe('rejected');
    expect(test.fleet.store.dump().some(({ kind }) => kind === 'identity')).toBe(true);
  }

  it('is told again for a session’s slot', async () => {
    const a = test.fleet.add();
    test.fleet.add({ fallback: 'none' });
    await test.fleet.ready();
    await tellsAgain(() => void a.latchkey.capture('S', bearer('dead')).settle(401), 'S');
  });

  it('is told again for a credential that is lent', async () => {
    const a = test.fleet.add();
    test.fleet.add();
    await test.fleet.ready();
    await tellsAgain(() => void a.latchkey.capture({}, bearer('dead')).settle(401), 'S');
  });

  it('is told again for a pin', async () => {
    const a = test.fleet.add();
    test.fleet.add();
    await test.fleet.ready();
    const present = (): void => {
      a.latchkey.pin({}, bearer('dead'));
      const found = a.latchkey.resolve({});
      if (found.ok) found.lease.settle(401);
    };
    await tellsAgain(present, 'S');
  });

  it('is told once', async () => {
    const a = test.fleet.add();
    await test.fleet.ready();
    a.latchkey.capture('S', bearer('dead')).settle(401);
    await pass(3_000);
    for (const record of test.fleet.store.dump()) if (record.kind === 'identity') test.fleet.store.lose(record);
    let pushes = 0;
    const { push } = a.carrier;
    a.carrier.push = (...args) => {
      pushes++;
      return push(...args);
    };
    await a.latchkey.load([{ session: 'S', purpose: 'other' }]);
    await pass(20_000);
    expect(pushes).toBe(1);
  });
});

describe('a tenant’s eviction that the store has lost', () => {
  const test = frozenFleet();

  it('is told again by whoever asks about that tenant', async () => {
    const [a, b] = [test.fleet.add(), test.fleet.add()];
    const scope = { tenant: 'T', session: 'S' };
    await test.fleet.ready();
    a.latchkey.capture(scope, bearer('gone'));
    await pass(100);
    await b.latchkey.load([{ tenant: 'T', session: 'other' }]);
    a.latchkey.evict({ tenant: 'T' });
    b.latchkey.capture({ tenant: 'T', session: 'other' }, bearer('new'));
    await pass(3_000);
    for (const record of test.fleet.store.dump()) if (record.kind === 'tenant') test.fleet.store.lose(record);
    await b.latchkey.load([{ tenant: 'T', session: 'other', purpose: 'another' }]);
    await pass(3_000);
    const c = test.fleet.add({ fallback: 'none' });
    await c.latchkey.ready();
    await c.latchkey.load([scope]);
    expect(credentialOf(c.latchkey, scope)).toBe('missing');
  });
});
