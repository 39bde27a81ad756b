import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions, type Lease, type Scope } from '../../src/index.js';
import { type ManualClock, manualClock, START } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';

const A = bearer('value-a');
const B = bearer('value-b');

function gateway(options: LatchkeyOptions = {}): { latchkey: Latchkey; clock: ManualClock } {
  const clock = manualClock();
  return { latchkey: createLatchkey({ clock, ...options }), clock };
}

function leaseFor(latchkey: Latchkey, scope: Scope): Lease {
  const resolution = latchkey.resolve(scope);
  if (!resolution.ok) throw new Error(`blocked: ${resolution.reason}`);
  return resolution.lease;
}

describe('verdicts', () => {
  it('case 13: a late rejection of A after B was captured leaves B usable, and nothing is blocked', () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    const slow = leaseFor(latchkey, 'S');
    latchkey.capture('S', B);
    const heard = hearAll(latchkey);
    expect(slow.settle(401)).toEqual({ state: 'rejected', reach: 'identity', status: 401, since: START });
    expect(slow.usable()).toBe(false);
    expect(leaseFor(latchkey, 'S').credential).toBe(B);
    expect(named(heard, 'rejected')).toEqual([
      { scope: { session: 'S' }, fingerprint: A.fingerprint, status: 401, reach: 'identity', late: false, strike: false },
    ]);
    expect(named(heard, 'blocked')).toEqual([]);
    expect(latchkey.stats()).toMatchObject({ openIncidents: 0, incidents: 0 });
    // A is rejected indeed: presented by somebody else, it is dead.
    expect(latchkey.capture('T', A).usable).toBe(false);
  });

  it('case 14: a slow 200 of A, sent before the rejection of A, revives nothing', () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    const slow = leaseFor(latchkey, 'S');
    leaseFor(latchkey, 'S').settle(401);
    const heard = hearAll(latchkey);
    expect(slow.settle(200).state).toBe('rejected');
    expect(latchkey.canRun('S')).toBe(false);
    expect(named(heard, 'resumed')).toEqual([]);
    expect(latchkey.stats()).toMatchObject({ accepted: 1, late: 1, openIncidents: 1 });
  });

  it('case 14: a slow 401 of A, sent before the client’s own 2xx with A, kills nothing', () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    const slow = leaseFor(latchkey, 'S');
    latchkey.capture('S', A).settle(200);
    const heard = hearAll(latchkey);
    expect(slow.settle(401).state).toBe('accepted');
    expect(latchkey.canRun('S')).toBe(true);
    expect(named(heard, 'rejected')).toMatchObject([{ late: true }]);
    expect(latchkey.stats()).toMatchObject({ rejected: 1, late: 1, openIncidents: 0 });
  });

  it('case 14: a slow 403 of A, sent before a 2xx of the same scope, kills nothing either', () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    const slow = leaseFor(latchkey, 'S');
    leaseFor(latchkey, 'S').settle(204);
    slow.settle(403);
    expect(latchkey.canRun('S')).toBe(true);
  });

  it('case 14: a slow 403 sent before another scope’s 2xx still counts for its own scope', () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    latchkey.capture('T', A);
    const slow = leaseFor(latchkey, 'S');
    leaseFor(latchkey, 'T').settle(200);
    expect(slow.settle(403)).toMatchObject({ state: 'rejected', reach: 'scope' });
    expect(latchkey.canRun('S')).toBe(false);
    expect(latchkey.canRun('T')).toBe(true);
  });

  it('of two outcomes of one call the rejection stands, in either order', () => {
    for (const outcomes of [
      [200, 401],
      [401, 200],
    ]) {
      const { latchkey } = gateway();
      latchkey.capture('S', A);
      const lease = leaseFor(latchkey, 'S');
      for (const outcome of outcomes) lease.settle(outcome);
      expect(latchkey.canRun('S')).toBe(false);
    }
  });

  it('case 15: the client’s own success after a 401 frees A for every scope', () => {
    const { latchkey, clock } = gateway();
    for (const session of ['S', 'T']) latchkey.capture(session, A);
    leaseFor(latchkey, 'S').settle(401);
    expect([latchkey.canRun('S'), latchkey.canRun('T')]).toEqual([false, false]);
    clock.advance(1_000);
    const request = latchkey.capture('S', A);
    expect(request.usable).toBe(false);
    expect(request.settle(200)).toEqual({ state: 'accepted', since: START + 1_000 });
    expect(request.usable).toBe(true);
    expect([latchkey.canRun('S'), latchkey.canRun('T')]).toEqual([true, true]);
    expect(latchkey.stats().openIncidents).toBe(0);
  });

  it('case 15: a success of a request that came before the rejection frees nothing', () => {
    const { latchkey } = gateway();
    const request = latchkey.capture('S', A);
    leaseFor(latchkey, 'S').settle(401);
    request.settle(200);
    expect(latchkey.canRun('S')).toBe(false);
  });

  it('case 15: it frees A of a 403 for its own scope only', () => {
    const { latchkey } = gateway();
    for (const session of ['S', 'T']) latchkey.capture(session, A);
    const warming = { session: 'S', purpose: 'warming' };
    leaseFor(latchkey, 'S').settle(403);
    leaseFor(latchkey, 'T').settle(403);
    leaseFor(latchkey, warming).settle(403);
    latchkey.capture('S', A).settle(200);
    expect(latchkey.canRun('S')).toBe(true);
    expect(latchkey.canRun('T')).toBe(false);
    expect(latchkey.canRun(warming)).toBe(false);
  });

  it('case 16: a client’s own 403 blocks nobody', () => {
    const { latchkey } = gateway();
    const request = latchkey.capture('S', A);
    const heard = hearAll(latchkey);
    expect(request.settle(403)).toEqual({ state: 'unproven' });
    expect(request.usable).toBe(true);
    expect(latchkey.canRun('S')).toBe(true);
    expect(latchkey.canRun('T')).toBe(true);
    expect(heard).toEqual([]);
    expect(latchkey.stats().rejected).toBe(0);
  });

  it('case 16: a client’s own 401 rejects A but opens no incident', () => {
    const { latchkey } = gateway();
    const request = latchkey.capture('S', A);
    const heard = hearAll(latchkey);
    expect(request.settle(401)).toMatchObject({ state: 'rejected', reach: 'identity', status: 401 });
    expect(request.usable).toBe(false);
    expect(latchkey.resolve('S')).toMatchObject({ ok: false, reason: 'rejected', status: 401, since: START });
    expect(heard.map(({ name }) => name)).toEqual(['rejected']);
    expect(latchkey.stats()).toMatchObject({ incidents: 0, openIncidents: 0 });
  });

  it('case 21: a 402 holds until a time, opens no incident, and is over by itself', () => {
    const { latchkey, clock } = gateway();
    latchkey.capture('S', A);
    const heard = hearAll(latchkey);
    const until = START + 30_000;
    expect(leaseFor(latchkey, 'S').settle({ status: 402, headers: { 'retry-after': '30' } })).toMatchObject({
      state: 'held',
      status: 402,
      since: START,
      until,
    });
    expect(latchkey.resolve('S')).toEqual({ ok: false, reason: 'held', status: 402, since: START, until });
    expect(named(heard, 'held')).toMatchObject([{ fingerprint: A.fingerprint, until }]);
    clock.advance(29_999);
    expect(latchkey.canRun('S')).toBe(false);
    clock.advance(1);
    expect(latchkey.canRun('S')).toBe(true);
    expect(latchkey.stats()).toMatchObject({ incidents: 0, held: 1 });
    expect(heard.map(({ name }) => name)).toEqual(['held']);
  });

  it('case 21: `holdMs` holds with its reason, for everybody with the identity, and at once not for another', async () => {
    const { latchkey, clock } = gateway();
    latchkey.capture('S', A);
    latchkey.capture('T', A);
    const lease = leaseFor(latchkey, 'S');
    expect(lease.settle({ holdMs: 5_000, reason: 'budget' })).toEqual({
      state: 'held',
      status: undefined,
      reason: 'budget',
      since: START,
      until: START + 5_000,
    });
    expect(lease.usable()).toBe(false);
    expect(latchkey.canRun('T')).toBe(false);
    await expect(latchkey.run('T', () => 1)).rejects.toMatchObject({ code: 'CREDENTIAL_HELD', until: START + 5_000 });
    expect(latchkey.stats().incidents).toBe(0);
    latchkey.capture('S', B);
    expect(leaseFor(latchkey, 'S').credential).toBe(B);
    clock.advance(5_000);
    // The hold has said nothing about whether A works.
    expect(lease.settle(404)).toEqual({ state: 'unproven' });
  });

  it('case 21: a client’s own 402 holds too, and the answer to a later call ends the hold early', () => {
    const { latchkey, clock } = gateway();
    latchkey.capture('S', A).settle(402);
    expect(latchkey.resolve('S')).toMatchObject({ reason: 'held' });
    clock.advance(1_000);
    latchkey.capture('S', A).settle(200);
    expect(latchkey.canRun('S')).toBe(true);
  });

  it('case 21: a rejection by a call sent later outlasts the hold', () => {
    const { latchkey, clock } = gateway();
    latchkey.capture('S', A);
    const [first, second] = [leaseFor(latchkey, 'S'), leaseFor(latchkey, 'S')];
    second.settle(401);
    first.settle({ holdMs: 1_000 });
    clock.advance(1_000);
    expect(latchkey.resolve('S')).toMatchObject({ ok: false, reason: 'rejected' });
  });

  it('an outcome that says nothing about the credential changes nothing', () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    const heard = hearAll(latchkey);
    const lease = leaseFor(latchkey, 'S');
    for (const outcome of [404, 400, 500, 503, 429, new Error('no'), 'no', undefined, null, Number.NaN, { odd: true }]) {
      expect(lease.settle(outcome)).toEqual({ state: 'unproven' });
    }
    expect(heard).toEqual([]);
    expect(lease.usable()).toBe(true);
  });
});
