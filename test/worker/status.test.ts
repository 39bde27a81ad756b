import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  apiKey,
  bearer,
  createIdleLoop,
  createLatchkey,
  type Latchkey,
  type LatchkeyEvents,
  type LatchkeyOptions,
  type Scope,
} from '../../src/index.js';
import { throwing } from '../support/attempts.js';
import { freezeTime, START, settled } from '../support/clock.js';
import { deferred } from '../support/deferred.js';
import { endpointDown, invalidGrant, refreshing } from '../support/refreshing.js';
import { secretsIn } from '../support/secret-forms.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const [A, B] = [bearer('token-a'), bearer('token-b')];
const READY = { state: 'ready', reason: undefined, since: undefined, next: undefined };

let latchkey: Latchkey;
beforeEach(freezeTime);
afterEach(async () => {
  vi.useRealTimers();
  await latchkey.close({ timeoutMs: 0 });
});

function make(options: LatchkeyOptions = {}): LatchkeyEvents['status'][] {
  latchkey = createLatchkey({ canary: 'off', ...options });
  const told: LatchkeyEvents['status'][] = [];
  latchkey.on('status', (event) => told.push(event));
  return told;
}

const skip = (scope: Scope, statuses: Record<string, number> = {}): Promise<unknown> =>
  latchkey.run(scope, throwing(statuses).attempt, { whenBlocked: 'skip' });

describe('how a scope stands', () => {
  it('missing until something is captured, ready from then on, since it was last accepted', async () => {
    make();
    expect(latchkey.status('S')).toEqual({ state: 'missing', reason: 'missing', since: undefined, next: undefined });
    latchkey.capture('S', A);
    expect(latchkey.status('S')).toEqual(READY);
    vi.setSystemTime(START + 1_000);
    await skip('S');
    vi.setSystemTime(START + 5_000);
    expect(latchkey.status('S')).toEqual({ ...READY, since: START + 1_000 });
  });

  it('held until the hold ends', async () => {
    make();
    latchkey.capture('S', A).settle({ holdMs: MINUTE, reason: 'quota' });
    expect(latchkey.status('S')).toEqual({ state: 'held', reason: 'held', since: START, next: START + MINUTE });
    vi.setSystemTime(START + MINUTE);
    expect(latchkey.status('S')).toEqual(READY);
  });

  it('blocked once rejected or expired, and whether something is tried next', async () => {
    make({ expiry: { mandatoryMs: 0 } });
    latchkey.capture('S', bearer('short', { expiresAt: START + MINUTE }));
    latchkey.capture({ session: 'S', provider: 'Q' }, A).settle(401);
    latchkey.capture({ session: 'S', provider: 'K' }, apiKey('key')).settle(401);
    vi.setSystemTime(START + MINUTE);
    expect(latchkey.status('S')).toEqual({ state: 'blocked', reason: 'expired', since: START + MINUTE, next: undefined });
    expect(latchkey.status({ session: 'S', provider: 'Q' })).toEqual({
      state: 'blocked',
      reason: 'rejected',
      since: START,
      next: undefined,
    });
    const { next } = latchkey.status({ session: 'S', provider: 'K' });
    expect(next).toBeGreaterThanOrEqual(START + 15 * MINUTE);
  });

  it('refreshing while a try is out and between tries, auth_retrying after them, blocked in the end', async () => {
    const { refresh } = refreshing(() => endpointDown());
    make({ refresh, idleMs: 48 * HOUR });
    latchkey.capture('S', A).settle(401);
    expect(latchkey.status('S')).toMatchObject({ state: 'blocked' });
    await skip('S');
    expect(latchkey.status('S')).toEqual({ state: 'refreshing', reason: 'rejected', since: START, next: START + 10_000 });
    await vi.advanceTimersByTimeAsync(5 * MINUTE);
    const { state, since, next } = latchkey.status('S');
    expect({ state, next }).toEqual({ state: 'auth_retrying', next: (since as number) + 10 * MINUTE });
    await vi.advanceTimersByTimeAsync(25 * HOUR);
    expect(latchkey.status('S')).toEqual({ state: 'blocked', reason: 'rejected', since: START, next: undefined });
  });

  it('refreshing has no next try while one is out', async () => {
    const answer = deferred<undefined>();
    make({ refresh: () => answer.promise });
    latchkey.capture('S', A).settle(401);
    const run = skip('S');
    await settled();
    expect(latchkey.status('S')).toEqual({ state: 'refreshing', reason: 'rejected', since: START, next: undefined });
    answer.resolve(undefined);
    await run;
    expect(latchkey.status('S')).toMatchObject({ state: 'blocked' });
  });

  it('a refresh beside live work leaves it ready', async () => {
    const answer = deferred<undefined>();
    make({ refresh: () => answer.promise });
    latchkey.capture('S', bearer('old', { expiresAt: START + HOUR }));
    vi.setSystemTime(START + HOUR - MINUTE);
    await skip('S');
    expect(latchkey.stats()).toMatchObject({ refreshing: 1 });
    expect(latchkey.status('S').state).toBe('ready');
    answer.resolve(undefined);
  });

  it('closed is closed', async () => {
    make();
    latchkey.capture('S', A);
    await latchkey.close();
    expect(latchkey.status('S')).toEqual({ state: 'blocked', reason: 'closed', since: undefined, next: undefined });
  });

  it('stands in the snapshot beside each slot, and that holds no value', () => {
    make();
    const scope = { tenant: 't', session: 'S', provider: 'P' };
    latchkey.capture(scope, A).settle(401);
    latchkey.capture({ ...scope, session: 'T' }, B);
    latchkey.pin({ tenant: 't', provider: 'Q' }, A);
    const snapshot = latchkey.snapshot();
    expect(snapshot.slots).toHaveLength(4);
    for (const slot of snapshot.slots) expect(slot.status).toEqual(latchkey.status(slot.scope));
    expect(JSON.parse(JSON.stringify(snapshot)).slots[0].status.state).toBe(snapshot.slots[0]?.status.state);
    expect(secretsIn(JSON.stringify([snapshot, latchkey.status(scope)]), ['token-a', 'token-b'])).toEqual([]);
  });

  it.each([undefined, null, 7, '', { sesion: 'S' }])('%j is no scope', (scope) => {
    make();
    expect(() => latchkey.status(scope as never)).toThrow(/^scope: /);
  });
});

