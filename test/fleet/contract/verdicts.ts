import { expect, it } from 'vitest';
import { bearer } from '../../../src/index.js';
import type { Start } from './contract.js';
import { type ContractFleet, leaseFor } from './fleet.js';

const A = bearer('value-a');
const B = bearer('value-b');
const P = { session: 'S', provider: 'P' };
const Q = { session: 'S', provider: 'Q' };
const WARMING = { session: 'S', purpose: 'warming' };
const BATCH = { session: 'S', purpose: 'batch' };

async function captured(start: Start): Promise<ContractFleet> {
  const fleet = await start();
  await fleet.load('S', 'T');
  fleet.hands[0].capture('S', A);
  await fleet.agree();
  fleet.hands[1].capture('T', A);
  await fleet.shows(['S', 'value-a'], ['T', 'value-a']);
  return fleet;
}

export function describeVerdicts(start: Start): void {
  it('case 7: a new session is not stale; rejected twice is the same as once', async () => {
    const fleet = await captured(start);
    const [a, b] = fleet.hands;
    const leases = [leaseFor(a, 'S'), leaseFor(b, 'S')];
    leases[0]?.settle(401);
    await fleet.shows(['S', 'rejected']);
    leases[1]?.settle(401);
    await fleet.shows(['S', 'rejected']);
    b.capture('S', B);
    await fleet.shows(['S', 'value-b']);
  });

  it('case 7: rejecting one session’s credential leaves the other’s usable', async () => {
    const fleet = await start();
    const [a, b, c] = fleet.hands;
    await fleet.load('S', 'T');
    a.capture('S', A);
    await fleet.agree();
    b.capture('T', B);
    await fleet.agree();
    leaseFor(c, 'T').settle(401);
    await fleet.shows(['S', 'value-a'], ['T', 'rejected']);
  });

  it('case 8: the same bytes at another provider are another identity', async () => {
    const fleet = await start();
    const [a, b, c] = fleet.hands;
    await fleet.load(P, Q);
    a.capture(P, A);
    b.capture(Q, A);
    await fleet.agree();
    leaseFor(c, P).settle(401);
    await fleet.shows([P, 'rejected'], [Q, 'value-a']);
  });

  it('case 8: aliases of a provider are one', async () => {
    const canonicalProvider = (name: string): string => (name === 'amazon-bedrock' ? 'bedrock' : name);
    const fleet = await start({ canonicalProvider });
    const [a, b] = fleet.hands;
    const [short, long] = [
      { session: 'S', provider: 'bedrock' },
      { session: 'S', provider: 'amazon-bedrock' },
    ];
    await fleet.load(short, long);
    a.capture(short, A);
    await fleet.shows([short, 'value-a'], [long, 'value-a']);
    leaseFor(b, long).settle(401);
    await fleet.shows([short, 'rejected'], [long, 'rejected']);
  });

  it('case 9: a 401 that one session met blocks the other with the same token, wherever', async () => {
    const fleet = await captured(start);
    leaseFor(fleet.hands[1], 'T').settle(401);
    await fleet.shows(['S', 'rejected'], ['T', 'rejected']);
  });

  it('case 9: a 403 blocks its own scope only', async () => {
    const fleet = await captured(start);
    leaseFor(fleet.hands[2], 'T').settle(403);
    await fleet.shows(['S', 'value-a'], ['T', 'rejected']);
  });

  it('case 9: a 403 of one purpose blocks no other', async () => {
    const fleet = await captured(start);
    await fleet.load(WARMING, BATCH);
    leaseFor(fleet.hands[1], WARMING).settle(403);
    await fleet.shows([WARMING, 'rejected'], [BATCH, 'value-a'], ['S', 'value-a'], ['T', 'value-a']);
  });

  it('case 13: a late rejection of A after B came leaves B usable', async () => {
    const fleet = await captured(start);
    const [a, b] = fleet.hands;
    const late = leaseFor(a, 'S');
    b.capture('S', B);
    await fleet.shows(['S', 'value-b']);
    late.settle(401);
    await fleet.shows(['S', 'value-b'], ['T', 'value-b']);
    for (const latchkey of fleet.latchkeys) expect(latchkey.explain('T').candidates[0]).toMatchObject({ reason: 'rejected', status: 401 });
  });

  it('case 14: a slow 200 that was sent before the rejection revives nothing', async () => {
    const fleet = await captured(start);
    const [a, b] = fleet.hands;
    const slow = leaseFor(a, 'S');
    await fleet.agree();
    leaseFor(b, 'S').settle(401);
    await fleet.shows(['S', 'rejected']);
    slow.settle(200);
    await fleet.shows(['S', 'rejected'], ['T', 'rejected']);
  });

  it('case 14: a slow 401 that was sent before the client’s own success kills nothing', async () => {
    const fleet = await captured(start);
    const [a, b] = fleet.hands;
    const slow = leaseFor(a, 'S');
    await fleet.agree();
    b.capture('S', A).settle(200);
    await fleet.agree();
    slow.settle(401);
    await fleet.shows(['S', 'value-a'], ['T', 'value-a']);
  });

  it('case 14: nor if the success is not heard of yet', async () => {
    const fleet = await captured(start);
    const [a, b] = fleet.hands;
    const slow = leaseFor(a, 'S');
    await fleet.agree();
    b.capture('S', A).settle(200);
    slow.settle(401);
    await fleet.shows(['S', 'value-a'], ['T', 'value-a']);
  });

  it('case 15: proven by the client’s own request, a 401 is gone for everybody', async () => {
    const fleet = await captured(start);
    const [a, b, c] = fleet.hands;
    leaseFor(a, 'S').settle(401);
    await fleet.shows(['S', 'rejected'], ['T', 'rejected']);
    const capture = b.capture('S', A);
    expect(capture.usable).toBe(false);
    capture.settle(200);
    expect(capture.usable).toBe(true);
    await fleet.shows(['S', 'value-a'], ['T', 'value-a']);
    leaseFor(c, 'T').settle(401);
    await fleet.shows(['S', 'rejected'], ['T', 'rejected']);
  });

  it('case 15: and a 403 for that scope only', async () => {
    const fleet = await captured(start);
    const [a, b, c] = fleet.hands;
    leaseFor(a, 'S').settle(403);
    leaseFor(b, 'T').settle(403);
    await fleet.shows(['S', 'rejected'], ['T', 'rejected']);
    c.capture('S', A).settle(200);
    await fleet.shows(['S', 'value-a'], ['T', 'rejected']);
  });

  it('case 16: the client’s own 403 blocks nobody; its own 401 does, and opens no incident', async () => {
    const fleet = await captured(start);
    const capture = fleet.hands[1].capture('S', A);
    capture.settle(403);
    await fleet.shows(['S', 'value-a'], ['T', 'value-a']);
    capture.settle(401);
    await fleet.shows(['S', 'rejected'], ['T', 'rejected']);
    for (const latchkey of fleet.latchkeys) expect(latchkey.stats().openIncidents).toBe(0);
  });

  it('case 18: a session that borrowed and got 403 does not borrow again, wherever; others do', async () => {
    const fleet = await start();
    const [a, b, c] = fleet.hands;
    await fleet.load('owner', 'cold', 'other');
    a.capture('owner', A);
    await fleet.shows(['cold', 'value-a'], ['other', 'value-a']);
    expect(leaseFor(b, 'cold').source).toBe('global');
    leaseFor(b, 'cold').settle(403);
    await fleet.shows(['cold', 'rejected'], ['other', 'value-a'], ['owner', 'value-a']);
    for (const latchkey of fleet.latchkeys) expect(latchkey.snapshot().slots.filter(({ scope }) => scope.session === 'cold')).toEqual([]);
    c.capture('owner', B);
    await fleet.shows(['cold', 'value-b'], ['other', 'value-b']);
  });

  it('case 21: a hold is everybody’s, with the same end, and none of another identity', async () => {
    const fleet = await captured(start);
    const [a, b, c] = fleet.hands;
    leaseFor(b, 'S').settle({ holdMs: 60_000, reason: 'quota' });
    await fleet.shows(['S', 'held'], ['T', 'held']);
    const resolution = a.resolve('S');
    if (resolution.ok) throw new Error('not held');
    for (const latchkey of fleet.latchkeys) {
      expect(latchkey.resolve('T')).toMatchObject({ ok: false, reason: 'held', until: resolution.until });
      expect(latchkey.stats().openIncidents).toBe(0);
    }
    c.capture('S', B);
    await fleet.shows(['S', 'value-b'], ['T', 'value-b']);
  });

  it('case 21: a 402 holds, and its hold is over by itself', async () => {
    const fleet = await captured(start);
    const [a, b] = fleet.hands;
    leaseFor(a, 'S').settle(402);
    await fleet.shows(['S', 'held']);
    a.forgive('S');
    await fleet.agree();
    leaseFor(a, 'S').settle({ holdMs: 300 });
    await fleet.agree();
    // A hold that is over is still remembered as one.
    const { verdict } = b.snapshot().verdicts.find(({ fingerprint }) => fingerprint === A.fingerprint) ?? {};
    if (verdict?.state !== 'held') throw new Error(`${verdict?.state}`);
    for (const latchkey of fleet.latchkeys) {
      await latchkey.whenRunnable('T', { timeoutMs: 5_000 });
      expect(Date.now()).toBeGreaterThanOrEqual(verdict.until);
    }
    await fleet.shows(['S', 'value-a'], ['T', 'value-a']);
  });

  it('case 22: forgiving a scope frees everybody who holds the same', async () => {
    const fleet = await captured(start);
    const [a, b, c] = fleet.hands;
    leaseFor(a, 'S').settle(401);
    await fleet.shows(['S', 'rejected'], ['T', 'rejected']);
    const out = c.capture('T', A);
    await fleet.agree();
    b.forgive('S');
    await fleet.shows(['S', 'value-a'], ['T', 'value-a']);
    // Sent before it was forgiven.
    out.settle(401);
    await fleet.shows(['S', 'value-a'], ['T', 'value-a']);
    leaseFor(a, 'S').settle(401);
    await fleet.shows(['S', 'rejected'], ['T', 'rejected']);
  });

  it('case 22: forgiving frees a 403 mark and a hold', async () => {
    const fleet = await captured(start);
    const [a, b, c] = fleet.hands;
    await fleet.load(WARMING);
    leaseFor(a, WARMING).settle(403);
    await fleet.shows([WARMING, 'rejected']);
    b.forgive(WARMING);
    await fleet.shows([WARMING, 'value-a']);
    leaseFor(c, 'T').settle({ holdMs: 60_000 });
    await fleet.shows(['S', 'held']);
    b.forgive('T');
    await fleet.shows(['S', 'value-a'], ['T', 'value-a']);
  });

  it('case 22: forgiving a fingerprint frees it at every provider, and nothing else', async () => {
    const fleet = await start();
    const [a, b, c] = fleet.hands;
    const T = { session: 'T', provider: 'P' };
    await fleet.load(P, Q, T);
    a.capture(P, A);
    b.capture(Q, A);
    a.capture(T, B);
    await fleet.agree();
    a.capture(T, B).settle(401);
    b.capture(P, A).settle(401);
    c.capture(Q, A).settle(401);
    await fleet.shows([P, 'rejected'], [Q, 'rejected'], [T, 'rejected']);
    c.forgive(A.fingerprint);
    await fleet.everywhere((latchkey) => {
      expect(latchkey.explain(P).candidates[0]).toMatchObject({ source: 'session', usable: true });
      expect(latchkey.explain(Q).candidates[0]).toMatchObject({ source: 'session', usable: true });
      expect(latchkey.explain(T).candidates[0]).toMatchObject({ source: 'session', usable: false });
    });
  });
}
