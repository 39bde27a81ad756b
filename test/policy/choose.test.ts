import { describe, expect, it } from 'vitest';
import { choose, completesBlock, displaces, isDead, isUsable, type Obstacle, obstacle, type Standing } from '../../src/policy/choose.js';
import { type Rejection, type Ruling, UNPROVEN } from '../../src/policy/verdict.js';

const NOW = 1_000;
const SCOPE = { key: 'S' };

const ACCEPTED: Ruling = { state: 'accepted', sent: 1, passed: 0, since: 10 };
const REJECTED: Rejection = { state: 'rejected', reach: 'identity', status: 401, sent: 1, passed: 2, since: 20 };
const MARKED: Rejection = { state: 'rejected', reach: 'scope', status: 403, sent: 1, passed: 3, since: 30 };
const heldUntil = (until: number): Ruling => ({ state: 'held', status: 402, reason: undefined, sent: 1, passed: 4, since: 40, until });

function standing(ruling: Ruling = UNPROVEN, expiresAt?: number, marked = false): Standing {
  return { ruling, expiresAt, rejectionFor: (scope) => (marked && scope.key === SCOPE.key ? MARKED : undefined) };
}

/** Every standing there is, and why it is no use at NOW. */
const STANDINGS: readonly [string, Standing, Obstacle['reason'] | undefined][] = [
  ['unproven', standing(), undefined],
  ['accepted', standing(ACCEPTED), undefined],
  ['rejected', standing(REJECTED), 'rejected'],
  ['held still', standing(heldUntil(NOW + 1)), 'held'],
  ['held until now', standing(heldUntil(NOW)), undefined],
  ['expiring next', standing(UNPROVEN, NOW + 1), undefined],
  ['expiring now', standing(UNPROVEN, NOW), 'expired'],
  ['accepted, expired', standing(ACCEPTED, NOW - 1), 'expired'],
  ['marked', standing(UNPROVEN, undefined, true), 'rejected'],
  ['accepted elsewhere, marked', standing(ACCEPTED, undefined, true), 'rejected'],
  ['rejected and expired', standing(REJECTED, NOW - 1), 'rejected'],
  ['held and expired', standing(heldUntil(NOW + 1), NOW - 1), 'held'],
  ['held and marked', standing(heldUntil(NOW + 1), undefined, true), 'rejected'],
  ['expired and marked', standing(UNPROVEN, NOW - 1, true), 'rejected'],
];

describe('isUsable and obstacle', () => {
  it.each(STANDINGS)('%s', (_, candidate, reason) => {
    expect(isUsable(candidate, SCOPE, NOW)).toBe(reason === undefined);
    expect(obstacle(candidate, SCOPE, NOW)?.reason).toBe(reason);
  });

  it('a mark counts for its own scope only', () => {
    expect(isUsable(standing(UNPROVEN, undefined, true), { key: 'T' }, NOW)).toBe(true);
  });

  it('an obstacle says since when, until when and with which status', () => {
    expect(obstacle(standing(REJECTED), SCOPE, NOW)).toEqual({ reason: 'rejected', status: 401, since: 20, passed: 2, probes: 0 });
    expect(obstacle(standing(UNPROVEN, undefined, true), SCOPE, NOW)).toEqual({
      reason: 'rejected',
      status: 403,
      since: 30,
      passed: 3,
      probes: 0,
    });
    expect(obstacle(standing(heldUntil(2_000)), SCOPE, NOW)).toEqual({ reason: 'held', status: 402, since: 40, until: 2_000, passed: 4 });
    expect(obstacle(standing(UNPROVEN, 900), SCOPE, NOW)).toEqual({ reason: 'expired', since: 900, passed: -1 });
  });
});

describe('isDead', () => {
  it.each<[string, Standing, boolean]>([
    ['unproven', standing(), false],
    ['rejected everywhere', standing(REJECTED), true],
    ['past its expiry', standing(ACCEPTED, NOW), true],
    ['held', standing(heldUntil(NOW + 1)), false],
    ['marked for a scope', standing(UNPROVEN, undefined, true), false],
  ])('%s', (_, candidate, dead) => {
    expect(isDead(candidate, NOW)).toBe(dead);
  });
});

describe('choose', () => {
  it('is the first usable of the session’s own and the global one, and of the pin alone where there is one', () => {
    const candidates = [undefined, ...STANDINGS.map(([, candidate]) => candidate)];
    const usable = (candidate: Standing | undefined): boolean => candidate !== undefined && isUsable(candidate, SCOPE, NOW);
    for (const pin of candidates) {
      for (const own of candidates) {
        for (const global of candidates) {
          const expected = pin ? (usable(pin) ? 'pinned' : undefined) : usable(own) ? 'session' : usable(global) ? 'global' : undefined;
          expect(choose(pin, own, global, SCOPE, NOW)).toBe(expected);
        }
      }
    }
  });
});

describe('displaces', () => {
  it.each<[string, Parameters<typeof displaces>, boolean]>([
    [
      'a newer one, alive against alive',
      [
        { at: 2, dead: false },
        { at: 1, deadOnArrival: false, dead: false },
      ],
      true,
    ],
    [
      'an older one, alive against alive',
      [
        { at: 1, dead: false },
        { at: 2, deadOnArrival: false, dead: false },
      ],
      false,
    ],
    [
      'a newer one, alive against dead',
      [
        { at: 2, dead: false },
        { at: 1, deadOnArrival: false, dead: true },
      ],
      true,
    ],
    [
      'an older one, alive against one that died later',
      [
        { at: 1, dead: false },
        { at: 2, deadOnArrival: false, dead: true },
      ],
      false,
    ],
    [
      'an older one, alive against one that came dead',
      [
        { at: 1, dead: false },
        { at: 2, deadOnArrival: true, dead: true },
      ],
      true,
    ],
    [
      'an older one, alive against one that came dead and was freed',
      [
        { at: 1, dead: false },
        { at: 2, deadOnArrival: true, dead: false },
      ],
      false,
    ],
    [
      'a newer one, dead against alive',
      [
        { at: 2, dead: true },
        { at: 1, deadOnArrival: false, dead: false },
      ],
      false,
    ],
    [
      'a newer one, dead against dead',
      [
        { at: 2, dead: true },
        { at: 1, deadOnArrival: false, dead: true },
      ],
      true,
    ],
    [
      'an older one, dead against dead',
      [
        { at: 1, dead: true },
        { at: 2, deadOnArrival: true, dead: true },
      ],
      false,
    ],
  ])('%s', (_, [presented, present], taken) => {
    expect(displaces(presented, present)).toBe(taken);
  });
});

describe('completesBlock', () => {
  const fell = (since: number, passed: number): Obstacle => ({ reason: 'rejected', status: 401, since, passed, probes: 0 });

  it('the later fall does; of two at one time the one that was passed later', () => {
    expect(completesBlock(fell(2, 1), fell(1, 9))).toBe(true);
    expect(completesBlock(fell(1, 9), fell(2, 1))).toBe(false);
    expect(completesBlock(fell(1, 3), fell(1, 2))).toBe(true);
    expect(completesBlock(fell(1, 2), fell(1, 3))).toBe(false);
    expect(completesBlock(fell(1, 2), fell(1, 2))).toBe(false);
  });
});
