import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Explanation, type Latchkey, type LatchkeyOptions } from '../../src/index.js';
import { throwing, watch } from '../support/attempts.js';
import { freezeTime, START, settled } from '../support/clock.js';
import { endpointDown, invalidGrant } from '../support/refreshing.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const MINUTE = 60_000;
const A = bearer('token-a');

/** Session `s` has presented A, which the upstream rejects. */
function world(refresh: LatchkeyOptions['refresh'], options: LatchkeyOptions = {}): Latchkey {
  const latchkey = createLatchkey({ refresh, ...options });
  latchkey.capture('s', A);
  return latchkey;
}

async function turnedAway(latchkey: Latchkey): Promise<void> {
  void latchkey.run('s', throwing({ 'token-a': 401 }).attempt).catch(() => {});
  await settled();
}

const explained = (latchkey: Latchkey) => {
  const explanation: Explanation = latchkey.explain('s');
  const [first] = explanation.candidates;
  return { text: String(explanation), refresh: first?.refresh, unblock: first?.unblock };
};

describe('explain, of a credential that can be refreshed', () => {
  it('says that work asks for it, that it is under way, and when it is tried again', async () => {
    let fail = (_: Error): void => {};
    const latchkey = world(() => new Promise((_, reject) => (fail = reject)));
    expect(explained(latchkey)).toMatchObject({ refresh: undefined, text: expect.not.stringContaining('refresh') });
    latchkey.capture('s', A).settle(401);
    expect(explained(latchkey)).toMatchObject({
      refresh: { state: 'possible', next: undefined },
      unblock: expect.stringMatching(/^its refresh, which the next run asks for, a fresh credential/),
    });
    await turnedAway(latchkey);
    expect(explained(latchkey)).toMatchObject({
      refresh: { state: 'out', next: undefined },
      unblock: expect.stringContaining('under way'),
    });
    fail(endpointDown());
    await settled();
    expect(explained(latchkey)).toMatchObject({
      refresh: { state: 'waiting', next: START + 10_000 },
      unblock: expect.stringContaining(`the next try to refresh it at ${new Date(START + 10_000).toISOString()}`),
    });
  });

  it('says that it was refused, and with what', async () => {
    const latchkey = world(() => {
      throw invalidGrant();
    });
    await turnedAway(latchkey);
    expect(explained(latchkey)).toMatchObject({
      refresh: { state: 'refused', next: undefined, status: 400, code: 'invalid_grant' },
      unblock: expect.not.stringContaining('refresh'),
      text: expect.stringContaining('; its refresh was refused (400 invalid_grant)'),
    });
    latchkey.forgive('s');
    expect(explained(latchkey)).toMatchObject({ refresh: undefined });
  });

  it('says so of one that works still, and that a refresh is to come', async () => {
    const latchkey = createLatchkey({
      refresh: () => {
        throw invalidGrant();
      },
      expiry: { advisoryMs: MINUTE, jitterMs: 0 },
    });
    latchkey.capture('s', bearer('token-b', { expiresAt: START + 10 * MINUTE }));
    expect(explained(latchkey)).toMatchObject({ refresh: { state: 'possible', next: START + 9 * MINUTE }, unblock: undefined });
    await vi.advanceTimersByTimeAsync(9 * MINUTE);
    await latchkey.run('s', () => 'ok');
    await settled();
    expect(explained(latchkey)).toMatchObject({
      refresh: { state: 'refused', code: 'invalid_grant' },
      text: expect.stringMatching(/: usable; its refresh was refused \(400 invalid_grant\)$/m),
    });
  });

  it('says when one may be asked for again that brought nothing, and where what it brought was turned away', async () => {
    const nothing = world(() => undefined);
    await turnedAway(nothing);
    expect(explained(nothing)).toMatchObject({
      refresh: { state: 'resting', next: START + 10 * MINUTE },
      unblock: expect.stringContaining('may be asked for again at '),
    });
    await vi.advanceTimersByTimeAsync(10 * MINUTE);
    expect(explained(nothing)).toMatchObject({ refresh: { state: 'possible' } });

    const useless = world(() => bearer('token-b'));
    await useless.run('s', throwing({ 'token-a': 401, 'token-b': 401 }).attempt).catch(() => {});
    useless.capture('s', A);
    const now = Date.now();
    expect(explained(useless)).toMatchObject({ refresh: { state: 'resting', next: now + 10 * MINUTE } });
  });

  it('says nothing of it where nothing is refreshed, where that would change nothing, and once all is closed', async () => {
    const without = createLatchkey();
    without.capture('s', A).settle(401);
    expect(explained(without).refresh).toBeUndefined();
    const forbidden = world(() => bearer('token-b'));
    forbidden.capture('s', A);
    await forbidden.run('s', throwing({ 'token-a': 403 }).attempt).catch(() => {});
    expect(explained(forbidden).refresh).toBeUndefined();
    const closed = world(() => bearer('token-b'));
    closed.capture('s', A).settle(401);
    await closed.close();
    expect(explained(closed).refresh).toBeUndefined();
  });

  it('changes nothing by saying it', async () => {
    const calls: string[] = [];
    const latchkey = world(() => void calls.push('refresh') as undefined);
    latchkey.capture('s', A).settle(401);
    const before = JSON.stringify([latchkey.stats(), latchkey.snapshot()]);
    latchkey.explain('s');
    await settled();
    expect(JSON.stringify([latchkey.stats(), latchkey.snapshot()])).toBe(before);
    expect(calls).toEqual([]);
  });
});

describe('PARK_TIMEOUT', () => {
  it('says when the refresh is tried next, and what there is to try besides', async () => {
    const latchkey = world(() => {
      throw endpointDown();
    });
    const run = watch(latchkey.run('s', throwing({ 'token-a': 401 }).attempt, { whenBlocked: 'park', parkMs: 5_000 }));
    await settled();
    const runnable = watch(latchkey.whenRunnable('s', { timeoutMs: 5_000 }));
    await vi.advanceTimersByTimeAsync(5_000);
    const details = { code: 'PARK_TIMEOUT', fingerprint: A.fingerprint, status: 401, since: START, until: START + 10_000 };
    expect([run.reason, runnable.reason]).toMatchObject([details, details]);
  });

  it('is that, too, where the clock throws when it is due', async () => {
    let isBroken = false;
    const now = (): number => {
      if (isBroken) throw new Error('no time');
      return Date.now();
    };
    const latchkey = createLatchkey({ clock: { now } });
    latchkey.capture('s', bearer('token-b', { expiresAt: START - 1 }));
    const runnable = watch(latchkey.whenRunnable('s', { timeoutMs: 5_000 }));
    isBroken = true;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(runnable.reason).toMatchObject({ code: 'PARK_TIMEOUT', fingerprint: undefined });
  });
});
