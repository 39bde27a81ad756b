import { describe, expect, it } from 'vitest';
import { bearer, type Credential } from '../../src/credential/credential.js';
import { ANY, type Change } from '../../src/ledger/change.js';
import { PROBE_MS } from '../../src/ledger/ledger.js';
import type { Identity } from '../../src/ledger/verdicts.js';
import { type BareLedger, bareLedger, callOf, scopeOf } from '../support/bare-ledger.js';
import { START } from '../support/clock.js';

const [A, B, C] = ['a', 'b', 'c'].map((name) => bearer(`token-${name}`)) as [Credential, Credential, Credential];
const REJECTED = { kind: 'rejected', reach: 'identity' } as const;
const at = { tenant: 't', provider: 'p' } as const;
const ofIdentity = { tenant: ANY, provider: 'p', session: ANY } as const;
const reject = ({ ledger, clock }: BareLedger, identity: Identity): void => {
  ledger.judge(callOf(identity, 's', ledger.sequence.next()), REJECTED, 401, clock.now());
};

// Who waits looks again only after one of these.
describe('those who wait are told', () => {
  const CASES: [string, (world: BareLedger) => void, Change[]][] = [
    ['of a tenant that has something to lend', ({ present }) => present('s', A), [{ ...at, cause: 'captured', session: ANY }]],
    [
      'of nothing new where the same is presented again',
      (world) => {
        world.present('s', A);
        world.changes.length = 0;
        world.present('s', A);
      },
      [],
    ],
    [
      'of the one session, where another still lends something later',
      (world) => {
        world.present('lender', B, 9);
        world.changes.length = 0;
        world.present('s', A, 8);
      },
      [{ ...at, cause: 'captured', session: 's' }],
    ],
    [
      'of everybody with it, when what had expired is presented with a later end',
      (world) => {
        world.present('s', bearer('token-a', { expiresAt: START + 1_000 }));
        world.clock.advance(1_000);
        world.changes.length = 0;
        world.present('s', bearer('token-a', { expiresAt: START + 9_000 }));
      },
      [{ ...ofIdentity, cause: 'captured' }],
    ],
    [
      'of everybody with it, when an answer says so',
      ({ ledger, present, clock, changes }) => {
        const identity = present('s', bearer('token-a', { expiresAt: START + 1_000 }));
        clock.advance(1_000);
        changes.length = 0;
        ledger.hintLate(identity, { expiresAt: START + 1_000, at: 5, byUpstream: false });
        ledger.hintLate(identity, { expiresAt: START + 9_000, at: 6, byUpstream: false });
        ledger.hintLate(identity, { expiresAt: START + 9_500, at: 7, byUpstream: false });
      },
      [{ ...ofIdentity, cause: 'captured' }],
    ],
    [
      'of a pin, and of its end, once',
      ({ ledger }) => {
        const unpin = ledger.pin(scopeOf(undefined, 'x'), A, () => {});
        unpin();
        unpin();
      },
      [
        { ...at, cause: 'pinned', session: ANY },
        { ...at, cause: 'pinned', session: ANY },
      ],
    ],
    [
      'of a rejected credential that is pinned, which is good again for all',
      (world) => {
        reject(world, world.present('s', A));
        world.changes.length = 0;
        world.ledger.pin(scopeOf(undefined, 'x'), A, () => {});
      },
      [
        { ...ofIdentity, cause: 'forgiven' },
        { ...at, cause: 'pinned', session: ANY },
      ],
    ],
    [
      'of an eviction, and of what is lent no more',
      (world) => {
        world.present('other', B);
        world.present('s', A);
        world.changes.length = 0;
        world.ledger.evict('t', 's');
      },
      [
        { ...at, cause: 'unlent', session: ANY },
        { cause: 'evicted', tenant: 't', provider: ANY, session: 's' },
      ],
    ],
    [
      'of the eviction of a session that presented nothing',
      ({ ledger }) => ledger.evict('t', 's'),
      [{ cause: 'evicted', tenant: 't', provider: ANY, session: 's' }],
    ],
    [
      'of the eviction of a tenant',
      ({ ledger }) => ledger.evictTenant('t'),
      [{ cause: 'evicted', tenant: 't', provider: ANY, session: ANY }],
    ],
  ];
  it.each(CASES)('%s', (_, act, changes) => {
    const world = bareLedger();
    act(world);
    expect(world.changes).toEqual(changes);
  });
});

