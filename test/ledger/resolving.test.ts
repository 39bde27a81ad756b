import { describe, expect, it } from 'vitest';
import {
  bearer,
  createLatchkey,
  type FallbackCandidate,
  type Latchkey,
  type LatchkeyOptions,
  type Lease,
  type Scope,
  type ScopeParts,
} from '../../src/index.js';
import { answering } from '../support/answering.js';
import { type ManualClock, manualClock, START } from '../support/clock.js';
import { hearAll } from '../support/heard.js';

const A = bearer('value-a');
const B = bearer('value-b');
const G = bearer('value-g');

function gateway(options: LatchkeyOptions = {}): { latchkey: Latchkey; clock: ManualClock } {
  const clock = manualClock();
  return { latchkey: createLatchkey({ clock, ...options }), clock };
}

function leaseFor(latchkey: Latchkey, scope: Scope): Lease {
  const resolution = latchkey.resolve(scope);
  if (!resolution.ok) throw new Error(`blocked: ${resolution.reason}`);
  return resolution.lease;
}

const MISSING = { ok: false, reason: 'missing' };

describe('resolving', () => {
  it('case 23: a usable session slot wins over the global one', () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    latchkey.capture('T', G);
    expect(leaseFor(latchkey, 'S')).toMatchObject({ source: 'session', credential: A, scope: { session: 'S' } });
    expect(leaseFor(latchkey, {}).credential).toBe(G);
  });

  it.each([401, 403])('case 23: one rejected with %i gives the global one of the same tenant and provider', (status) => {
    const { latchkey } = gateway();
    const scope = { tenant: 't', session: 'S', provider: 'P' };
    latchkey.capture({ tenant: 'u', provider: 'P' }, bearer('of-another-tenant'));
    latchkey.capture({ tenant: 't', provider: 'Q' }, bearer('of-another-provider'));
    latchkey.capture(scope, A);
    latchkey.capture({ tenant: 't', session: 'T', provider: 'P' }, G);
    leaseFor(latchkey, scope).settle(status);
    expect(leaseFor(latchkey, scope)).toMatchObject({ source: 'global', credential: G });
  });

  it('case 23: with neither usable it is blocked, by the one whose fall completed the block', () => {
    const { latchkey, clock } = gateway();
    latchkey.capture('S', A);
    latchkey.capture('T', G);
    leaseFor(latchkey, 'S').settle(401);
    clock.advance(1_000);
    leaseFor(latchkey, 'S').settle(403);
    expect(latchkey.resolve('S')).toMatchObject({ ok: false, reason: 'rejected', status: 403, since: START + 1_000 });
  });

  it('case 24: session and global hold the same dead value: rejected, and nothing is sent', async () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A).settle(401);
    const upstream = answering();
    await expect(latchkey.run('S', upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED', fingerprint: A.fingerprint });
    expect(latchkey.resolve('S')).toMatchObject({ ok: false, reason: 'rejected', status: 401 });
    expect(upstream.sent).toEqual([]);
  });

  it.each<LatchkeyOptions>([{}, { fallback: 'none' }, { fallback: () => false }])(
    'case 25: work of no session gets the global one, with %o too',
    (options) => {
      const { latchkey } = gateway(options);
      latchkey.capture({ session: 'S', provider: 'P' }, A);
      expect(leaseFor(latchkey, { provider: 'P' })).toMatchObject({ source: 'global', credential: A });
    },
  );

  it('case 25: a run of no session with `fallback: none` gets it too', async () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    const upstream = answering();
    await latchkey.run({}, upstream.attempt, { fallback: 'none' });
    expect(upstream.sent).toEqual(['value-a']);
  });

  it('case 25: nothing at all is missing, which is no incident', async () => {
    const { latchkey } = gateway();
    const heard = hearAll(latchkey);
    for (const scope of ['S', {}, { provider: 'P' }]) expect(latchkey.resolve(scope)).toEqual(MISSING);
    await expect(latchkey.run('S', () => 1)).rejects.toMatchObject({ code: 'CREDENTIAL_MISSING', scope: { session: 'S' } });
    expect(latchkey.stats().incidents).toBe(0);
    expect(heard).toEqual([]);
  });

  it('case 26: asking for Q when S holds only P and the global one is P’s is missing, never P’s', async () => {
    const { latchkey } = gateway();
    latchkey.capture({ session: 'S', provider: 'P' }, A);
    for (const scope of [{ session: 'S', provider: 'Q' }, { provider: 'Q' }, 'S', {}]) {
      expect(latchkey.resolve(scope)).toEqual(MISSING);
      await expect(latchkey.run(scope, () => 1)).rejects.toMatchObject({ code: 'CREDENTIAL_MISSING' });
    }
    latchkey.capture('S', B);
    expect(latchkey.resolve({ session: 'S', provider: 'Q' })).toEqual(MISSING);
    expect(leaseFor(latchkey, { session: 'S', provider: 'P' }).credential).toBe(A);
  });

  it('case 27: a global captured in tenant 1 is never lent to tenant 2', () => {
    const { latchkey } = gateway();
    latchkey.capture({ tenant: '1', session: 'S' }, A);
    for (const scope of [{ tenant: '2', session: 'S' }, { tenant: '2' }, 'S', {}]) expect(latchkey.resolve(scope)).toEqual(MISSING);
  });

  it('case 27: nor when tenant 2’s own is dead, with a session or without', () => {
    const { latchkey } = gateway();
    latchkey.capture({ tenant: '1', session: 'S' }, A);
    latchkey.capture({ tenant: '2', session: 'S' }, B).settle(401);
    latchkey.capture({ tenant: '1', session: 'T' }, G);
    for (const scope of [{ tenant: '2', session: 'S' }, { tenant: '2', session: 'T' }, { tenant: '2' }]) {
      expect(latchkey.resolve(scope)).toMatchObject({ ok: false, reason: 'rejected' });
    }
  });

  it('case 27: `tenancy: multi` refuses a scope without a tenant, everywhere', async () => {
    const { latchkey } = gateway({ tenancy: 'multi' });
    const tenant = /`tenant` is required/;
    for (const scope of ['S', {}, { session: 'S' }]) {
      expect(() => latchkey.capture(scope, A)).toThrow(tenant);
      expect(() => latchkey.resolve(scope)).toThrow(TypeError);
      expect(() => latchkey.canRun(scope)).toThrow(tenant);
      expect(() => latchkey.explain(scope)).toThrow(tenant);
      expect(() => latchkey.forgive(scope)).toThrow(tenant);
      await expect(latchkey.run(scope, () => 1)).rejects.toThrow(tenant);
      await expect(latchkey.whenRunnable(scope)).rejects.toThrow(tenant);
    }
    expect(() => latchkey.pin({ provider: 'P' }, A)).toThrow(tenant);
    expect(() => latchkey.evict('S')).toThrow(tenant);
    expect(() => latchkey.evict({ session: 'S' })).toThrow(tenant);
    expect(latchkey.stats()).toMatchObject({ captures: 0, runs: 0, identities: 0 });
    latchkey.capture({ tenant: 't', session: 'S' }, A);
    expect(latchkey.canRun({ tenant: 't' })).toBe(true);
  });

  it('case 28: `fallback: none` by option: the session’s own or nothing', () => {
    const { latchkey } = gateway({ fallback: 'none' });
    latchkey.capture('S', A);
    latchkey.capture('T', G);
    expect(leaseFor(latchkey, 'S').credential).toBe(A);
    expect(latchkey.resolve('U')).toEqual(MISSING);
    leaseFor(latchkey, 'S').settle(401);
    expect(latchkey.resolve('S')).toMatchObject({ ok: false, reason: 'rejected' });
  });

  it('case 28: `fallback: none` per run, and for that run only', async () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    latchkey.capture('T', G);
    const upstream = answering({ 'value-a': 401 });
    await expect(latchkey.run('U', upstream.attempt, { fallback: 'none' })).rejects.toMatchObject({ code: 'CREDENTIAL_MISSING' });
    await expect(latchkey.run('S', upstream.attempt, { fallback: 'none' })).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    expect(upstream.sent).toEqual(['value-a']);
    await latchkey.run('S', upstream.attempt);
    expect(upstream.sent).toEqual(['value-a', 'value-g']);
  });

  it('case 28: a rule is asked last, of a usable global that is not the session’s own', () => {
    const asked: [FallbackCandidate, ScopeParts][] = [];
    const { latchkey } = gateway({
      fallback: (candidate, scope) => {
        asked.push([candidate, scope]);
        return scope.purpose !== 'warming';
      },
    });
    latchkey.capture({ tenant: 't', session: 'S', provider: 'P' }, A);
    latchkey.capture({ tenant: 't', session: 'T', provider: 'P' }, G);
    leaseFor(latchkey, { tenant: 't', session: 'S', provider: 'P' });
    leaseFor(latchkey, { tenant: 't', provider: 'P' });
    expect(asked).toEqual([]);
    const cold = { tenant: 't', session: 'U', provider: 'P' };
    expect(leaseFor(latchkey, cold).credential).toBe(G);
    expect(asked).toEqual([[{ fingerprint: G.fingerprint, scheme: 'bearer', provider: 'P' }, cold]]);
    expect(latchkey.resolve({ ...cold, purpose: 'warming' })).toEqual(MISSING);
    leaseFor(latchkey, { tenant: 't', provider: 'P' }).settle(401);
    asked.length = 0;
    latchkey.resolve(cold);
    expect(asked).toEqual([]);
  });

  it('case 28: a rule that says yes to everything cannot widen provider or tenant', () => {
    const { latchkey } = gateway({ fallback: () => true });
    latchkey.capture({ tenant: '1', session: 'S', provider: 'P' }, A);
    expect(latchkey.resolve({ tenant: '1', session: 'S', provider: 'Q' })).toEqual(MISSING);
    expect(latchkey.resolve({ tenant: '2', session: 'S', provider: 'P' })).toEqual(MISSING);
    expect(latchkey.canRun({ tenant: '1', session: 'T', provider: 'P' })).toBe(true);
  });

  it('case 30: `expiresAt` in the past: expired, and nothing is sent', async () => {
    const { latchkey, clock } = gateway();
    const expiresAt = clock.now() + 1_000;
    latchkey.capture('S', bearer('short', { expiresAt }));
    clock.advance(999);
    expect(latchkey.canRun('S')).toBe(true);
    clock.advance(1);
    expect(latchkey.resolve('S')).toEqual({ ok: false, reason: 'expired', status: undefined, since: expiresAt, until: undefined });
    const upstream = answering();
    await expect(latchkey.run('S', upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_EXPIRED', since: expiresAt });
    expect(upstream.sent).toEqual([]);
    expect(latchkey.stats().incidents).toBe(0);
  });

  it('case 30: an acceptance of what was sent after it voids the hint, of what was sent before does not, and a newer hint counts again', () => {
    const { latchkey, clock } = gateway();
    const credential = bearer('short', { expiresAt: clock.now() + 1_000 });
    latchkey.capture('S', credential).settle(200);
    const early = leaseFor(latchkey, 'S');
    clock.advance(1_000);
    expect(latchkey.canRun('S')).toBe(false);
    early.settle(200);
    expect(latchkey.canRun('S')).toBe(false);
    latchkey.capture('S', credential).settle(200);
    expect(latchkey.canRun('S')).toBe(true);
    clock.advance(1_000_000);
    latchkey.capture('S', credential);
    expect(latchkey.canRun('S')).toBe(true);
    latchkey.capture('S', bearer('short', { expiresAt: clock.now() - 1 }));
    expect(latchkey.resolve('S')).toMatchObject({ ok: false, reason: 'expired' });
  });

  it('case 30: an expired session credential gives way to the global one', () => {
    const { latchkey, clock } = gateway();
    latchkey.capture('S', bearer('short', { expiresAt: clock.now() + 10 }));
    latchkey.capture('T', G);
    clock.advance(10);
    expect(leaseFor(latchkey, 'S').credential).toBe(G);
  });

  it('a lease is fresh data: its headers are a new object each time, and it knows whether it is still good', () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    const lease = leaseFor(latchkey, 'S');
    lease.headers()['authorization'] = 'changed';
    expect(lease.headers()).toEqual({ authorization: 'Bearer value-a' });
    expect(lease.usable()).toBe(true);
    leaseFor(latchkey, 'S').settle(401);
    expect(lease.usable()).toBe(false);
  });

  it('asking changes nothing, and `canRun` is what `resolve` says', () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    latchkey.capture('T', G).settle(401);
    const scopes: Scope[] = ['S', 'T', 'U', {}, { provider: 'P' }];
    const heard = hearAll(latchkey);
    const before = [latchkey.snapshot(), latchkey.stats()];
    for (let again = 0; again < 3; again++) {
      for (const scope of scopes) {
        expect(latchkey.canRun(scope)).toBe(latchkey.resolve(scope).ok);
        expect(latchkey.explain(scope).ok).toBe(latchkey.canRun(scope));
      }
    }
    expect([latchkey.snapshot(), latchkey.stats()]).toEqual(before);
    expect(heard).toEqual([]);
  });
});
