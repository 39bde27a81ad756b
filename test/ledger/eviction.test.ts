import { afterEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions, type Lease, type Scope } from '../../src/index.js';
import { freezeTime, manualClock } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';

const A = bearer('value-a');
const B = bearer('value-b');

const gateway = (options: LatchkeyOptions = {}): Latchkey => createLatchkey({ clock: manualClock(), ...options });

function leaseFor(latchkey: Latchkey, scope: Scope): Lease {
  const resolution = latchkey.resolve(scope);
  if (!resolution.ok) throw new Error(`blocked: ${resolution.reason}`);
  return resolution.lease;
}

describe('eviction', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('case 18: a cold session that borrows G and gets 403 does not borrow G again, and others still may', async () => {
    const latchkey = gateway();
    latchkey.capture('owner', A);
    const heard = hearAll(latchkey);
    await expect(latchkey.run('cold', () => new Response(null, { status: 403 }))).rejects.toMatchObject({
      code: 'CREDENTIAL_REJECTED',
      status: 403,
    });
    expect(named(heard, 'borrowed')).toEqual([{ scope: { session: 'cold' }, fingerprint: A.fingerprint }]);
    let called = false;
    await expect(latchkey.run('cold', () => (called = true))).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    expect(called).toBe(false);
    expect(leaseFor(latchkey, 'another').source).toBe('global');
    expect(leaseFor(latchkey, 'owner').source).toBe('session');
    expect(latchkey.snapshot().slots.filter((slot) => slot.scope.session === 'cold')).toEqual([]);
    expect(latchkey.stats().sessions).toBe(1);
    // Another global credential may be borrowed again.
    latchkey.capture('owner', B);
    expect(leaseFor(latchkey, 'cold').credential).toBe(B);
  });

  it('case 19: drops every slot of the session, all providers and purposes', () => {
    const latchkey = gateway();
    for (const provider of ['P', 'Q']) latchkey.capture({ session: 'S', provider, purpose: 'any' }, A);
    latchkey.capture('S', A);
    const heard = hearAll(latchkey);
    latchkey.evict('S');
    for (const scope of ['S', { session: 'S', provider: 'P' }, { session: 'S', provider: 'Q', purpose: 'any' }]) {
      expect(latchkey.resolve(scope)).toEqual({ ok: false, reason: 'missing' });
    }
    expect(latchkey.snapshot().slots).toEqual([]);
    expect(latchkey.stats()).toMatchObject({ sessions: 0, identities: 0, tombstones: 0, evicted: 1 });
    expect(named(heard, 'evicted')).toEqual([{ tenant: undefined, session: 'S', why: 'asked' }]);
  });

  it('case 19: takes the credential out of the global slot if nobody else presented it', () => {
    const latchkey = gateway();
    latchkey.capture('S', A);
    latchkey.evict('S');
    expect(latchkey.resolve({})).toEqual({ ok: false, reason: 'missing' });
    expect(latchkey.resolve('T')).toEqual({ ok: false, reason: 'missing' });
  });

  it.each<[string, Scope]>([
    ['another session', 'T'],
    ['a request of no session', {}],
  ])('case 19: leaves it there if %s presented it too', (_, other) => {
    const latchkey = gateway();
    latchkey.capture(other, A);
    latchkey.capture('S', A);
    latchkey.evict('S');
    expect(leaseFor(latchkey, {}).credential.reveal()).toBe('value-a');
    expect(leaseFor(latchkey, 'S').source).toBe('global');
  });

  it('case 19: leaves another credential in the global slot alone', () => {
    const latchkey = gateway();
    latchkey.capture('S', A);
    latchkey.capture('T', B);
    latchkey.evict('S');
    expect(leaseFor(latchkey, {}).credential).toBe(B);
  });

  it('case 19: `{ tenant }` evicts a tenant with all its sessions, and no other', () => {
    const latchkey = gateway();
    for (const tenant of ['t1', 't2']) {
      latchkey.capture({ tenant, session: 'S' }, A);
      latchkey.capture({ tenant, session: 'T', provider: 'P' }, A);
      latchkey.capture({ tenant }, B);
    }
    latchkey.evict({ tenant: 't1' });
    for (const scope of [{ tenant: 't1', session: 'S' }, { tenant: 't1', session: 'T', provider: 'P' }, { tenant: 't1' }]) {
      expect(latchkey.resolve(scope)).toEqual({ ok: false, reason: 'missing' });
    }
    expect(latchkey.snapshot().slots.every((slot) => slot.scope.tenant === 't2')).toBe(true);
    expect(leaseFor(latchkey, { tenant: 't2', session: 'S' }).source).toBe('session');
    expect(leaseFor(latchkey, { tenant: 't2' }).credential).toBe(B);
  });

  it('case 19: a session of one tenant, not its namesake in another', () => {
    const latchkey = gateway();
    for (const tenant of ['t1', 't2']) latchkey.capture({ tenant, session: 'S' }, A);
    latchkey.evict({ tenant: 't1', session: 'S' });
    expect(latchkey.canRun({ tenant: 't1', session: 'S' })).toBe(false);
    expect(latchkey.canRun({ tenant: 't2', session: 'S' })).toBe(true);
  });

  it('case 19: results of calls in flight create nothing', async () => {
    const latchkey = gateway();
    const capture = latchkey.capture('S', A);
    const leases = [leaseFor(latchkey, 'S'), leaseFor(latchkey, 'S'), leaseFor(latchkey, 'S')];
    const run = latchkey.run('S', async () => {
      latchkey.evict('S');
      return new Response(null, { status: 401 });
    });
    await expect(run).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    const heard = hearAll(latchkey);
    const outcomes = [401, 403, 200];
    for (const [index, lease] of leases.entries()) {
      expect(lease.usable()).toBe(false);
      expect(lease.settle(outcomes[index])).toEqual({ state: 'unproven' });
    }
    expect(capture.settle(401)).toEqual({ state: 'unproven' });
    expect(latchkey.snapshot()).toMatchObject({ slots: [], verdicts: [], incidents: [] });
    expect(latchkey.stats()).toMatchObject({ sessions: 0, identities: 0, tombstones: 0, openIncidents: 0 });
    expect(named(heard, 'rejected')).toMatchObject([{ late: true }, { late: true }, { late: true }]);
    expect(latchkey.capture('S', A).usable).toBe(true);
  });

  it('case 19: a tenant leaves nothing behind, however its captures were ordered', () => {
    const latchkey = gateway();
    const tenant = 't';
    latchkey.capture({ tenant, session: 'S1' }, bearer('first'));
    const late = latchkey.capture({ tenant, session: 'S1' }, B, { provisional: true });
    latchkey.capture({ tenant, session: 'S1' }, bearer('first'), { provisional: true });
    latchkey.capture({ tenant, session: 'S2' }, bearer('first'));
    latchkey.evict({ tenant, session: 'S2' });
    late.commit();
    latchkey.evict({ tenant });
    expect(latchkey.stats()).toMatchObject({ sessions: 0, identities: 0, tombstones: 0 });
    expect(latchkey.snapshot().slots).toEqual([]);
  });

  it('case 19: a rejection outlives the eviction of whoever presented it', () => {
    const latchkey = gateway();
    latchkey.capture('S', A).settle(401);
    latchkey.evict('S');
    expect(latchkey.stats()).toMatchObject({ identities: 1, tombstones: 1 });
    expect(latchkey.capture('T', A).usable).toBe(false);
  });

  it('case 20: one session more than the limit evicts the least recently captured or run, and says so', async () => {
    const latchkey = gateway({ limits: { sessions: 3 } });
    for (const session of ['s1', 's2', 's3']) latchkey.capture(session, bearer(`value-${session}`));
    latchkey.capture('s1', bearer('value-s1'));
    await latchkey.run('s2', () => 'done');
    const heard = hearAll(latchkey);
    latchkey.capture('s4', A);
    expect(named(heard, 'evicted')).toEqual([{ tenant: undefined, session: 's3', why: 'limit' }]);
    expect(latchkey.stats()).toMatchObject({ sessions: 3, evicted: 1 });
    expect(leaseFor(latchkey, 's3').source).toBe('global');
    for (const session of ['s1', 's2', 's4']) expect(leaseFor(latchkey, session).source).toBe('session');
  });

  it('case 20: asking about a session does not keep it', () => {
    const latchkey = gateway({ limits: { sessions: 2 } });
    for (const session of ['s1', 's2']) latchkey.capture(session, bearer(`value-${session}`));
    latchkey.canRun('s1');
    latchkey.resolve('s1');
    latchkey.explain('s1');
    latchkey.snapshot();
    latchkey.capture('s3', A);
    expect(leaseFor(latchkey, 's1').source).toBe('global');
  });

  it('case 20: a verdict in use never falls out before its slot, however many other identities come and go', () => {
    const latchkey = gateway({ limits: { identities: 3 }, fallback: 'none' });
    latchkey.capture('S', A).settle(401);
    latchkey.pin({ provider: 'pinned' }, B);
    leaseFor(latchkey, { provider: 'pinned' }).settle(401);
    for (let index = 0; index < 500; index++) latchkey.capture('passing', bearer(`passing-${index}`)).settle(401);
    expect(latchkey.stats().tombstones).toBe(3);
    expect(latchkey.resolve('S')).toMatchObject({ ok: false, reason: 'rejected' });
    expect(latchkey.resolve({ provider: 'pinned' })).toMatchObject({ ok: false, reason: 'rejected' });
    // An identity that nothing holds is forgotten once its turn comes; the last ones are not.
    expect(latchkey.capture('T', bearer('passing-0')).usable).toBe(true);
    expect(latchkey.capture('U', bearer('passing-498')).usable).toBe(false);
  });

  it('case 20: providers that a client names freely do not fill memory through one session', () => {
    const latchkey = gateway();
    for (let index = 0; index < 500; index++) latchkey.capture({ session: 'S', provider: `p${index}` }, A);
    expect(latchkey.snapshot().slots.length).toBeLessThanOrEqual(128);
    expect(leaseFor(latchkey, { session: 'S', provider: 'p499' }).source).toBe('session');
    expect(latchkey.resolve({ session: 'S', provider: 'p0' })).toEqual({ ok: false, reason: 'missing' });
  });

  it('evicts a session that presented nothing for `idleMs`; running does not prolong it, capturing does', async () => {
    freezeTime();
    const latchkey = createLatchkey({ idleMs: 100_000 });
    const heard = hearAll(latchkey);
    latchkey.capture({ tenant: 't', session: 'idle' }, A);
    latchkey.capture({ tenant: 't', session: 'busy' }, B);
    for (let step = 0; step < 9; step++) {
      await vi.advanceTimersByTimeAsync(10_000);
      await latchkey.run({ tenant: 't', session: 'idle' }, () => 'done');
    }
    latchkey.capture({ tenant: 't', session: 'busy' }, B);
    expect(latchkey.stats().sessions).toBe(2);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(named(heard, 'evicted')).toEqual([{ tenant: 't', session: 'idle', why: 'idle' }]);
    expect(latchkey.stats().sessions).toBe(1);
    await vi.advanceTimersByTimeAsync(100_000);
    expect(named(heard, 'evicted')).toHaveLength(2);
    expect(latchkey.stats()).toMatchObject({ sessions: 0, evicted: 2 });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a session that a late commit brought goes idle too', async () => {
    freezeTime();
    const latchkey = createLatchkey({ idleMs: 10_000 });
    const capture = latchkey.capture('S', A, { provisional: true });
    await vi.advanceTimersByTimeAsync(60_000);
    capture.commit();
    expect(latchkey.stats().sessions).toBe(1);
    await vi.advanceTimersByTimeAsync(12_000);
    expect(latchkey.stats()).toMatchObject({ sessions: 0, evicted: 1 });
  });

  it('starts looking for idle sessions again with the next capture, and stops when it is closed', async () => {
    freezeTime();
    const latchkey = createLatchkey({ idleMs: 10_000 });
    latchkey.capture('S', A);
    await vi.advanceTimersByTimeAsync(9_999);
    expect(latchkey.stats().sessions).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(latchkey.stats().sessions).toBe(0);
    latchkey.capture('S', A);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(12_000);
    expect(latchkey.stats().evicted).toBe(2);
    latchkey.capture('S', A);
    await latchkey.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
