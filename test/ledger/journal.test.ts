import { describe, expect, it } from 'vitest';
import { bearer, type Credential } from '../../src/credential/credential.js';
import { ANY } from '../../src/ledger/change.js';
import { WorkScope } from '../../src/ledger/scope-key.js';
import type { StrikeRules } from '../../src/policy/strikes.js';
import { bareLedger, callOf, scopeOf } from '../support/bare-ledger.js';
import { START } from '../support/clock.js';

const [A, B, C] = ['a', 'b', 'c'].map((name) => bearer(`token-${name}`)) as [Credential, Credential, Credential];
const ACCEPTED = { kind: 'accepted' } as const;
const REJECTED = { kind: 'rejected', reach: 'identity' } as const;
const FORBIDDEN = { kind: 'rejected', reach: 'scope' } as const;
const HELD = { kind: 'held', ms: 1_000, reason: undefined } as const;
const STRIKES: StrikeRules = { rejections: 3, of: 5, withinMs: 60_000, provenMs: 60_000, youngMs: 60_000 };

describe('others are told', () => {
  it('of a presentation, and whether a slot points there only now', () => {
    const { present, told } = bareLedger({ shared: true });
    present('s', A, 5);
    present('s', A, 6);
    present('other', A, 7);
    present(undefined, B, 8);
    const scope = { tenant: 't', session: 's', provider: 'p' };
    expect(told).toEqual([
      ['presented', scope, A.fingerprint, 5, true],
      ['presented', scope, A.fingerprint, 6, false],
      ['presented', { ...scope, session: 'other' }, A.fingerprint, 7, true],
      ['presented', { tenant: 't', provider: 'p' }, B.fingerprint, 8, true],
    ]);
  });

  it('of what is learnt, and of one more success apart from that', () => {
    const { ledger, present, told, clock } = bareLedger({ shared: true });
    const identity = present('s', A, 1);
    const judge = (sent: number, judgement: Parameters<typeof ledger.judge>[1]): unknown => {
      told.length = 0;
      ledger.judge(callOf(identity, 's', sent), judgement, undefined, clock.now());
      return told;
    };
    const [learnt, proven] = [[['learnt', A.fingerprint]], [['proven', A.fingerprint]]];
    expect(judge(2, ACCEPTED)).toEqual(learnt);
    expect(judge(3, ACCEPTED)).toEqual(proven);
    expect(judge(2, ACCEPTED)).toEqual([]);
    expect(judge(4, FORBIDDEN)).toEqual(learnt);
    expect(judge(5, ACCEPTED)).toEqual(learnt);
    expect(judge(6, ACCEPTED)).toEqual(proven);
    expect(judge(7, HELD)).toEqual(learnt);
    expect(judge(8, ACCEPTED)).toEqual(learnt);
    expect(judge(9, REJECTED)).toEqual(learnt);
    expect(judge(9, REJECTED)).toEqual([]);
    expect(judge(8, ACCEPTED)).toEqual([]);
  });

  it('of no rejection that does not count yet', () => {
    const { ledger, present, told, clock } = bareLedger({ shared: true, strikes: STRIKES });
    const identity = present('s', A, 1);
    told.length = 0;
    expect(ledger.judge(callOf(identity, 's', 2), REJECTED, 401, clock.now())).toBe('strike');
    expect(told).toEqual([]);
  });

  it('of a pin, and of its end by a number that is no earlier', () => {
    const { ledger, told } = bareLedger({ shared: true });
    const unpin = ledger.pin(scopeOf(undefined, 'x'), A, () => {});
    const { at = 0 } = ledger.adoption.pin('t', 'p', 'x') ?? {};
    expect(told).toEqual([
      ['learnt', A.fingerprint],
      ['pinned', 't', 'p', 'x', at],
    ]);
    told.length = 0;
    unpin();
    unpin();
    expect(told).toEqual([['pinned', 't', 'p', 'x', at]]);
  });

  it('of an eviction that was asked for here, of a session or a tenant', () => {
    const { ledger, present, told } = bareLedger({ shared: true });
    present('s', A);
    present('other', B);
    told.length = 0;
    ledger.evict('t', 's');
    expect(told.map((one) => one.slice(0, 3))).toEqual([
      ['evicted', 't', 's'],
      ['forgotten', A.fingerprint],
      ['dropped', 't', 's'],
    ]);
    told.length = 0;
    ledger.evictTenant('t');
    expect(told.map((one) => one.slice(0, 3))).toContainEqual(['evicted', 't', ANY]);
  });

  it('of an identity for which there was no room any more', () => {
    const { ledger, told } = bareLedger({ shared: true, identities: 2 });
    for (const { fingerprint } of [A, B]) ledger.remember('p', fingerprint);
    expect(told).toEqual([]);
    ledger.remember('p', C.fingerprint);
    expect(told).toEqual([['forgotten', A.fingerprint]]);
  });
});