describe('the event `status`', () => {
  const states = (told: readonly LatchkeyEvents['status'][]): string[] => told.map(({ from, state }) => `${from} > ${state}`);

  it('is told when work meets a change, once, and again when it is over', async () => {
    const told = make();
    latchkey.capture('S', A);
    for (let i = 0; i < 5; i++) await skip('S', { 'token-a': 401 });
    expect(told).toEqual([{ scope: { session: 'S' }, from: 'ready', state: 'blocked', reason: 'rejected', since: START, next: undefined }]);
    latchkey.capture('S', B);
    expect(told.slice(1)).toEqual([{ scope: { session: 'S' }, from: 'blocked', ...READY }]);
    for (let i = 0; i < 5; i++) await skip('S');
    expect(told).toHaveLength(2);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['a run that throws', () => latchkey.run('S', () => 1).catch(() => {})],
    ['a run that is skipped', () => skip('S')],
    ['a run that parks', () => latchkey.run('S', () => 1, { whenBlocked: 'park', parkMs: 0 }).catch(() => {})],
    ['whenRunnable', () => latchkey.whenRunnable('S', { timeoutMs: 0 }).catch(() => {})],
    [
      'an idle loop',
      () => createIdleLoop(latchkey, { everyMs: 1, items: () => ['S'], scope: (item) => item, task: async () => {} }).tick(),
    ],
  ])('is told by %s; not by what only asks', async (_, meet) => {
    const told = make();
    latchkey.capture('S', A).settle(401);
    latchkey.canRun('S');
    latchkey.resolve('S');
    latchkey.explain('S');
    latchkey.status('S');
    latchkey.snapshot();
    expect(told).toEqual([]);
    const met = meet();
    await vi.advanceTimersByTimeAsync(1);
    await met;
    expect(states(told)).toEqual(['ready > blocked']);
  });

  it('is told by a lease whose call was rejected, unless there is another credential', () => {
    const told = make();
    latchkey.capture('S', A);
    latchkey.capture('T', B);
    const settle = (status: number): void => {
      const resolution = latchkey.resolve('S');
      if (resolution.ok) resolution.lease.settle(status);
    };
    settle(401);
    expect(told).toEqual([]);
    settle(401);
    expect(states(told)).toEqual(['ready > blocked']);
  });

  it('follows a refresh through its states', async () => {
    const outcomes = [endpointDown(), endpointDown(), endpointDown(), endpointDown(), endpointDown(), B];
    const { refresh } = refreshing(() => outcomes.shift() as typeof B | Error);
    const told = make({ refresh });
    latchkey.capture('S', A);
    await skip('S', { 'token-a': 401 });
    await vi.advanceTimersByTimeAsync(HOUR);
    expect(states(told)).toEqual(['ready > refreshing', 'refreshing > auth_retrying', 'auth_retrying > ready']);
  });

  it('says blocked at once when a refresh is refused for good', async () => {
    const { refresh } = refreshing(() => invalidGrant());
    const told = make({ refresh });
    latchkey.capture('S', A);
    await skip('S', { 'token-a': 401 });
    expect(states(told)).toEqual(['ready > refreshing', 'refreshing > blocked']);
  });

  it('the end of a hold is told by the next work', async () => {
    const told = make();
    latchkey.capture('S', A).settle({ holdMs: MINUTE });
    await skip('S');
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(states(told)).toEqual(['ready > held']);
    await skip('S');
    expect(states(told)).toEqual(['ready > held', 'held > ready']);
  });

  it('so is a fallback rule that has changed its mind', async () => {
    let lends = false;
    const told = make({ fallback: () => lends });
    latchkey.capture('T', A);
    await skip('S');
    lends = true;
    await skip('S');
    expect(states(told)).toEqual(['ready > missing', 'missing > ready']);
  });

  it('a run that needs a credential for longer does not speak for its scope', async () => {
    const told = make({ expiry: {} });
    latchkey.capture('S', bearer('short', { expiresAt: START + MINUTE }));
    await latchkey.run('S', () => 1, { minTtlMs: HOUR, whenBlocked: 'skip' });
    expect(told).toEqual([]);
    latchkey.capture('S', bearer('short', { expiresAt: START + MINUTE })).settle(401);
    await latchkey.run('S', () => 1, { minTtlMs: HOUR, whenBlocked: 'skip' });
    latchkey.capture('S', bearer('another', { expiresAt: START + MINUTE }));
    expect(states(told)).toEqual(['ready > blocked', 'blocked > ready']);
  });

  it('of 1,000 sessions that came and went, each is told, and nothing is kept', async () => {
    const told = make({ limits: { sessions: 50 }, fallback: 'none' });
    for (let i = 0; i < 1_000; i++) {
      const scope = { session: `S${i}` };
      latchkey.capture(scope, bearer(`token-${i}`)).settle(401);
      await skip(scope);
      if (i % 2 === 0) latchkey.evict(scope);
    }
    expect(states(told).filter((change) => change === 'ready > blocked')).toHaveLength(1_000);
    // Evicted, or pushed out: they are told once more and forgotten.
    expect(states(told).filter((change) => change === 'blocked > missing').length).toBeGreaterThanOrEqual(950);
  });

  it('of scopes that are not ready no more are remembered than sessions, and what is beyond is not told at each tick', async () => {
    const told = make({ limits: { sessions: 10 } });
    for (let tick = 0; tick < 5; tick++) for (let i = 0; i < 100; i++) await skip(`S${i}`);
    expect(told).toHaveLength(10);
  });

  it('costs nothing while nobody hears it, and is told of what it was not heard of before', async () => {
    latchkey = createLatchkey({ canary: 'off' });
    latchkey.capture('S', A).settle(401);
    await skip('S');
    const told: unknown[] = [];
    const hear = (event: unknown): void => void told.push(event);
    subscribe('latchkey:status', hear);
    await skip('S');
    unsubscribe('latchkey:status', hear);
    expect(told).toEqual([expect.objectContaining({ from: 'ready', state: 'blocked' })]);
  });

  it('a listener that acts on it hears what comes of that afterwards', async () => {
    const told = make();
    latchkey.on('status', ({ state }) => {
      if (state === 'blocked') latchkey.capture('S', B);
    });
    latchkey.capture('S', A);
    await skip('S', { 'token-a': 401 });
    expect(states(told)).toEqual(['ready > blocked', 'blocked > ready']);
  });

  it('nothing is told after the end', async () => {
    const told = make();
    latchkey.capture('S', A).settle(401);
    await skip('S');
    await latchkey.close();
    latchkey.capture('S', B);
    expect(told).toHaveLength(1);
  });
});
