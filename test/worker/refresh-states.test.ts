import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LatchkeyEvents } from '../../src/events.js';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions } from '../../src/index.js';
import { throwing, watch } from '../support/attempts.js';
import { freezeTime, START, settled } from '../support/clock.js';
import { deferred } from '../support/deferred.js';
import { type Brought, endpointDown, invalidGrant, type RecordedRefresh, refreshing } from '../support/refreshing.js';
import { type RecordingReporter, recordingReporter } from '../support/reporter.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const A = bearer('token-a');
const B = bearer('token-b');
const C = bearer('token-c');

interface World {
  readonly latchkey: Latchkey;
  readonly reporter: RecordingReporter;
  readonly recorded: RecordedRefresh;
  readonly statuses: LatchkeyEvents['status'][];
  readonly failures: LatchkeyEvents['refreshFailed'][];
  /** The upstream rejects `token-a` only. */
  readonly sent: string[];
  run(options?: Parameters<Latchkey['run']>[2]): Promise<unknown>;
}

/** Session `s` has presented A, which the upstream rejects. */
function world(bring: (tried: number) => Brought, options: LatchkeyOptions = {}): World {
  const recorded = refreshing((_, __, tried) => bring(tried));
  const reporter = recordingReporter();
  const latchkey = createLatchkey({ refresh: recorded.refresh, reporter, ...options });
  const statuses: LatchkeyEvents['status'][] = [];
  const failures: LatchkeyEvents['refreshFailed'][] = [];
  latchkey.on('status', (event) => statuses.push(event));
  latchkey.on('refreshFailed', (event) => failures.push(event));
  latchkey.capture('s', A);
  const { attempt, sent } = throwing({ 'token-a': 401 });
  return { latchkey, reporter, recorded, statuses, failures, sent, run: (runOptions = {}) => latchkey.run('s', attempt, runOptions) };
}

const stands = (latchkey: Latchkey): unknown => latchkey.status('s');

describe('a refresh that succeeds', () => {
  it('running, refreshing, running: nobody fails, nothing is reported', async () => {
    const answer = deferred<typeof B>();
    const { latchkey, reporter, recorded, statuses, sent, run } = world(() => answer.promise);
    expect(stands(latchkey)).toMatchObject({ state: 'ready' });
    const waiting = watch(run());
    await settled();
    expect(stands(latchkey)).toEqual({ state: 'refreshing', reason: 'rejected', since: START, next: undefined });
    expect(latchkey.stats()).toMatchObject({ refreshing: 1, waiting: 1, refreshes: 1 });
    answer.resolve(B);
    await settled();
    expect(waiting).toMatchObject({ state: 'resolved', value: 'ok token-b' });
    expect(stands(latchkey)).toMatchObject({ state: 'ready', reason: undefined });
    expect(sent).toEqual(['token-a', 'token-b']);
    expect(recorded.calls).toEqual(['token-a']);
    expect(statuses.map(({ from, state }) => [from, state])).toEqual([
      ['ready', 'refreshing'],
      ['refreshing', 'ready'],
    ]);
    expect(latchkey.stats()).toMatchObject({ refreshing: 0, waiting: 0, refreshed: 1, refreshesFailed: 0, incidents: 0 });
    expect(reporter.openings).toEqual([]);
  });

  it('each kind of run waits for the try that is out, and goes on', async () => {
    for (const whenBlocked of ['throw', 'skip', 'park'] as const) {
      const answer = deferred<typeof B>();
      const { latchkey, run, sent } = world(() => answer.promise);
      latchkey.capture('s', A).settle(401);
      const waiting = watch(run({ whenBlocked }));
      await settled();
      expect([whenBlocked, waiting.state]).toEqual([whenBlocked, 'pending']);
      answer.resolve(B);
      await settled();
      expect(waiting).toMatchObject({ state: 'resolved', value: 'ok token-b' });
      expect(sent).toEqual(['token-b']);
      expect(latchkey.stats()).toMatchObject({ parked: 0, skipped: 0, refreshes: 1 });
    }
  });

  it('whenRunnable waits through the pauses', async () => {
    const { latchkey } = world((tried) => (tried < 3 ? endpointDown() : B));
    latchkey.capture('s', A).settle(401);
    const ready = watch(latchkey.whenRunnable('s'));
    await vi.advanceTimersByTimeAsync(29 * SECOND);
    expect(ready.state).toBe('pending');
    await vi.advanceTimersByTimeAsync(SECOND);
    await settled();
    expect(ready.state).toBe('resolved');
  });
});