describe('a presentation is told as a change', () => {
  /** Whether each, one after the other, changes what its work is done with. */
  const changed = ({ ledger }: BareLedger, ...presented: [string | undefined, Credential, number][]): boolean[] =>
    presented.map(([session, credential, number]) => {
      let installed = false;
      const onInstalled = (): void => {
        installed = true;
      };
      const found = ledger.present(scopeOf(session), credential, number, onInstalled).changed;
      expect(found).toBe(installed);
      return found;
    });

  it('of a session where its own slot has changed', () => {
    expect(changed(bareLedger(), ['s', A, 1], ['s', A, 2], ['other', B, 3], ['s', A, 4], ['s', B, 5])).toEqual([
      true,
      false,
      true,
      false,
      true,
    ]);
  });

  it('of no session where the global slot has', () => {
    expect(changed(bareLedger(), [undefined, A, 1], [undefined, A, 2], ['s', B, 3], [undefined, A, 4])).toEqual([true, false, true, true]);
  });
});

describe('what is forgiven by its fingerprint', () => {
  it('is said to have been there, or not', () => {
    const world = bareLedger();
    reject(world, world.present('s', A));
    expect(world.ledger.forgiveFingerprint(A.fingerprint)).toBe(true);
    expect(world.valueFor('s')).toBe('token-a');
    expect(world.ledger.forgiveFingerprint(B.fingerprint)).toBe(false);
  });
});

describe('a probe that is out', () => {
  const rules = { afterMs: 1_000, maxMs: 60_000, sessionTokens: true };
  const rejected = (): { world: BareLedger; identity: Identity } => {
    const world = bareLedger({ probes: rules });
    const identity = world.present('s', A);
    reject(world, identity);
    expect(world.valueFor('s')).toBeUndefined();
    world.clock.advance(2_000);
    return { world, identity };
  };

  it('keeps others from being made for a minute', () => {
    const { world, identity } = rejected();
    expect(world.ledger.choose(scopeOf('s'))?.probe).toBe(true);
    world.ledger.takeProbe(identity);
    world.clock.advance(PROBE_MS - 1);
    expect(world.valueFor('s')).toBeUndefined();
    world.clock.advance(1);
    expect(world.valueFor('s')).toBe('token-a');
  });

  it("given back unused, it may be made by another at once; given back too late, it is another's", () => {
    const { world, identity } = rejected();
    const giveBack = world.ledger.takeProbe(identity);
    giveBack();
    expect(world.valueFor('s')).toBe('token-a');
    world.clock.advance(1);
    world.ledger.takeProbe(identity);
    giveBack();
    expect(world.valueFor('s')).toBeUndefined();
  });
});

describe('whether work waits for an identity', () => {
  it("it does for the session's own, and for what it may borrow", () => {
    const { ledger, present } = bareLedger();
    const [own, lent] = [present('s', A), present('lender', B)];
    expect([own, lent].map((identity) => ledger.isCandidate(scopeOf('s'), identity))).toEqual([true, true]);
    expect([own, lent].map((identity) => ledger.isCandidate(scopeOf('other'), identity))).toEqual([false, true]);
    expect([own, lent].map((identity) => ledger.isCandidate(scopeOf(undefined), identity))).toEqual([false, true]);
    ledger.adoption.open('t', 'empty');
    expect([own, lent].map((identity) => ledger.isCandidate(scopeOf('empty'), identity))).toEqual([false, true]);
  });

  it('it does not for anything else once something is pinned', () => {
    const { ledger, present } = bareLedger();
    const own = present('s', A);
    const other = present('other', B);
    ledger.pin(scopeOf(undefined, 'x'), C, () => {});
    const pin = ledger.adoption.identity('p', C.fingerprint);
    expect([own, other, pin].map((identity) => ledger.isCandidate(scopeOf('s', 'x'), identity))).toEqual([false, false, true]);
  });

  it('it does for nothing where nobody has presented anything', () => {
    const { ledger } = bareLedger();
    expect(ledger.isCandidate(scopeOf('s'), ledger.remember('p', A.fingerprint))).toBe(false);
  });
});

describe('who lends goes, and what was lent', () => {
  it('stays as long as somebody who presented it is there, and goes with the last of them', () => {
    const { ledger, present, valueFor } = bareLedger();
    present('first', B);
    present('second', A);
    present('third', A);
    ledger.evict('t', 'third');
    expect(valueFor('other')).toBe('token-a');
    present('fourth', C, 0);
    ledger.evict('t', 'fourth');
    expect(valueFor('other')).toBe('token-a');
    ledger.evict('t', 'second');
    expect(valueFor('other')).toBeUndefined();
    expect(valueFor('first')).toBe('token-b');
  });
});
