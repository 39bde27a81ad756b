import { expect, it } from 'vitest';
import { bearer, type Scope } from '../../../src/index.js';
import type { Start } from './contract.js';
import { leaseFor } from './fleet.js';

const A = bearer('value-a');
const B = bearer('value-b');

export function describeEviction(start: Start): void {
  it('case 19: a session loses every slot, everywhere, and what it alone had lent', async () => {
    const fleet = await start();
    const [a, b] = fleet.hands;
    const scopes: Scope[] = ['S', { session: 'S', provider: 'P' }, { session: 'S', provider: 'Q', purpose: 'any' }, 'T', {}];
    await fleet.load(...scopes);
    for (const scope of scopes.slice(0, 3)) a.capture(scope, A);
    await fleet.shows(...scopes.map((scope) => [scope, 'value-a'] as const));
    b.evict('S');
    await fleet.arrived();
    await fleet.load(...scopes);
    await fleet.shows(...scopes.map((scope) => [scope, 'missing'] as const));
    for (const latchkey of fleet.latchkeys) expect(latchkey.snapshot().slots.filter(({ scope }) => scope.tenant === undefined)).toEqual([]);
    // It may come again.
    b.capture('S', A);
    await fleet.shows(['S', 'value-a'], ['T', 'value-a']);
  });

  it.each([
    ['before', ['T', 'S']],
    ['after', ['S', 'T']],
  ])('case 19: what somebody else presented too, %s it, stays lent', async (_, order) => {
    const fleet = await start();
    const [a, , c] = fleet.hands;
    await fleet.load('S', 'T', {});
    for (const [index, session] of order.entries()) {
      fleet.hands[index]?.capture(session, A);
      await fleet.agree();
    }
    c.evict('S');
    await fleet.arrived();
    await fleet.load('S');
    await fleet.shows(['S', 'value-a'], ['T', 'value-a'], [{}, 'value-a']);
    for (const latchkey of fleet.latchkeys) {
      expect(leaseFor(latchkey, 'S').source).toBe('global');
      expect(leaseFor(latchkey, 'T').source).toBe('session');
    }
    a.evict('T');
    await fleet.arrived();
    await fleet.load('T');
    await fleet.shows(['S', 'missing'], ['T', 'missing'], [{}, 'missing']);
  });

  it('case 19: another credential in the global slot is left alone', async () => {
    const fleet = await start();
    const [a, b, c] = fleet.hands;
    await fleet.load('S', 'T');
    a.capture('S', A);
    await fleet.agree();
    b.capture('T', B);
    await fleet.agree();
    c.evict('S');
    await fleet.arrived();
    await fleet.load('S');
    await fleet.shows(['S', 'value-b'], ['T', 'value-b'], [{}, 'value-b']);
  });

  it('case 19: a tenant goes with all its sessions, and no other', async () => {
    const fleet = await start();
    const [a, b, c] = fleet.hands;
    const of = (tenant: string): Scope[] => [{ tenant, session: 'S' }, { tenant, session: 'T', provider: 'P' }, { tenant }];
    await fleet.load(...of('1'), ...of('2'));
    for (const [index, scope] of [...of('1'), ...of('2')].entries()) fleet.hands[index % 4]?.capture(scope, A);
    await fleet.shows(...[...of('1'), ...of('2')].map((scope) => [scope, 'value-a'] as const));
    c.evict({ tenant: '1' });
    await fleet.arrived();
    await fleet.load(...of('1'));
    await fleet.shows(...of('1').map((scope) => [scope, 'missing'] as const), ...of('2').map((scope) => [scope, 'value-a'] as const));
    a.evict({ tenant: '2', session: 'S' });
    await fleet.arrived();
    await fleet.load(...of('2'));
    await fleet.shows([{ tenant: '2', session: 'T', provider: 'P' }, 'value-a'], [{ tenant: '2' }, 'value-a']);
    b.capture({ tenant: '1', session: 'S' }, B);
    await fleet.shows([{ tenant: '1', session: 'S' }, 'value-b'], [{ tenant: '2' }, 'value-a']);
  });

  it('case 19: what is in flight elsewhere creates nothing', async () => {
    const fleet = await start();
    const [a, b] = fleet.hands;
    await fleet.load('S');
    const capture = a.capture('S', A);
    await fleet.agree();
    const lease = leaseFor(a, 'S');
    b.evict('S');
    await fleet.arrived();
    await fleet.load('S');
    await fleet.shows(['S', 'missing']);
    capture.settle(200);
    lease.settle(200);
    await fleet.shows(['S', 'missing'], [{}, 'missing']);
  });

  it('case 19: a rejection outlives the eviction of whoever presented it', async () => {
    const fleet = await start();
    const [a, b, c] = fleet.hands;
    await fleet.load('S', 'T');
    a.capture('S', A).settle(401);
    await fleet.shows(['S', 'rejected']);
    b.evict('S');
    await fleet.arrived();
    await fleet.load('S');
    await fleet.shows(['S', 'missing']);
    c.capture('T', A);
    await fleet.shows(['T', 'rejected']);
  });

  it('a presentation that was made after an eviction, and heard of before it, stays', async () => {
    const fleet = await start();
    const [a, b] = fleet.hands;
    await fleet.load('S');
    a.capture('S', A);
    await fleet.agree();
    a.evict('S');
    b.capture('S', B);
    a.capture('S', B);
    await fleet.load('S');
    await fleet.shows(['S', 'value-b']);
  });
}