describe('a refresh that fails for reasons that pass', () => {
  it('the tries, and how the scope stands after each', async () => {
    const { latchkey, recorded, failures, run } = world(endpointDown);
    await expect(run()).rejects.toMatchObject({ code: 'AUTH_RETRYING' });
    const at = (): number => Date.now() - START;
    const tried: [number, unknown][] = [];
    for (const pause of [10, 20, 40, 80].map((seconds) => seconds * SECOND)) {
      tried.push([at(), stands(latchkey)]);
      await vi.advanceTimersByTimeAsync(pause - 1);
      expect(recorded.calls).toHaveLength(tried.length);
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(recorded.calls).toHaveLength(5);
    expect(tried).toEqual(
      [0, 10, 30, 70].map((seconds, index) => [
        seconds * SECOND,
        { state: 'refreshing', reason: 'rejected', since: START, next: START + [10, 30, 70, 150].map((s) => s * SECOND)[index]! },
      ]),
    );
    const since = START + 150 * SECOND;
    expect(stands(latchkey)).toEqual({ state: 'auth_retrying', reason: 'rejected', since, next: since + 10 * MINUTE });
    await vi.advanceTimersByTimeAsync(10 * MINUTE - 1);
    expect(recorded.calls).toHaveLength(5);
    await vi.advanceTimersByTimeAsync(1);
    expect(recorded.calls).toHaveLength(6);
    expect(stands(latchkey)).toMatchObject({ state: 'auth_retrying', since, next: since + 20 * MINUTE });
    expect(failures.map(({ kind, status, next }) => [kind, status, next])).toEqual(
      [10, 30, 70, 150, 750, 1350].map((seconds) => ['transient', 503, START + seconds * SECOND]),
    );
  });

  it.each(['pause', 'auth_retrying'] as const)('in a %s runs fail fast, and nothing is sent', async (when) => {
    const { latchkey, sent, run, recorded } = world(endpointDown);
    await expect(run()).rejects.toMatchObject({ code: 'AUTH_RETRYING' });
    if (when === 'auth_retrying') await vi.advanceTimersByTimeAsync(200 * SECOND);
    const { since, next } = latchkey.status('s');
    const tries = recorded.calls.length;
    await expect(run()).rejects.toMatchObject({
      code: 'AUTH_RETRYING',
      fingerprint: A.fingerprint,
      status: 401,
      since,
      until: next,
      scope: { session: 's' },
    });
    await expect(run({ rejected: 'return' })).rejects.toMatchObject({ code: 'AUTH_RETRYING' });
    await expect(run({ whenBlocked: 'skip' })).resolves.toBeUndefined();
    const parked = watch(run({ whenBlocked: 'park', parkMs: 20 * MINUTE }));
    await settled();
    expect(parked.state).toBe('pending');
    expect(latchkey.resolve('s')).toMatchObject({ ok: false, reason: 'rejected' });
    expect(sent).toEqual(['token-a']);
    expect(recorded.calls).toHaveLength(tries);
  });

  it('those who fail fast do so in no time, and those parked go on as soon as a try succeeds', async () => {
    const { latchkey, run, sent } = world((tried) => (tried <= 6 ? endpointDown() : B));
    const parked = watch(run({ whenBlocked: 'park', parkMs: 2 * HOUR }));
    await vi.advanceTimersByTimeAsync(150 * SECOND + 20 * MINUTE - 1);
    expect(latchkey.status('s').state).toBe('auth_retrying');
    expect(parked.state).toBe('pending');
    await vi.advanceTimersByTimeAsync(1);
    await settled();
    expect(parked).toMatchObject({ state: 'resolved', value: 'ok token-b' });
    expect(sent).toEqual(['token-a', 'token-b']);
    expect(latchkey.status('s').state).toBe('ready');
  });

  it('the incident opens once it has failed for long, and its end is told once', async () => {
    const { latchkey, reporter, statuses, run } = world((tried) => (tried <= 6 ? endpointDown() : B));
    await run().catch(() => {});
    await vi.advanceTimersByTimeAsync(150 * SECOND - 1);
    await run().catch(() => {});
    expect(reporter.openings).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await settled();
    expect(reporter.openings).toHaveLength(1);
    expect(reporter.openings[0]).toMatchObject({ fingerprint: A.fingerprint, status: 401 });
    for (let ticks = 0; ticks < 25; ticks++) {
      await run({ whenBlocked: 'skip' });
      await vi.advanceTimersByTimeAsync(MINUTE);
    }
    await settled();
    expect(reporter.openings).toHaveLength(1);
    expect(reporter.endings).toHaveLength(1);
    expect(reporter.endings[0]).toMatchObject({ end: 'fresh' });
    expect(statuses.map(({ state }) => state)).toEqual(['refreshing', 'auth_retrying', 'ready']);
    expect(latchkey.stats()).toMatchObject({ incidents: 1, openIncidents: 0 });
  });

  it('after 24 hours it is given up: unauthenticated', async () => {
    const { latchkey, recorded, statuses, reporter, failures, run } = world(endpointDown, { idleMs: 100 * HOUR });
    await run().catch(() => {});
    await vi.advanceTimersByTimeAsync(150 * SECOND + 24 * HOUR - 1);
    expect(latchkey.status('s').state).toBe('auth_retrying');
    await vi.advanceTimersByTimeAsync(1);
    const tries = 5 + 144;
    expect(recorded.calls).toHaveLength(tries);
    expect(stands(latchkey)).toEqual({ state: 'blocked', reason: 'rejected', since: START, next: undefined });
    expect(failures.at(-1)).toMatchObject({ kind: 'transient', next: undefined });
    await expect(run()).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED', since: START });
    await vi.advanceTimersByTimeAsync(48 * HOUR);
    await run({ whenBlocked: 'skip' });
    expect(recorded.calls).toHaveLength(tries);
    expect(statuses.map(({ state }) => state)).toEqual(['refreshing', 'auth_retrying', 'blocked']);
    expect(reporter.openings).toHaveLength(1);
  });
});

describe('a refresh that is refused', () => {
  it('unauthenticated at once: one refresh, one report, however many runs', async () => {
    const { latchkey, recorded, reporter, statuses, failures, sent, run } = world(invalidGrant);
    await expect(run()).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED', status: 401 });
    for (let tick = 0; tick < 100; tick++) {
      await vi.advanceTimersByTimeAsync(MINUTE);
      await expect(run()).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
      await run({ whenBlocked: 'skip' });
    }
    expect(recorded.calls).toEqual(['token-a']);
    expect(sent).toEqual(['token-a']);
    expect(reporter.openings).toHaveLength(1);
    expect(failures).toEqual([
      {
        scope: { session: 's' },
        fingerprint: A.fingerprint,
        kind: 'permanent',
        status: 400,
        code: 'invalid_grant',
        next: undefined,
      },
    ]);
    expect(statuses.map(({ state }) => state)).toEqual(['refreshing', 'blocked']);
    expect(latchkey.status('s')).toMatchObject({ state: 'blocked', next: undefined });
  });

  it('a late transient error re-enters nothing', async () => {
    const first = deferred<typeof B>();
    const { latchkey, recorded, run, failures } = world((tried) => (tried === 1 ? first.promise : invalidGrant()));
    const run1 = watch(run());
    await vi.advanceTimersByTimeAsync(30 * SECOND);
    expect(run1).toMatchObject({ state: 'rejected', reason: { code: 'AUTH_RETRYING' } });
    await vi.advanceTimersByTimeAsync(10 * SECOND);
    expect(latchkey.status('s').state).toBe('blocked');
    const before = failures.length;
    first.reject(endpointDown());
    await settled();
    await latchkey.run('s', () => 'never sent').catch(() => {});
    expect(latchkey.status('s')).toMatchObject({ state: 'blocked', next: undefined });
    await vi.advanceTimersByTimeAsync(HOUR);
    expect(recorded.calls).toHaveLength(2);
    expect(failures).toHaveLength(before);
  });

  it('only fresh auth re-enters, and what it brought may be refreshed in its turn', async () => {
    const { latchkey, recorded, statuses, reporter, run } = world((tried) => (tried === 1 ? invalidGrant() : C));
    await run().catch(() => {});
    latchkey.capture('s', A);
    expect(latchkey.status('s').state).toBe('blocked');
    latchkey.capture('s', B);
    expect(latchkey.status('s').state).toBe('ready');
    await expect(run()).resolves.toBe('ok token-b');
    expect(reporter.endings).toHaveLength(1);
    latchkey.capture('s', B).settle(401);
    await expect(run()).resolves.toBe('ok token-c');
    expect(recorded.calls).toEqual(['token-a', 'token-b']);
    expect(reporter.openings).toHaveLength(1);
    expect(statuses.map(({ state }) => state)).toEqual(['refreshing', 'blocked', 'ready', 'refreshing', 'ready']);
  });

  it.each(['s', A.fingerprint])('to forgive (%s) allows another try', async (whom) => {
    const { latchkey, recorded, sent, run } = world((tried) => (tried === 1 ? invalidGrant() : B));
    await run().catch(() => {});
    await run().catch(() => {});
    expect(recorded.calls).toHaveLength(1);
    latchkey.forgive(whom);
    expect(latchkey.status('s').state).toBe('ready');
    await expect(run()).resolves.toBe('ok token-b');
    expect(recorded.calls).toEqual(['token-a', 'token-a']);
    expect(sent).toEqual(['token-a', 'token-a', 'token-b']);
  });

  it('a client’s own success with the old one frees it, and what was refused is not asked for again', async () => {
    const { latchkey, recorded, run } = world((tried) => (tried === 1 ? invalidGrant() : B));
    await run().catch(() => {});
    latchkey.capture('s', A).settle(200);
    expect(latchkey.status('s').state).toBe('ready');
    // The refresh token was refused: that is not forgotten.
    await run().catch(() => {});
    expect(recorded.calls).toHaveLength(1);
  });
});

describe('a refresh that was called off by itself', () => {
  const calledOff = (): Error => Object.assign(new Error('called off'), { name: 'CanceledError', code: 'ERR_CANCELED' });

  it('is neither: not asked for again for 10 minutes, and no verdict', async () => {
    const { latchkey, recorded, failures, run } = world((tried) => (tried === 1 ? calledOff() : B));
    await expect(run()).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    expect(failures).toMatchObject([{ kind: 'aborted', next: START + 10 * MINUTE }]);
    await vi.advanceTimersByTimeAsync(10 * MINUTE - 1);
    await run().catch(() => {});
    expect(recorded.calls).toHaveLength(1);
    expect(latchkey.status('s').state).toBe('blocked');
    await vi.advanceTimersByTimeAsync(1);
    await expect(run()).resolves.toBe('ok token-b');
  });
});

it('an expired one that cannot be refreshed for a while: the same, without a call', async () => {
  const recorded = refreshing((_, __, tried) => (tried <= 5 ? endpointDown() : B));
  const latchkey = createLatchkey({ refresh: recorded.refresh });
  latchkey.capture('s', bearer('token-old', { expiresAt: START + MINUTE }));
  await vi.advanceTimersByTimeAsync(MINUTE);
  const { attempt, sent } = throwing({});
  await expect(latchkey.run('s', attempt)).rejects.toMatchObject({ code: 'AUTH_RETRYING', until: Date.now() + 10 * SECOND });
  expect(latchkey.status('s')).toMatchObject({ state: 'refreshing', reason: 'expired' });
  await vi.advanceTimersByTimeAsync(150 * SECOND);
  expect(latchkey.status('s')).toMatchObject({ state: 'auth_retrying', reason: 'expired' });
  await vi.advanceTimersByTimeAsync(10 * MINUTE);
  await expect(latchkey.run('s', attempt)).resolves.toBe('ok token-b');
  expect(sent).toEqual(['token-b']);
});
