import { describe, expect, it } from 'vitest';
import { bearer } from '../../src/index.js';
import { credentialOf, frozenFleet, pass } from '../support/frozen-fleet.js';
import type { MemoryProcess } from '../support/memory-fleet.js';

/** Counts what it sends; after so much it gets no answer any more. */
function countPushes({ carrier }: MemoryProcess): { readonly count: number } {
  let count = 0;
  const { push } = carrier;
  carrier.push = (...args) => (++count > 10 ? new Promise(() => {}) : push(...args));
  return {
    get count() {
      return count;
    },
  };
}

describe.each([
  ['heard of', true],
  ['lost', false],
])(
  'a credential that is presented again, before an older one of another process comes to the store, the message of which is %s',
  (_, isHeard) => {
    const test = frozenFleet();

    /** One process was cut off; what it was presented meanwhile comes to the store now. */
    async function reconnect(cut: MemoryProcess, other: MemoryProcess): Promise<void> {
      other.carrier.auto = isHeard;
      cut.carrier.down = false;
      await pass(1_000);
      while (other.carrier.pending.length > 0) other.carrier.drop();
      other.carrier.auto = true;
      await pass(10_000);
    }

    async function found(scope: string): Promise<string[]> {
      for (const { latchkey } of test.fleet.processes) await latchkey.load([scope]);
      return test.fleet.processes.map(({ latchkey }) => credentialOf(latchkey, scope));
    }

    it('wins, and is told once', async () => {
      const [a, b] = [test.fleet.add(), test.fleet.add()];
      await test.fleet.ready();
      b.latchkey.capture('S', bearer('newest'));
      await pass(3_000);
      await a.latchkey.load(['S']);
      a.carrier.down = true;
      a.latchkey.capture('S', bearer('older'));
      await pass(10);
      b.latchkey.capture('S', bearer('newest'));
      await pass(10);
      const pushes = countPushes(b);
      await reconnect(a, b);
      expect(await found('S')).toEqual(['newest', 'newest']);
      expect(pushes.count).toBe(1);
    });

    it('wins, though its session lends nothing any more', async () => {
      const [a, b] = [test.fleet.add(), test.fleet.add()];
      await test.fleet.ready();
      b.latchkey.capture('S', bearer('newest'));
      await pass(3_000);
      await a.latchkey.load(['S']);
      a.carrier.down = true;
      a.latchkey.capture('S', bearer('older'));
      await pass(10);
      b.latchkey.capture('S', bearer('newest'));
      b.latchkey.capture('lender', bearer('lent'));
      await pass(10);
      await reconnect(a, b);
      expect(await found('S')).toEqual(['newest', 'newest']);
      expect(await found('borrower')).toEqual(['lent', 'lent']);
    });

    it('is lent again, though nobody takes its session’s', async () => {
      const [a, b] = [test.fleet.add(), test.fleet.add()];
      await test.fleet.ready();
      b.latchkey.capture('S', bearer('newest'));
      await pass(3_000);
      await a.latchkey.load(['lender']);
      a.carrier.down = true;
      a.latchkey.capture('lender', bearer('older'));
      await pass(10);
      b.latchkey.capture('S', bearer('newest'));
      await pass(10);
      await reconnect(a, b);
      expect(await found('borrower')).toEqual(['newest', 'newest']);
    });
  },
);

describe('a credential that is presented again, and is known elsewhere to be dead', () => {
  const test = frozenFleet();

  it('is told once', async () => {
    const [a, b] = [test.fleet.add(), test.fleet.add()];
    await test.fleet.ready();
    b.latchkey.capture('S', bearer('dead'));
    await pass(100);
    await a.latchkey.load(['S']);
    b.carrier.auto = false;
    const lease = a.latchkey.resolve('S');
    if (lease.ok) lease.lease.settle(401);
    a.latchkey.capture('S', bearer('live'));
    await pass(10);
    b.latchkey.capture('S', bearer('dead'));
    const pushes = countPushes(b);
    await b.latchkey.load([{ session: 'S', purpose: 'other' }]);
    await pass(10);
    expect(pushes.count).toBe(1);
    b.carrier.auto = true;
    b.carrier.deliverAll();
    await pass(10);
    expect(test.fleet.processes.map(({ latchkey }) => credentialOf(latchkey, 'S'))).toEqual(['live', 'live']);
  });
});
