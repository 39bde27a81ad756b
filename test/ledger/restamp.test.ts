import { describe, expect, it } from 'vitest';
import { bearer, type Credential } from '../../src/credential/credential.js';
import type { Unrefreshable } from '../../src/ledger/refusals.js';
import { bareLedger, callOf, scopeOf } from '../support/bare-ledger.js';
import { START } from '../support/clock.js';

const [A, B, C] = ['a', 'b', 'c'].map((name) => bearer(`token-${name}`)) as [Credential, Credential, Credential];
const REFUSED = { until: undefined, status: 400, code: 'invalid_grant' } as const;
const ACCEPTED = { kind: 'accepted' } as const;

// The clock that numbers are taken from was ahead, and is set right: what comes now must not look older than what is there.
describe('what is numbered above the greatest number that there can be', () => {
  it.each([
    ['above', 100, 10],
    ['at', 10, 10],
    ['below', 7, 7],
  ])('%s it: a slot, a global slot, a pin', (_, at, expected) => {
    const { ledger, present } = bareLedger({ shared: true });
    present('s', A, at);
    const place = { tenant: 't', provider: 'p', purpose: 'x' };
    ledger.adoption.pinned(place, { identity: ledger.adoption.identity('p', B.fingerprint), credential: B, at });
    ledger.adoption.restamp(10);
    const session = ledger.adoption.find('t', 's');
    expect(session?.slot('p')?.at).toBe(expected);
    expect(session?.tenant.globals.get('p')?.at).toBe(expected);
    expect(ledger.adoption.pin('t', 'p', 'x')?.at).toBe(expected);
  });

  it.each([
    ['above', 100, 10],
    ['at', 10, 10],
    ['below', 7, 7],
  ])('%s it: verdicts, hints, refreshes', (_, at, expected) => {
    const { ledger, present, clock } = bareLedger({ shared: true });
    const ending = bearer('token-ending', { expiresAt: START + 1_000 });
    const identity = present('s', ending, at);
    const other = present('other', C, 1);
    clock.advance(2_000);
    identity.succeeded('t', other, at);
    identity.endRefresh('t', { ...REFUSED, at });
    ledger.judge(callOf(identity, 's', at), { kind: 'rejected', reach: 'scope' }, 403, clock.now());
    ledger.judge(callOf(identity, 'other', at), ACCEPTED, undefined, clock.now());
    ledger.adoption.restamp(10);
    expect(identity.hinted).toMatchObject({ expiresAt: START + 1_000, at: expected });
    expect(identity.voided).toEqual({ expiresAt: START + 1_000, sent: expected });
    expect(identity.ruling).toMatchObject({ state: 'accepted', sent: expected });
    expect(identity.rulingFor(scopeOf('s'))).toMatchObject({ state: 'rejected', sent: expected });
    expect([...(identity.successors?.entries() ?? [])]).toEqual([['t', { identity: other, at: expected }]]);
    expect([...(identity.refusals?.entries() ?? [])]).toEqual([['t', { ...REFUSED, at: expected }]]);
    expect(identity.unrefreshable('t')).toEqual<Unrefreshable>({ ...REFUSED, at: expected });
  });

  it.each([
    [100, 10],
    [7, 7],
  ])('%i: up to where outcomes were forgiven', (at, expected) => {
    const { ledger, present } = bareLedger({ shared: true });
    const identity = present('s', A);
    identity.forgive(at);
    ledger.adoption.restamp(10);
    expect(identity.forgivenAt).toBe(expected);
  });

  it('an outcome that comes after counts again', () => {
    const { ledger, present, clock, valueFor } = bareLedger({ shared: true });
    const identity = present('s', A);
    ledger.judge(callOf(identity, 's', 100), { kind: 'rejected', reach: 'identity' }, 401, clock.now());
    expect(ledger.judge(callOf(identity, 's', 11), ACCEPTED, undefined, clock.now())).toBe('none');
    ledger.adoption.restamp(10);
    expect(valueFor('s')).toBeUndefined();
    expect(ledger.judge(callOf(identity, 's', 11), ACCEPTED, undefined, clock.now())).toBe('applied');
    expect(valueFor('s')).toBe('token-a');
  });

  it('nothing is made of an identity of which nothing was learnt', () => {
    const { ledger, present } = bareLedger({ shared: true });
    const identity = present('s', A);
    ledger.adoption.restamp(10);
    expect([identity.judged, identity.hinted, identity.depends, identity.unobstructed]).toEqual([false, undefined, false, true]);
  });
});
