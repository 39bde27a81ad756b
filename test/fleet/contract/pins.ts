import { expect, it } from 'vitest';
import { bearer } from '../../../src/index.js';
import type { Start } from './contract.js';
import { leaseFor } from './fleet.js';

const USER = bearer('user-value');
const PIN = bearer('pin-value');
const P = { provider: 'P' };
const SP = { session: 'S', provider: 'P' };
const WARMING = { session: 'S', provider: 'P', purpose: 'warming' };

export function describePins(start: Start): void {
  it('case 29: a pin is asked first everywhere, and no client displaces it', async () => {
    const fleet = await start();
    const [a, b, c] = fleet.hands;
    await fleet.load(SP, P, 'S');
    a.capture(SP, USER);
    await fleet.shows([SP, 'user-value']);
    b.pin(P, PIN);
    await fleet.shows([SP, 'pin-value'], [P, 'pin-value'], ['S', 'missing']);
    expect(leaseFor(a, SP).source).toBe('pinned');
    c.capture(SP, bearer('newer'));
    await fleet.shows([SP, 'pin-value']);
  });

  it('case 29: rejected anywhere, its scope is blocked everywhere, whatever clients present', async () => {
    const fleet = await start();
    const [a, b, c] = fleet.hands;
    await fleet.load(SP);
    a.pin(P, PIN);
    await fleet.shows([SP, 'pin-value']);
    leaseFor(b, SP).settle(401);
    await fleet.shows([SP, 'rejected']);
    c.capture(SP, USER);
    await fleet.shows([SP, 'rejected']);
    for (const latchkey of fleet.latchkeys) expect(latchkey.explain(SP).candidates).toMatchObject([{ source: 'pinned', status: 401 }]);
  });

  it('case 29: pinned again, elsewhere and the same value too, it counts as good', async () => {
    const fleet = await start();
    const [a, b, c] = fleet.hands;
    await fleet.load(SP);
    a.pin(P, PIN);
    await fleet.agree();
    const before = leaseFor(b, SP);
    leaseFor(b, SP).settle(401);
    await fleet.shows([SP, 'rejected']);
    c.pin(P, PIN);
    await fleet.shows([SP, 'pin-value']);
    // Sent before the second pinning.
    before.settle(401);
    await fleet.shows([SP, 'pin-value']);
    leaseFor(a, SP).settle(401);
    await fleet.shows([SP, 'rejected']);
  });

  it('the newer of two pins stays; taking the older one away again changes nothing', async () => {
    const fleet = await start();
    const [a, b] = fleet.hands;
    await fleet.load(SP);
    a.capture(SP, USER);
    const first = a.pin(P, PIN);
    await fleet.shows([SP, 'pin-value']);
    const second = b.pin(P, bearer('pin-2'));
    await fleet.shows([SP, 'pin-2']);
    first();
    await fleet.shows([SP, 'pin-2']);
    second();
    await fleet.shows([SP, 'user-value']);
    second();
    b.pin(P, PIN);
    await fleet.shows([SP, 'pin-value']);
    first();
    second();
    await fleet.shows([SP, 'pin-value']);
  });

  it('a pin of one purpose is for that kind of work only', async () => {
    const fleet = await start();
    const [a, b] = fleet.hands;
    await fleet.load(SP, WARMING);
    a.capture(SP, USER);
    const unpin = b.pin({ provider: 'P', purpose: 'warming' }, PIN);
    await fleet.shows([SP, 'user-value'], [WARMING, 'pin-value']);
    leaseFor(a, WARMING).settle(401);
    await fleet.shows([SP, 'user-value'], [WARMING, 'rejected']);
    unpin();
    await fleet.shows([SP, 'user-value'], [WARMING, 'user-value']);
  });

  it('a pin is one tenant’s, and in everybody’s snapshot', async () => {
    const fleet = await start();
    const [one, two] = [
      { tenant: '1', session: 'S' },
      { tenant: '2', session: 'S' },
    ];
    await fleet.load(one, two);
    fleet.hands[1].pin({ tenant: '1' }, PIN);
    await fleet.shows([one, 'pin-value'], [two, 'missing']);
    for (const latchkey of fleet.latchkeys)
      expect(latchkey.snapshot().slots).toContainEqual(
        expect.objectContaining({ slot: 'pinned', scope: { tenant: '1' }, fingerprint: PIN.fingerprint }),
      );
  });

  it('evicting sessions, or their tenant, takes no pin away', async () => {
    const fleet = await start();
    const [a, b] = fleet.hands;
    const scope = { tenant: '1', session: 'S' };
    await fleet.load(scope);
    a.capture(scope, USER);
    a.pin({ tenant: '1' }, PIN);
    await fleet.shows([scope, 'pin-value']);
    b.evict(scope);
    await fleet.shows([scope, 'pin-value']);
    b.evict({ tenant: '1' });
    await fleet.shows([scope, 'pin-value']);
  });
}
