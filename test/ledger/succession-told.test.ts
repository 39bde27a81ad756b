import { describe, expect, it } from 'vitest';
import { bearer, type Credential } from '../../src/credential/credential.js';
import { ANY } from '../../src/ledger/change.js';
import type { HintSettings } from '../../src/ledger/hints.js';
import type { WorkScope } from '../../src/ledger/scope-key.js';
import type { MayTake } from '../../src/ledger/slots.js';
import type { Identity } from '../../src/ledger/verdicts.js';
import { type BareLedger, bareLedger, callOf, scopeOf } from '../support/bare-ledger.js';
import { START } from '../support/clock.js';

const [A, B, C] = ['a', 'b', 'c'].map((name) => bearer(`token-${name}`)) as [Credential, Credential, Credential];
const MINUTE = 60_000;
const SETTINGS: HintSettings = { jwt: true, advisoryMs: 5 * MINUTE, mandatoryMs: 5_000, jitterMs: 0 };
const REJECTED = { kind: 'rejected', reach: 'identity' } as const;
const at = { tenant: 't', provider: 'p' } as const;

/** A refresh of it brought that; `mayTake`: another process told of it. */
function succeed({ ledger }: BareLedger, from: Identity, credential: Credential, mayTake?: MayTake, number = ledger.sequence.next()) {
  const installed: unknown[][] = [];
  const remote = mayTake === undefined ? undefined : { mayTake };
  const onSucceeded = (scope: WorkScope, { fingerprint }: Credential, pinned: boolean): void =>
    void installed.push([scope.parts, fingerprint, pinned]);
  const to = ledger.succeed(from, { tenant: 't', credential, at: number, remote }, onSucceeded);
  return { to, installed };
}

function reject({ ledger, clock }: BareLedger, identity: Identity): void {
  ledger.judge(callOf(identity, 's', ledger.sequence.next()), REJECTED, 401, clock.now());
}

describe("a refresh of one's own", () => {
  it('is told to the others, and to who waits', () => {
    const world = bareLedger({ shared: true });
    const from = world.present('s', A);
    world.told.length = world.changes.length = 0;
    const { to, installed } = succeed(world, from, B);
    expect(installed).toEqual([[{ ...at, session: 's' }, B.fingerprint, false]]);
    expect(from.successor('t')).toBe(to);
    expect(from.successor('u')).toBeUndefined();
    expect(world.told).toEqual([
      ['learnt', B.fingerprint],
      ['learnt', A.fingerprint],
      ['succeeded', { ...at, session: 's' }, B.fingerprint, A.fingerprint],
    ]);
    expect(world.changes).toEqual([{ ...at, cause: 'captured', session: ANY }]);
  });

  it('of what is pinned is told with the number that the pin has now', () => {
    const world = bareLedger({ shared: true });
    world.ledger.pin(scopeOf(undefined, 'x'), A, () => {});
    const pinnedAt = world.ledger.adoption.pin('t', 'p', 'x')?.at ?? 0;
    const from = world.ledger.adoption.identity('p', A.fingerprint);
    world.told.length = world.changes.length = 0;
    // It began before the pinning, and ended after it.
    const { installed } = succeed(world, from, B, undefined, pinnedAt - 1);
    expect(installed).toEqual([[{ ...at, purpose: 'x' }, B.fingerprint, true]]);
    expect(world.ledger.adoption.pin('t', 'p', 'x')?.at).toBe(pinnedAt + 1);
    expect(world.told).toContainEqual(['pinned', 't', 'p', 'x', pinnedAt + 1]);
    expect(world.changes).toEqual([{ ...at, cause: 'pinned', session: ANY }]);
  });

  it('of what nobody holds any more comes to nothing', () => {
    const world = bareLedger({ shared: true });
    const from = world.present('s', A);
    world.present('s', C);
    world.told.length = world.changes.length = 0;
    const { to, installed } = succeed(world, from, B, undefined, 1_000);
    expect([to, installed, from.successor('t')]).toEqual([undefined, [], undefined]);
    expect(world.changes).toEqual([]);
    expect(world.told).toEqual([]);
  });

  it('that brings the same again is none', () => {
    const world = bareLedger({ shared: true });
    const from = world.present('s', A);
    world.told.length = world.changes.length = 0;
    expect(succeed(world, from, A)).toEqual({ to: undefined, installed: [] });
    expect([world.told, world.changes]).toEqual([[], []]);
    expect(world.valueFor('s')).toBe('token-a');
  });

  it('for a tenant that nobody knows is none', () => {
    const world = bareLedger();
    const from = world.present('s', A);
    const { ledger } = world;
    expect(ledger.succeed(from, { tenant: 'unknown', credential: B, at: 5 }, () => {})).toBeUndefined();
    expect(world.valueFor('s')).toBe('token-a');
  });
});

