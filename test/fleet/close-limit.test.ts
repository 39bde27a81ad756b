import { describe, expect, it } from 'vitest';
import type { Carrier } from '../../src/fleet/carrier.js';
import { StoreError } from '../../src/fleet/store-error.js';
import { bearer } from '../../src/index.js';
import { frozenFleet, pass } from '../support/frozen-fleet.js';

const COMMANDS = ['hello', 'push', 'load', 'changedSince', 'lock', 'unlock', 'enter', 'leave'] as const;

/** From now on nothing is answered, until the carrier is closed: then what waits fails. */
function silence(carrier: Carrier, commands: readonly (typeof COMMANDS)[number][]): { closed: boolean } {
  const waiting: (() => void)[] = [];
  const seen = { closed: false };
  const never = (): Promise<never> =>
    new Promise((_, reject) => waiting.push(() => reject(new StoreError('STORE_DOWN', 'the store is closed'))));
  const close = carrier.close.bind(carrier);
  Object.assign(carrier, Object.fromEntries(commands.map((command) => [command, never])), {
    close: async () => {
      seen.closed = true;
      for (const fail of waiting) fail();
      await close();
    },
  });
  return seen;
}

describe('closing beside a store that answers nothing', () => {
  const world = frozenFleet();

  it.each([
    ['what was captured', COMMANDS, true],
    ['an incident that has ended', ['unlock', 'enter', 'leave', 'lock'] as const, true],
    ['an incident that is open', ['unlock', 'enter', 'leave', 'lock'] as const, false],
  ])('takes no longer than it may: %s', async (_, commands, ends) => {
    const { latchkey, carrier } = world.fleet.add({ reporter: { opened: async () => {}, ended: async () => {} } });
    await world.fleet.ready();
    latchkey.capture('S', bearer('s'));
    await pass(100);
    await expect(latchkey.run('S', () => Promise.reject(Object.assign(new Error('no'), { status: 401 })))).rejects.toThrow();
    await pass(100);
    expect(latchkey.stats().openIncidents).toBe(1);
    const store = silence(carrier, commands);
    if (ends) latchkey.capture('S', bearer('fresh'));
    let isClosed = false;
    const closing = latchkey.close({ timeoutMs: 500 }).then(() => {
      isClosed = true;
    });
    await pass(500);
    expect([isClosed, store.closed]).toEqual([true, true]);
    await closing;
  });

  it('does not wait for it where nothing is to be told', async () => {
    const { latchkey, carrier } = world.fleet.add();
    await world.fleet.ready();
    const store = silence(carrier, COMMANDS);
    let isClosed = false;
    void latchkey.close({ timeoutMs: 500 }).then(() => {
      isClosed = true;
    });
    await pass(0);
    expect([isClosed, store.closed]).toEqual([true, true]);
  });
});
