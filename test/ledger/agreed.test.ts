import { describe, expect, it } from 'vitest';
import { bearer, type Credential } from '../../src/credential/credential.js';
import type { HintSettings } from '../../src/ledger/hints.js';
import { Identity } from '../../src/ledger/verdicts.js';
import type { StrikeRules } from '../../src/policy/strikes.js';
import type { Acceptance, Rejection, Ruling } from '../../src/policy/verdict.js';
import { bareLedger, callOf, scopeOf } from '../support/bare-ledger.js';
import { START } from '../support/clock.js';
import { jwtUntil } from '../support/jwt.js';

const [A, B] = ['a', 'b'].map((name) => bearer(`token-${name}`)) as [Credential, Credential];
const NEVER = Number.NEGATIVE_INFINITY;
const HOUR = 3_600_000;
const REJECTED = { kind: 'rejected', reach: 'identity' } as const;
const accepted = (since: number, sent = since): Acceptance => ({ state: 'accepted', sent, passed: 0, since });
const rejected = (sent: number, reach: 'identity' | 'scope' = 'identity'): Rejection => ({
  state: 'rejected',
  reach,
  status: 401,
  sent,
  passed: sent,
  since: sent,
});
const held = (sent: number): Ruling => ({
  state: 'held',
  sent,
  passed: sent,
  since: sent,
  until: sent + 1,
  status: 429,
  reason: undefined,
});

describe('a verdict that a fleet has agreed on', () => {
  /** When it was proven, by anybody and by a borrower, after these verdicts were taken one after the other. */
  const proven = (...taken: [Ruling, boolean][]): number[] => {
    const identity = new Identity('p', A.fingerprint);
    for (const [ruling, borrowed] of taken) identity.take(ruling, borrowed);
    expect(identity.ruling).toBe(taken.at(-1)?.[0]);
    return [identity.provenAt(false), identity.provenAt(true)];
  };

  it.each<[string, [Ruling, boolean][], number[]]>([
    ['it works', [[accepted(5), false]], [5, NEVER]],
    ['it works for a borrower', [[accepted(5), true]], [5, 5]],
    [
      'it worked before that, too',
      [
        [accepted(5), true],
        [accepted(4), false],
      ],
      [5, 5],
    ],
    [
      'it works still',
      [
        [accepted(5), true],
        [accepted(6), false],
      ],
      [6, 5],
    ],
    [
      'it works for a borrower, too',
      [
        [accepted(5), false],
        [accepted(6), true],
      ],
      [6, 6],
    ],
    [
      'it works no more',
      [
        [accepted(5), true],
        [rejected(6), false],
      ],
      [NEVER, NEVER],
    ],
    [
      'it is held, whoever it was that met it',
      [
        [accepted(5), true],
        [held(6), true],
      ],
      [NEVER, NEVER],
    ],
    [
      'it works again',
      [
        [accepted(5), true],
        [rejected(6), false],
        [accepted(7), false],
      ],
      [7, NEVER],
    ],
  ])('%s', (_, taken, expected) => {
    expect(proven(...taken)).toEqual(expected);
  });

  it('decides whether it may be used, for all or for one scope', () => {
    const world = bareLedger({ shared: true });
    const identity = world.present('s', A);
    identity.take(rejected(5), false);
    expect(world.valueFor('s')).toBeUndefined();
    identity.take(accepted(6), false);
    expect(world.valueFor('s')).toBe('token-a');
    identity.takeFor(scopeOf('s'), rejected(7, 'scope'));
    expect(identity.rulingFor(scopeOf('s'))).toMatchObject({ state: 'rejected' });
    expect([world.valueFor('s'), world.valueFor('other')]).toEqual([undefined, 'token-a']);
    identity.takeFor(scopeOf('s'), accepted(8));
    expect(world.valueFor('s')).toBe('token-a');
  });

  it('says nothing of scopes of which nothing is known', () => {
    const identity = new Identity('p', A.fingerprint);
    expect([identity.rulingFor(scopeOf('s')), [...identity.scopeRulings()], identity.voided]).toEqual([undefined, [], undefined]);
    expect([identity.probedUntil, identity.successor('t'), identity.unrefreshable('t'), identity.forgivenAt]).toEqual([
      0,
      undefined,
      undefined,
      0,
    ]);
    identity.judge(held(5));
    expect([identity.voided, identity.probedUntil]).toEqual([undefined, 0]);
  });
});