describe('a credential that is over', () => {
  it('is condemned for all by a refresh that was refused, and for others to know', () => {
    const { ledger, present, told, valueFor } = bareLedger({ shared: true });
    const identity = present('s', A);
    told.length = 0;
    ledger.condemn(identity, ledger.sequence.next(), 400);
    expect(valueFor('s')).toBeUndefined();
    expect(ledger.verdict(identity, scopeOf('s'))).toEqual({ state: 'rejected', reach: 'identity', status: 400, since: START });
    expect(told).toEqual([['learnt', A.fingerprint]]);
    ledger.condemn(identity, ledger.sequence.next(), 401);
    expect(ledger.verdict(identity, scopeOf('s'))).toMatchObject({ status: 400 });
    expect(told).toHaveLength(1);
  });

  it('is not, if it has worked after the refresh was sent', () => {
    const { ledger, present, told, valueFor, clock } = bareLedger({ shared: true });
    const identity = present('s', A);
    ledger.judge(callOf(identity, 's', 10), ACCEPTED, undefined, clock.now());
    told.length = 0;
    ledger.condemn(identity, 9, 400);
    expect(valueFor('s')).toBe('token-a');
    expect(told).toEqual([]);
  });

  it('is not refreshed for the tenant that was refused, and others know', () => {
    const { ledger, present, told } = bareLedger({ shared: true });
    const identity = present('s', A);
    told.length = 0;
    const why = { at: 9, until: undefined, status: 400, code: 'invalid_grant' };
    ledger.unrefreshable(identity, 't', why);
    expect(identity.unrefreshable('t')).toEqual(why);
    expect(identity.unrefreshable('u')).toBeUndefined();
    expect(told).toEqual([['learnt', A.fingerprint]]);
  });

  it('and forgotten stays so', () => {
    const { ledger, present, told, clock } = bareLedger({ shared: true });
    const identity = present('s', A);
    ledger.evict('t', 's');
    told.length = 0;
    ledger.condemn(identity, ledger.sequence.next(), 400);
    ledger.unrefreshable(identity, 't', { at: 9, until: undefined, status: 400, code: undefined });
    expect(ledger.judge(callOf(identity, 's', 10), REJECTED, 401, clock.now())).toBe('none');
    expect([identity.ruling.state, identity.unrefreshable('t'), told]).toEqual(['unproven', undefined, []]);
  });

  it('the same where nobody else is to know', () => {
    const { ledger, present } = bareLedger();
    const identity = present('s', A);
    ledger.unrefreshable(identity, 't', { at: 9, until: undefined, status: 400, code: undefined });
    ledger.condemn(identity, ledger.sequence.next(), 400);
    expect([identity.ruling.state, identity.unrefreshable('t')?.status]).toEqual(['rejected', 400]);
  });
});

describe('sessions of which others know more', () => {
  it("one that was looked up and had nothing is nobody's loss; its work is told all the same", () => {
    const { ledger, evicted, changes, told } = bareLedger({ shared: true });
    ledger.adoption.open('t', 's');
    ledger.adoption.evictSession('t', 's');
    expect(evicted).toEqual([]);
    expect(told).toEqual([['dropped', 't', 's']]);
    expect(changes).toEqual([{ cause: 'evicted', tenant: 't', provider: ANY, session: 's' }]);
  });

  it('what it lent outlives it where there was no room for it, and is lent on in its name', () => {
    const { ledger, present, valueFor, evicted } = bareLedger({ shared: true, sessions: 2 });
    present('other', B);
    present('lender', A);
    present('other', B, 0);
    ledger.touch(ledger.adoption.find('t', 'other'));
    ledger.adoption.open('t', 'third');
    expect(evicted).toEqual([['t', 'lender', 'limit']]);
    expect(valueFor('third')).toBe('token-a');
    expect(ledger.lenderOf(scopeOf('third'))).toBe('lender');
    // Whether the lender is still there is for others to say.
    ledger.evict('t', 'other');
    expect(valueFor('third')).toBe('token-a');
  });

  it('where there is nobody else, it goes with the lender', () => {
    const { ledger, present, valueFor } = bareLedger({ sessions: 2 });
    present('other', B);
    present('lender', A);
    ledger.touch(ledger.adoption.find('t', 'other'));
    ledger.adoption.open('t', 'third');
    expect(valueFor('third')).toBeUndefined();
  });

  it('what others lend stays theirs where there was no room for a session', () => {
    const { ledger, present } = bareLedger({ shared: true, sessions: 2 });
    present('lender', A);
    ledger.present(new WorkScope('t', 'q-only', 'q', undefined, false), B, ledger.sequence.next(), () => {});
    ledger.touch(ledger.adoption.find('t', 'lender'));
    ledger.adoption.open('t', 'third');
    expect(ledger.adoption.find('t', 'q-only')).toBeUndefined();
    expect(ledger.adoption.tenant('t')?.globals.get('p')?.by).toBe(ledger.adoption.find('t', 'lender'));
  });

  it('what a session lends that has another of its own since goes with no other session', () => {
    const { ledger, present, valueFor } = bareLedger({ shared: true });
    present('other', B);
    present('lender', A);
    const lender = ledger.adoption.open('t', 'lender');
    const identity = ledger.adoption.identity('p', C.fingerprint);
    ledger.adoption.global(lender.tenant, 'p', { identity, credential: C, at: 50, deadOnArrival: false, by: lender });
    ledger.evict('t', 'other');
    expect(valueFor('third')).toBe('token-c');
    present('fourth', B, 1);
    ledger.evict('t', 'lender');
    expect(valueFor('third')).toBeUndefined();
  });
});
