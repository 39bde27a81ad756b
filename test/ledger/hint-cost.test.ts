import { describe, expect, it } from 'vitest';
import { bearer } from '../../src/index.js';
import { LeasedCall } from '../../src/ledger/call.js';
import type { Change } from '../../src/ledger/change.js';
import { Ledger } from '../../src/ledger/ledger.js';
import { readScope } from '../../src/ledger/scope-key.js';
import { manualClock, START } from '../support/clock.js';

const SCOPE = readScope('s', { multiTenant: false, canonicalProvider: undefined });
const SOON = START + 1_000;

/** A ledger that holds one credential with an expiry hint, and what it tells of from then on: each telling walks the blocked scopes. */
function hinted() {
  const clock = manualClock();
  const told: Change['cause'][] = [];
  const ledger = new Ledger({
    clock,
    sessions: 10,
    identities: 10,
    mayBorrow: () => true,
    onChange: ({ cause }) => void told.push(cause),
    onEvicted: () => {},
  });
  const { identity } = ledger.present(SCOPE, bearer('token-a', { expiresAt: SOON }), ledger.sequence.next(), () => {});
  told.length = 0;
  const lease = (sentAt = clock.now()): LeasedCall => {
    const choice = ledger.choose(SCOPE);
    if (choice === undefined) throw new Error('blocked');
    return new LeasedCall(choice, SCOPE, ledger.sequence.next(), sentAt);
  };
  const judge = (call: LeasedCall, kind: 'accepted' | 'held'): boolean =>
    ledger.judge(call, kind === 'held' ? { kind, ms: 500, reason: undefined } : { kind }, undefined, clock.now()) === 'applied';
  return { ledger, clock, told, identity, lease, judge };
}

describe('an acceptance of a credential with an expiry hint', () => {
  it('tells of no change while nothing stood in the way', () => {
    const { told, lease, judge } = hinted();
    for (let i = 0; i < 100; i++) expect(judge(lease(), 'accepted')).toBe(true);
    expect(told).toEqual([]);
  });

  it('tells of it once when what was sent after the hinted moment comes through', () => {
    const { ledger, clock, told, identity, lease, judge } = hinted();
    const calls = [lease(SOON), lease(SOON), lease(SOON)];
    clock.advance(1_000);
    expect(ledger.isUsable(identity, SCOPE)).toBe(false);
    for (const call of calls) expect(judge(call, 'accepted')).toBe(true);
    expect(told).toEqual(['proven']);
    expect(ledger.isUsable(identity, SCOPE)).toBe(true);
  });

  it('tells of it when it ends a hold, even one that has run out', () => {
    const { clock, told, lease, judge } = hinted();
    const calls = [lease(), lease()];
    judge(calls[0] as LeasedCall, 'held');
    clock.advance(500);
    expect(judge(calls[1] as LeasedCall, 'accepted')).toBe(true);
    expect(told).toEqual(['held', 'proven']);
  });
});
