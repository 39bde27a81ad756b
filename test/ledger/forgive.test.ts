import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions, type Lease, type Scope } from '../../src/index.js';
import { manualClock } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';

const A = bearer('value-a');
const B = bearer('value-b');

const gateway = (options: LatchkeyOptions = {}): Latchkey => createLatchkey({ clock: manualClock(), ...options });

function leaseFor(latchkey: Latchkey, scope: Scope): Lease {
  const resolution = latchkey.resolve(scope);
  if (!resolution.ok) throw new Error(`blocked: ${resolution.reason}`);
  return resolution.lease;
}

describe('forgive', () => {
  it('case 22: frees a scope, and with it everybody who holds the same credential', () => {
    const latchkey = gateway();
    for (const session of ['S', 'T']) latchkey.capture(session, A);
    leaseFor(latchkey, 'S').settle(401);
    const heard = hearAll(latchkey);
    latchkey.forgive('S');
    expect(latchkey.canRun('S')).toBe(true);
    expect(latchkey.canRun('T')).toBe(true);
    expect(latchkey.stats().openIncidents).toBe(0);
    expect(named(heard, 'resumed')).toMatchObject([{ scope: { session: 'S' }, end: 'proof' }]);
    // Unproven, not accepted: nobody has seen it work.
    expect(latchkey.capture('S', A).settle(404)).toEqual({ state: 'unproven' });
  });

  it('case 22: frees a fingerprint, at every provider', () => {
    const latchkey = gateway();
    for (const provider of ['P', 'Q']) {
      latchkey.capture({ session: 'S', provider }, A).settle(401);
      latchkey.capture({ session: 'T', provider }, B).settle(401);
    }
    latchkey.forgive(A.fingerprint);
    for (const provider of ['P', 'Q']) {
      expect(latchkey.canRun({ session: 'S', provider })).toBe(true);
      expect(latchkey.capture({ session: 'T', provider }, B).usable).toBe(false);
    }
  });

  it('case 22: frees a scope’s 403 mark and a hold', () => {
    const latchkey = gateway();
    latchkey.capture('S', A);
    leaseFor(latchkey, { session: 'S', purpose: 'warming' }).settle(403);
    latchkey.forgive({ session: 'S', purpose: 'warming' });
    expect(latchkey.canRun({ session: 'S', purpose: 'warming' })).toBe(true);
    leaseFor(latchkey, 'S').settle({ holdMs: 60_000 });
    latchkey.forgive('S');
    expect(latchkey.canRun('S')).toBe(true);
  });

  it('case 22: frees both candidates of a scope, its own and the global one', () => {
    const latchkey = gateway();
    latchkey.capture('S', A);
    latchkey.capture('T', B);
    leaseFor(latchkey, 'S').settle(401);
    leaseFor(latchkey, 'S').settle(401);
    expect(latchkey.canRun('S')).toBe(false);
    latchkey.forgive('S');
    expect(latchkey.explain('S').candidates.map(({ usable }) => usable)).toEqual([true, true]);
  });

  it('case 22: a call that was out when it was forgiven does not count, one sent since does', () => {
    const latchkey = gateway();
    latchkey.capture('S', A);
    const [before, alsoBefore] = [leaseFor(latchkey, 'S'), leaseFor(latchkey, 'S')];
    before.settle(401);
    latchkey.forgive('S');
    alsoBefore.settle(401);
    expect(latchkey.canRun('S')).toBe(true);
    leaseFor(latchkey, 'S').settle(401);
    expect(latchkey.canRun('S')).toBe(false);
  });

  it('case 22: forgiving frees a rejection that no slot holds any more', () => {
    const latchkey = gateway();
    latchkey.capture('S', A).settle(401);
    latchkey.evict('S');
    latchkey.forgive(A.fingerprint);
    expect(latchkey.capture('S', A).usable).toBe(true);
  });

  it('leaves alone what there is nothing to forgive of', () => {
    const latchkey = gateway();
    latchkey.capture('S', A);
    latchkey.forgive('unheard of');
    latchkey.forgive({});
    latchkey.forgive('0123456789abcdef');
    expect(latchkey.canRun('S')).toBe(true);
    expect(latchkey.snapshot().verdicts).toEqual([]);
  });

  it('takes a fingerprint in a gateway of several tenants, known or not', () => {
    const latchkey = gateway({ tenancy: 'multi' });
    latchkey.capture({ tenant: 't', session: 'S' }, A).settle(401);
    latchkey.forgive(A.fingerprint);
    expect(latchkey.canRun({ tenant: 't', session: 'S' })).toBe(true);
    expect(() => latchkey.forgive(B.fingerprint)).not.toThrow();
    expect(() => latchkey.forgive('S')).toThrow(/`tenant`/);
  });
});
