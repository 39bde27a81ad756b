import { describe, expect, it } from 'vitest';
import { Refusals, type Unrefreshable } from '../../src/ledger/refusals.js';
import { isSucceededBy, Successors, successionOf } from '../../src/ledger/successors.js';
import { Identity } from '../../src/ledger/verdicts.js';
import { START } from '../support/clock.js';

const forGood = (at: number): Unrefreshable => ({ at, until: undefined, status: 400, code: 'invalid_grant' });
const forNow = (at: number): Unrefreshable => ({ at, until: START + at, status: 503, code: undefined });

describe('why an identity is not refreshed', () => {
  it.each([
    ['a while gives way to a later one', forNow(5), forNow(6), true],
    ['a while gives way to what the same refresh says again', forNow(5), { ...forNow(5), status: 500 }, true],
    ['a while does not give way to an earlier one', forNow(5), forNow(4), false],
    ['for good gives way to a later one', forGood(5), forGood(6), true],
    ['for good does not give way to an earlier one', forGood(5), forGood(4), false],
    ['for good does not give way to a while, however late', forGood(5), forNow(6), false],
    ['a while gives way to for good, however early', forNow(5), forGood(4), true],
  ])('%s', (_, present, why, counts) => {
    const refusals = new Refusals();
    expect(refusals.add('t', present)).toBe(true);
    expect(refusals.add('t', why)).toBe(counts);
    expect(refusals.get('t')).toBe(counts ? why : present);
    expect(refusals.get(undefined)).toBeUndefined();
    expect(refusals.size).toBe(1);
  });

  it('is kept of 64 tenants: what was found out first goes', () => {
    const refusals = new Refusals();
    // The earliest is neither the first nor the last that came.
    for (let n = 0; n < 64; n++) expect(refusals.add(`t${n}`, forGood(n === 30 ? 10 : 100 + n))).toBe(true);
    expect(refusals.size).toBe(64);
    expect(refusals.add('later', forGood(500))).toBe(true);
    expect([refusals.size, refusals.get('t30'), refusals.get('later')]).toEqual([64, undefined, forGood(500)]);
    expect(refusals.add('earlier', forGood(9))).toBe(false);
    expect([refusals.size, refusals.get('earlier')]).toEqual([64, undefined]);
    expect(refusals.add('t0', forGood(600))).toBe(true);
    expect(refusals.size).toBe(64);
  });

  it('rests end once it has worked, and nothing else does', () => {
    const refusals = new Refusals();
    refusals.add('rests', { ...forNow(5), restMs: 1_000 });
    refusals.add('refused', forGood(5));
    refusals.endRests();
    expect([...refusals.entries()]).toEqual([['refused', forGood(5)]]);
  });
});

describe('what a refresh put in its place', () => {
  const identity = (name: string): Identity => new Identity('p', name);

  it.each([
    ['a later refresh', 6, true],
    ['the same refresh, told again', 5, true],
    ['an earlier refresh', 4, false],
  ])('%s', (_, at, counts) => {
    const successors = new Successors();
    const [one, two] = [identity('one'), identity('two')];
    successors.set('t', one, 5);
    successors.set('t', two, at);
    expect(successors.get('t')).toEqual(counts ? { identity: two, at } : { identity: one, at: 5 });
    expect(successors.get('u')).toBeUndefined();
  });

  it('is kept of 64 tenants: the one that was refreshed for the longest ago goes', () => {
    const successors = new Successors();
    for (let n = 0; n < 64; n++) successors.set(`t${n}`, identity(`i${n}`), 10 + n);
    expect([...successors.entries()]).toHaveLength(64);
    successors.set('t0', identity('again'), 100);
    successors.set('t64', identity('i64'), 101);
    expect([...successors.entries()]).toHaveLength(64);
    expect(successors.get('t0')?.identity.fingerprint).toBe('again');
    expect(successors.get('t1')).toBeUndefined();
    expect(successors.get('t2')).toBeDefined();
  });
});

describe('whether one has come of another', () => {
  /** Three of them; each refresh has its number, what it was of and what it brought. */
  const refreshed = (...refreshes: [number, number, number][]): [Identity, Identity, Identity] => {
    const made = ['a', 'b', 'c'].map((name) => new Identity('p', name)) as [Identity, Identity, Identity];
    for (const [at, from, to] of refreshes) made[from]?.succeeded('t', made[to] as Identity, at);
    return made;
  };

  it('by several refreshes, for that tenant alone', () => {
    const [one, two, three] = refreshed([1, 0, 1], [2, 1, 2]);
    expect(isSucceededBy(one, three, 't')).toBe(true);
    expect(isSucceededBy(two, three, 't')).toBe(true);
    expect(isSucceededBy(three, one, 't')).toBe(false);
    expect(isSucceededBy(one, three, 'u')).toBe(false);
  });

  it('not by a refresh that was before it was there', () => {
    const [one, two, three] = refreshed([1, 1, 2], [2, 0, 1]);
    expect(isSucceededBy(one, two, 't')).toBe(true);
    expect(isSucceededBy(one, three, 't')).toBe(false);
    expect(isSucceededBy(two, three, 't')).toBe(true);
  });

  it('refreshes that were given one number after a clock was set right are one after the other', () => {
    const [one, , three] = refreshed([2, 0, 1], [2, 1, 2]);
    expect(isSucceededBy(one, three, 't')).toBe(true);
  });

  it('one that was given again has come of nothing in between', () => {
    const [one, two, three] = refreshed([1, 0, 1], [2, 1, 0]);
    expect(isSucceededBy(one, two, 't')).toBe(false);
    expect(isSucceededBy(two, one, 't')).toBe(true);
    expect(isSucceededBy(one, three, 't')).toBe(false);
  });

  it('by 16 refreshes, and no more', () => {
    const line = Array.from({ length: 20 }, (_, n) => new Identity('p', `i${n}`));
    line.slice(1).forEach((next, n) => {
      line[n]?.succeeded('t', next, n + 1);
    });
    expect([...successionOf(line[0] as Identity, 't')].map(({ identity }) => identity.fingerprint)).toEqual(
      Array.from({ length: 16 }, (_, n) => `i${n + 1}`),
    );
  });
});