describe('a refresh of another process', () => {
  it('is taken where it may be, and told to nobody', () => {
    const world = bareLedger({ shared: true });
    const from = world.present('s', A);
    world.present('other', A);
    world.told.length = world.changes.length = 0;
    const { to, installed } = succeed(world, from, B, (_, own) => own?.name === 's');
    expect(installed).toEqual([[{ ...at, session: 's' }, B.fingerprint, false]]);
    expect([world.valueFor('s'), world.valueFor('other'), world.valueFor(undefined)]).toEqual(['token-b', 'token-a', 'token-a']);
    expect(from.successor('t')).toBe(to);
    expect([world.told, world.changes]).toEqual([[], []]);
  });

  it('leaves what was pinned after it', () => {
    const world = bareLedger({ shared: true });
    world.ledger.pin(scopeOf(undefined, 'x'), A, () => {});
    const { at: number = 0 } = world.ledger.adoption.pin('t', 'p', 'x') ?? {};
    const from = world.ledger.adoption.identity('p', A.fingerprint);
    expect(succeed(world, from, B, () => true, number - 1).to).toBeUndefined();
    expect(world.ledger.adoption.pin('t', 'p', 'x')?.identity).toBe(from);
    expect(succeed(world, from, B, () => true, number + 1).installed).toEqual([[{ ...at, purpose: 'x' }, B.fingerprint, true]]);
  });

  it('of what nobody holds here is remembered, as others know it', () => {
    const world = bareLedger({ shared: true });
    const from = world.present('s', A);
    expect(succeed(world, from, B, () => false).to).toBeUndefined();
    expect([...world.ledger.identities()].map(({ fingerprint }) => fingerprint)).toContain(B.fingerprint);
  });

  it('goes into a global slot that no session here stands for', () => {
    const world = bareLedger({ shared: true });
    const { adoption } = world.ledger;
    world.present('other', C);
    const from = world.present('lender', A);
    adoption.evictSession('t', 'lender');
    const { installed } = succeed(world, from, B, () => true);
    expect(installed).toEqual([[at, B.fingerprint, false]]);
    expect(world.valueFor('third')).toBe('token-b');
  });
});

describe('what has just been brought', () => {
  it('rests, for twice as long each time that it is turned away, and for six hours at most', () => {
    const world = bareLedger();
    let from = world.present('s', A);
    const rests: number[] = [];
    for (let round = 0; round < 8; round++) {
      const { to } = succeed(world, from, bearer(`token-${round}`));
      if (to === undefined) throw new Error('nothing was brought');
      const rest = to.unrefreshable('t');
      expect(rest?.until).toBe(START + (rest?.restMs ?? 0));
      rests.push((rest?.restMs ?? 0) / MINUTE);
      reject(world, to);
      from = to;
    }
    expect(rests).toEqual([10, 20, 40, 80, 160, 320, 360, 360]);
  });

  it('rests for the shortest while where what it came of was not turned away', () => {
    const world = bareLedger();
    const first = succeed(world, world.present('s', A), B).to as Identity;
    expect(succeed(world, first, C).to?.unrefreshable('t')?.restMs).toBe(10 * MINUTE);
  });

  it('does not rest where it is known already', () => {
    const world = bareLedger();
    const known = world.present('other', B);
    world.ledger.judge(callOf(known, 'other', world.ledger.sequence.next()), { kind: 'accepted' }, undefined, world.clock.now());
    succeed(world, world.present('s', A), B);
    expect(known.unrefreshable('t')).toBeUndefined();
  });

  it.each([
    ['is over already by a clock that must be wrong', 4_000, undefined],
    ['is over at this moment', 0, undefined],
    ['is not over yet', -1 * MINUTE, START + MINUTE - 5_000],
  ])('does not count as ended where it says that it %s', (_, agoMs, expected) => {
    const world = bareLedger({ expiry: SETTINGS });
    const { to } = succeed(world, world.present('s', A), bearer('token-b', { expiresAt: START - agoMs }));
    expect(to?.expiresAt).toBe(expected);
    expect(world.valueFor('s')).toBe('token-b');
  });

  it('elsewhere counts as ended where its process has not said that it does not', () => {
    const world = bareLedger({ expiry: SETTINGS, shared: true });
    const { to } = succeed(world, world.present('s', A), bearer('token-b', { expiresAt: START - 1 }), () => true);
    expect(to?.expiresAt).toBe(START - 1);
  });
});
