import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { ScopeRulings } from '../../src/ledger/scope-rulings.js';
import { manualClock } from '../support/clock.js';
import { hearAll } from '../support/heard.js';

const A = bearer('value-a');
const purpose = (index: number) => ({ session: 'S', purpose: `p${index}` });

function gateway(sessions: number): Latchkey {
  const latchkey = createLatchkey({ clock: manualClock(), limits: { sessions } });
  latchkey.capture('S', A);
  return latchkey;
}

function settle(latchkey: Latchkey, index: number, status: number): void {
  const resolution = latchkey.resolve(purpose(index));
  if (!resolution.ok) throw new Error('blocked');
  resolution.lease.settle(status);
}

const marks = (latchkey: Latchkey): number => latchkey.snapshot().verdicts[0]?.scopes.length ?? 0;

describe('what single scopes have learnt of one identity', () => {
  it('is bounded, whatever the traffic', () => {
    const latchkey = gateway(10);
    for (let index = 0; index < 1_500; index++) settle(latchkey, index, 403);
    expect(marks(latchkey)).toBe(1_001);
    expect(latchkey.canRun(purpose(1_499))).toBe(false);
    const blocked = Array.from({ length: 1_500 }, (_, index) => index).filter((index) => !latchkey.canRun(purpose(index)));
    expect(blocked).toHaveLength(marks(latchkey));
  });

  it('forgets acceptances before rejections', () => {
    const latchkey = gateway(10);
    for (const index of [0, 1, 2]) settle(latchkey, index, 403);
    for (let index = 3; index < 200; index++) settle(latchkey, index, 200);
    for (const index of [0, 1, 2]) expect(latchkey.canRun(purpose(index))).toBe(false);
    expect(marks(latchkey)).toBe(3);
  });

  it('keeps 64 acceptances beside the first, those of the latest calls, and no rejection gives way to them', () => {
    const rulings = new ScopeRulings();
    rulings.set('first', { state: 'accepted', sent: 0, passed: 0, since: 0 });
    rulings.set('dead', { state: 'rejected', reach: 'scope', status: 403, sent: 1, passed: 1, since: 0 });
    for (let sent = 2; sent < 10_000; sent++) rulings.set(`p${sent}`, { state: 'accepted', sent, passed: 0, since: 0 });
    const kept = [...rulings.entries()].map(([key]) => key);
    expect(kept.filter((key) => key.startsWith('p'))).toEqual(Array.from({ length: 64 }, (_, index) => `p${9_936 + index}`));
    expect(kept).toHaveLength(66);
    expect(rulings.get('dead')?.state).toBe('rejected');
    expect(rulings.get('first')?.state).toBe('accepted');
    expect(rulings.rejections).toBe(1);
  });

  it('counts its rejections right: freed one by one, none is left', () => {
    const latchkey = gateway(100);
    for (const index of [0, 1, 2]) settle(latchkey, index, 403);
    for (const index of [0, 1, 2]) {
      latchkey.capture(purpose(index), A).settle(200);
      expect(latchkey.canRun(purpose(index))).toBe(true);
    }
    expect(marks(latchkey)).toBe(0);
    settle(latchkey, 1, 403);
    expect(latchkey.canRun(purpose(1))).toBe(false);
    expect(latchkey.canRun(purpose(0))).toBe(true);
  });

  it('is not touched by a request that is merely denied', () => {
    const latchkey = gateway(10);
    const heard = hearAll(latchkey);
    const resolution = latchkey.resolve('S');
    const denied = { status: 403, headers: { 'WWW-Authenticate': 'Bearer error="insufficient_scope"' } };
    expect(resolution.ok && resolution.lease.settle(denied)).toEqual({ state: 'unproven' });
    expect(latchkey.canRun('S')).toBe(true);
    expect(heard).toEqual([{ name: 'denied', event: { scope: { session: 'S' }, fingerprint: A.fingerprint, status: 403 } }]);
    expect(latchkey.stats()).toMatchObject({ denied: 1, rejected: 0 });
  });
});
