import { expect, it } from 'vitest';
import { bearer, type Scope } from '../../../src/index.js';
import { eventually } from '../../support/redis-fleet.js';
import type { Start } from './contract.js';
import { leaseFor } from './fleet.js';

const A = bearer('value-a');
const B = bearer('value-b');

export function describeResolving(start: Start): void {
  it('case 23: its own, then the global one of its tenant and provider, then blocked', async () => {
    const fleet = await start();
    const [a, b, c] = fleet.hands;
    await fleet.load('S', 'T');
    a.capture('S', A);
    await fleet.agree();
    b.capture('T', B);
    await fleet.shows(['S', 'value-a'], ['T', 'value-b'], ['new', 'value-b'], [{}, 'value-b']);
    leaseFor(c, 'S').settle(401);
    await fleet.shows(['S', 'value-b']);
    leaseFor(b, 'S').settle(401);
    await fleet.shows(['S', 'rejected'], ['T', 'rejected'], [{}, 'rejected']);
  });

  it('case 24: the same dead value in both slots is rejected', async () => {
    const fleet = await start();
    await fleet.load('S');
    fleet.hands[0].capture('S', A).settle(401);
    await fleet.everywhere((latchkey) => {
      expect(latchkey.resolve('S')).toMatchObject({ ok: false, reason: 'rejected', status: 401 });
      expect(latchkey.explain('S').candidates.length).toBeGreaterThan(0);
    });
  });

  it('case 25: session-less work has the global one, also without a fallback', async () => {
    const fleet = await start({ fallback: 'none' });
    const [a, b] = fleet.hands;
    await fleet.load('S', 'T', {});
    a.capture('S', A);
    await fleet.shows(['S', 'value-a'], ['T', 'missing'], [{}, 'value-a']);
    b.capture({}, B);
    await fleet.shows(['S', 'value-a'], ['T', 'missing'], [{}, 'value-b']);
  });

  it('case 25, 26: what is missing for one provider is never another’s, and explained', async () => {
    const fleet = await start();
    const [P, Q] = [
      { session: 'S', provider: 'P' },
      { session: 'S', provider: 'Q' },
    ];
    await fleet.load(P, Q, { provider: 'Q' }, 'S');
    fleet.hands[1].capture(P, A);
    await fleet.shows([P, 'value-a'], [Q, 'missing'], [{ provider: 'Q' }, 'missing'], ['S', 'missing']);
    for (const latchkey of fleet.latchkeys) expect(latchkey.explain(Q).otherProviders).toEqual(['P']);
  });

  it('case 27: tenants never cross, also when one’s own is dead, and without a session', async () => {
    const fleet = await start({ tenancy: 'multi' });
    const [a, b, c] = fleet.hands;
    const scope = (tenant: string, session?: string): Scope => ({ tenant, ...(session === undefined ? {} : { session }) });
    const all = ['1', '2'].flatMap((tenant) => [scope(tenant, 'S'), scope(tenant, 'T'), scope(tenant)]);
    await fleet.load(...all);
    a.capture(scope('1', 'S'), A);
    await fleet.shows([scope('1', 'T'), 'value-a'], [scope('1'), 'value-a'], [scope('2', 'S'), 'missing'], [scope('2'), 'missing']);
    b.capture(scope('2', 'S'), B).settle(401);
    await fleet.shows([scope('2', 'S'), 'rejected'], [scope('2', 'T'), 'rejected'], [scope('2'), 'rejected'], [scope('1'), 'value-a']);
    // The same bytes are one identity in both; nothing else is shared.
    c.capture(scope('2', 'T'), A);
    await fleet.shows([scope('2', 'T'), 'value-a'], [scope('2', 'S'), 'value-a'], [scope('1', 'S'), 'value-a']);
    leaseFor(b, scope('2', 'T')).settle(401);
    await fleet.shows(...all.map((one) => [one, 'rejected'] as const));
  });

  it('case 28: without a fallback a session has its own or nothing', async () => {
    const fleet = await start({ fallback: 'none' });
    const [a, b, c] = fleet.hands;
    await fleet.load('S', 'T');
    a.capture('S', A);
    await fleet.agree();
    b.capture('T', B);
    await fleet.agree();
    leaseFor(c, 'S').settle(401);
    await fleet.shows(['S', 'rejected'], ['T', 'value-b']);
  });

  it('case 28: a rule narrows the fallback, for what others captured too', async () => {
    const fleet = await start({ fallback: (_, scope) => scope.session !== 'barred' });
    await fleet.load('S', 'barred', 'welcome');
    fleet.hands[2].capture('S', A);
    await fleet.everywhere((latchkey) => {
      expect(latchkey.canRun('welcome')).toBe(true);
      expect(latchkey.canRun('barred')).toBe(false);
    });
  });

  it('case 30: past its expiry a credential is expired everywhere; a success after it says otherwise, everywhere', async () => {
    const fleet = await start();
    const [a, b] = fleet.hands;
    await fleet.load('S', 'T');
    const expiresAt = Date.now() + 200;
    const short = bearer('value-short', { expiresAt });
    a.capture('S', short);
    await fleet.agree();
    await eventually(() => Date.now() > expiresAt);
    await fleet.shows(['S', 'expired'], ['T', 'expired']);
    for (const latchkey of fleet.latchkeys)
      expect(latchkey.explain('S').candidates[0]).toMatchObject({ reason: 'expired', since: expiresAt });
    b.capture('S', short).settle(200);
    await fleet.shows(['S', 'value-short'], ['T', 'value-short']);
  });

  it('case 30: what has expired displaces nothing that lives', async () => {
    const fleet = await start();
    const [a, b] = fleet.hands;
    await fleet.load('S');
    a.capture('S', A);
    await fleet.agree();
    b.capture('S', bearer('value-old', { expiresAt: Date.now() - 1_000 }));
    await fleet.shows(['S', 'value-a']);
  });

  it('case 31: scopes with odd names never collide', async () => {
    const fleet = await start();
    const names = ['a|b', 'a', 'a:b', '__proto__', 'a\u0000b', '"', '{}', ' a'];
    const scopes = names.flatMap((name) => [{ session: name }, { tenant: name, session: 'a' }, { session: 'a', provider: name }]);
    await fleet.load(...scopes);
    for (const [index, scope] of scopes.entries()) fleet.hands[index % 4]?.capture(scope, bearer(`value-${index}`));
    // One scope is written in two ways.
    const expected = new Map(scopes.map((scope, index) => [JSON.stringify(scope), `value-${index}`]));
    await fleet.shows(...scopes.map((scope) => [scope, expected.get(JSON.stringify(scope)) ?? ''] as const));
  });
}
