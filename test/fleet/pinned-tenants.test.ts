import { describe, expect, it } from 'vitest';
import { bearer } from '../../src/index.js';
import { credentialOf, frozenFleet, pass } from '../support/frozen-fleet.js';

const MANY = 5_000;
/** What may be left of them until it is looked which are of use. */
const FEW = 1_000;

describe('tenants that something was pinned for', () => {
  const test = frozenFleet();

  it('are forgotten once the pin is gone, and not before', async () => {
    const { latchkey, carrier } = test.fleet.add();
    const other = test.fleet.add();
    await test.fleet.ready();
    latchkey.pin({ tenant: 'kept' }, bearer('kept'));
    await pass(10);
    for (let index = 0; index < MANY; index++) {
      latchkey.pin({ tenant: `${index}` }, bearer('gone'))();
      if (index % 500 === 0) await pass(1);
    }
    await pass(3_000);
    const asked = new Set<string>();
    const { load } = carrier;
    carrier.load = (refs) => {
      for (const { kind, name } of refs) if (kind === 'tenant') asked.add(name);
      return load(refs);
    };
    other.latchkey.pin({ tenant: 'kept' }, bearer('changed'));
    await pass(10);
    expect(credentialOf(latchkey, { tenant: 'kept' })).toBe('changed');
    expect(test.fleet.store.dump().filter(({ kind }) => kind === 'tenant')).toHaveLength(MANY + 1);
    test.fleet.store.reset();
    await pass(3_000);
    expect(asked.size).toBeLessThanOrEqual(FEW);
  });
});