describe('an acceptance', () => {
  it.each([
    [true, 5],
    [false, NEVER],
  ])('with a lent credential (%s) proves it for borrowers', (borrowed, expected) => {
    const identity = new Identity('p', A.fingerprint);
    identity.accept(accepted(5), { scope: scopeOf('s'), borrowed, sentAt: 0 });
    expect([identity.provenAt(false), identity.provenAt(true)]).toEqual([5, expected]);
  });

  it("changes something if it lifts a scope's rejection, though a later call has worked elsewhere", () => {
    const identity = new Identity('p', A.fingerprint);
    identity.judgeFor(scopeOf('s'), rejected(3, 'scope'));
    identity.accept(accepted(10), { scope: scopeOf('other'), borrowed: true, sentAt: 0 });
    expect(identity.accept(accepted(5), { scope: scopeOf('third'), borrowed: false, sentAt: 0 })).toBe(false);
    expect(identity.accept(accepted(5), { scope: scopeOf('s'), borrowed: false, sentAt: 0 })).toBe(true);
    expect(identity.rejectionFor(scopeOf('s'))).toBeUndefined();
    expect(identity.provenAt(false)).toBe(10);
    expect(identity.accept(accepted(6), { scope: scopeOf('s'), borrowed: false, sentAt: 0 })).toBe(false);
  });

  it.each([
    ['an acceptance', (identity: Identity) => identity.accept(accepted(4), { scope: scopeOf('s'), borrowed: false, sentAt: 0 })],
    ['a rejection', (identity: Identity) => identity.judge(rejected(4))],
    ['a rejection for a scope', (identity: Identity) => identity.judgeFor(scopeOf('s'), rejected(4, 'scope'))],
    ['a refresh', (identity: Identity) => identity.endRefresh('t', { at: 4, until: undefined, status: 400, code: undefined })],
  ])('or whatever was sent before it was forgiven does not count: %s', (_, learn) => {
    const identity = new Identity('p', A.fingerprint);
    identity.forgive(5);
    expect(learn(identity)).toBe(false);
    expect([identity.judged, identity.unobstructed, identity.unrefreshable('t')]).toEqual([false, true, undefined]);
  });
});

describe('a young credential', () => {
  const STRIKES: StrikeRules = { rejections: 1, of: 1, withinMs: 1, provenMs: 0, youngMs: 1_000 };
  const world = (strikes: StrikeRules | undefined) => {
    const made = bareLedger({ strikes });
    const { ledger, clock } = made;
    const judge = (identity: Identity, sent = ledger.sequence.next()) =>
      ledger.judge(callOf(identity, 's', sent), REJECTED, 401, clock.now());
    return { ...made, judge };
  };

  it('is so from when it was first presented, not from the last time', () => {
    const { present, clock, judge } = world(STRIKES);
    const identity = present('s', A);
    clock.advance(999);
    present('s', A);
    clock.advance(1);
    expect(judge(identity)).toBe('applied');
  });

  it.each([
    [999, 'strike'],
    [1_000, 'applied'],
  ])('when it was pinned %i ms ago: %s', (ms, effect) => {
    const { ledger, clock, judge } = world(STRIKES);
    ledger.pin(scopeOf(undefined), A, () => {});
    clock.advance(ms);
    expect(judge(ledger.adoption.identity('p', A.fingerprint))).toBe(effect);
  });

  it.each([
    [999, 'strike'],
    [1_000, 'applied'],
  ])('when a refresh brought it %i ms ago: %s', (ms, effect) => {
    const { ledger, clock, present, judge } = world(STRIKES);
    const to = ledger.succeed(present('s', A), { tenant: 't', credential: B, at: ledger.sequence.next() }, () => {});
    clock.advance(ms);
    expect(to && judge(to)).toBe(effect);
  });

  it('is none that was brought for nobody', () => {
    const { ledger, present } = world(STRIKES);
    const from = present('s', A);
    ledger.evict('t', 's');
    expect(ledger.succeed(from, { tenant: 't', credential: B, at: ledger.sequence.next() }, () => {})).toBeUndefined();
  });

  it('is nothing else where all rejections count', () => {
    const { present, judge } = world(undefined);
    expect(judge(present('s', A))).toBe('applied');
  });
});

describe('what is known of an end', () => {
  const SETTINGS: HintSettings = { jwt: true, advisoryMs: 0, mandatoryMs: 5_000, jitterMs: 0 };

  it('from an answer is not forgotten for what a token that is presented again says of itself', () => {
    const { ledger, present } = bareLedger({ expiry: SETTINGS });
    const token = bearer(jwtUntil(START + HOUR));
    const identity = present('s', token);
    ledger.hintLate(identity, { expiresAt: START + 2 * HOUR, at: ledger.sequence.next(), byUpstream: true });
    present('s', token);
    ledger.pin(scopeOf(undefined), token, () => {});
    expect(identity.expiresAt).toBe(START + 2 * HOUR - 5_000);
  });

  it('is told in advance: by whose clock, and when it would not be used any more', () => {
    const { ledger } = bareLedger({ expiry: SETTINGS });
    const endsAt = START + HOUR - 5_000;
    expect(ledger.expiryOf('p', bearer(jwtUntil(START + HOUR)))).toEqual({ endsAt, byUpstream: true });
    expect(ledger.expiryOf('p', bearer('token-a', { expiresAt: START + HOUR }))).toEqual({ endsAt, byUpstream: false });
    expect(ledger.expiryOf('p', A)).toBeUndefined();
  });

  it('of a JWT that is pinned first counts', () => {
    const { ledger } = bareLedger({ expiry: SETTINGS });
    const token = bearer(jwtUntil(START + HOUR));
    ledger.pin(scopeOf(undefined), token, () => {});
    expect(ledger.adoption.identity('p', token.fingerprint).expiresAt).toBe(START + HOUR - 5_000);
  });
});
