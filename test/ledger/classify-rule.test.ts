import { describe, expect, it } from 'vitest';
import { bearer, type Classification, createLatchkey, type Latchkey, type LatchkeyEvents } from '../../src/index.js';
import { manualClock, START } from '../support/clock.js';
import { secretsIn } from '../support/secret-forms.js';

/** The next answer, a 401 unless told otherwise, is classified as the rule has it. */
function settledBy(
  rule: () => unknown,
  outcome: unknown = 401,
): { verdict: unknown; latchkey: Latchkey; errors: LatchkeyEvents['error'][] } {
  const latchkey = createLatchkey({ clock: manualClock(), classify: rule as () => Classification | undefined });
  const errors: LatchkeyEvents['error'][] = [];
  latchkey.on('error', (event) => errors.push(event));
  latchkey.capture('s', bearer('token-secret')).commit();
  const resolution = latchkey.resolve('s');
  return { verdict: resolution.ok && resolution.lease.settle(outcome), latchkey, errors };
}

const rejected = { state: 'rejected', reach: 'identity', status: 401, since: START };
const unproven = { state: 'unproven' };
const held = { state: 'held', status: 401, reason: undefined, since: START, until: START };

describe("a rule of the user's decides", () => {
  const CASES: [string, unknown, object][] = [
    ['accepted', { kind: 'accepted' }, { state: 'accepted', since: START }],
    ['denied', { kind: 'denied' }, unproven],
    ['none', { kind: 'none' }, unproven],
    ['rejected for all', { kind: 'rejected', reach: 'identity' }, rejected],
    ['rejected for the scope', { kind: 'rejected', reach: 'scope' }, { ...rejected, reach: 'scope' }],
    ['held', { kind: 'held', ms: 5 }, { ...held, until: START + 5 }],
    ['held for a moment', { kind: 'held', ms: 0 }, unproven],
    ['transient', { kind: 'transient' }, unproven],
    ['transient for a while', { kind: 'transient', retryAfterMs: 5 }, unproven],
  ];
  it.each(CASES)('%s', (_, classification, verdict) => {
    const found = settledBy(() => classification);
    expect(found.verdict).toEqual(verdict);
    expect(found.errors).toEqual([]);
  });

  it('nothing: the built-in rules do', () => {
    const found = settledBy(() => undefined);
    expect(found.verdict).toEqual(rejected);
    expect(found.errors).toEqual([]);
  });
});

describe('a rule that returns no classification is told of, and the built-in rules decide', () => {
  it.each([
    ['an unknown kind', () => ({ kind: 'fine' })],
    ['a rejection of nobody', () => ({ kind: 'rejected' })],
    ['a rejection of an unknown reach', () => ({ kind: 'rejected', reach: 'all' })],
    ['a hold for no time', () => ({ kind: 'held' })],
    ['a hold for ever', () => ({ kind: 'held', ms: Number.POSITIVE_INFINITY })],
    ['a hold until before now', () => ({ kind: 'held', ms: -1 })],
    ['a pause that is no number', () => ({ kind: 'transient', retryAfterMs: Number.NaN })],
    ['a word', () => 'accepted'],
    ['null', () => null],
    ['a promise', () => Promise.resolve({ kind: 'accepted' })],
    ['a promise that fails', () => Promise.reject(new Error('rule'))],
  ])('%s', (_, rule) => {
    const { verdict, errors } = settledBy(rule);
    expect(verdict).toEqual(rejected);
    expect(errors).toEqual([{ origin: 'classify', error: expect.any(Error) }]);
  });

  it('says what is wrong with it', () => {
    expect(settledBy(() => ({ kind: 'fine' })).errors[0]?.error).toEqual(new TypeError('classify: the rule returned no classification'));
  });

  it('one that throws, and quotes the credential', () => {
    const { verdict, errors, latchkey } = settledBy(() => {
      throw new Error('no rule for token-secret');
    });
    expect(verdict).toEqual(rejected);
    expect(errors).toHaveLength(1);
    const [{ origin, error } = { origin: undefined, error: undefined }] = errors;
    expect([origin, error instanceof Error]).toEqual(['classify', true]);
    expect(secretsIn(`${(error as Error).message} ${(error as Error).stack}`, ['token-secret'])).toEqual([]);
    expect(latchkey.stats().errors).toBe(1);
  });
});

describe('an outcome', () => {
  it('that is an error with a status of an answer is read as the error that it is', () => {
    const { verdict } = settledBy(() => undefined, Object.assign(new Error('x'), { status: 401 }));
    expect(verdict).toEqual(rejected);
  });

  it('counts as late where one of a call that was sent later is there', () => {
    const latchkey = createLatchkey({ clock: manualClock() });
    latchkey.capture('s', bearer('token-a')).commit();
    const [first, second] = [latchkey.resolve('s'), latchkey.resolve('s')];
    if (!first.ok || !second.ok) throw new Error('blocked');
    second.lease.settle(200);
    second.lease.settle(200);
    expect(latchkey.stats().late).toBe(0);
    expect(first.lease.settle(401)).toEqual({ state: 'accepted', since: START });
    expect(latchkey.stats().late).toBe(1);
  });

  it.each([
    ['quotes the credential', 'token-secret is over its limit', undefined],
    ['is no text', 42, undefined],
    ['says why', 'over its limit', 'over its limit'],
  ])('that is a hold whose reason %s', (_, reason, expected) => {
    expect(settledBy(() => undefined, { holdMs: 5, reason }).verdict).toMatchObject({ state: 'held', reason: expected });
  });

  it('after the end changes nothing', async () => {
    const latchkey = createLatchkey({ clock: manualClock() });
    latchkey.capture('s', bearer('token-a')).commit();
    const resolution = latchkey.resolve('s');
    if (!resolution.ok) throw new Error('blocked');
    await latchkey.close();
    expect(resolution.lease.settle(401)).toEqual(unproven);
    expect(resolution.lease.settle(200)).toEqual(unproven);
    expect(latchkey.stats()).toMatchObject({ accepted: 0, rejected: 0 });
  });
});
