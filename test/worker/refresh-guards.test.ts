import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type Lease, type RunOptions } from '../../src/index.js';
import { statusError, throwing } from '../support/attempts.js';
import { freezeTime, START, settled } from '../support/clock.js';
import { endpointDown, invalidGrant, refreshing } from '../support/refreshing.js';
import { recordingReporter } from '../support/reporter.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const A = bearer('token-a');
const reveal = (lease: Lease): string => lease.credential.reveal();

/** One run every so often; returns how many succeeded. */
async function ticks(
  latchkey: Latchkey,
  attempt: (lease: Lease) => unknown,
  { count = 100, everyMs, options = {} }: { count?: number; everyMs: number; options?: RunOptions },
): Promise<number> {
  let good = 0;
  for (let tick = 0; tick < count; tick++) {
    await latchkey.run('s', attempt, options).then(
      (value) => (good += value === undefined ? 0 : 1),
      () => {},
    );
    await vi.advanceTimersByTimeAsync(everyMs);
  }
  return good;
}

// What a refresh brought and the upstream turned away is refreshed again after 10 minutes, and then after 20, 40 and so on, however long it says it lasts.
it.each<[string, number, number, number]>([
  ['at once', 0, 1, Number.POSITIVE_INFINITY],
  ['every 30 s', 30 * SECOND, 3, Number.POSITIVE_INFINITY],
  ['every minute', MINUTE, 4, Number.POSITIVE_INFINITY],
  ['every minute, lasting a minute', MINUTE, 4, MINUTE],
  ['every 30 s, lasting 5 s', 30 * SECOND, 3, 5 * SECOND],
  ['every minute, lasting an hour', MINUTE, 4, 60 * MINUTE],
  ['every hour', 60 * MINUTE, 21, Number.POSITIVE_INFINITY],
])('tokens that the upstream always rejects, 100 ticks %s', async (_, everyMs, most, lastsMs) => {
  const { refresh, calls } = refreshing((__, ___, tried) =>
    bearer(`token-${tried}`, Number.isFinite(lastsMs) ? { expiresAt: Date.now() + lastsMs } : {}),
  );
  const reporter = recordingReporter();
  const latchkey = createLatchkey({ refresh, reporter, idleMs: 1_000 * 60 * MINUTE });
  latchkey.capture('s', A);
  let sent = 0;
  const good = await ticks(
    latchkey,
    () => {
      sent++;
      throw statusError(401);
    },
    { everyMs },
  );
  expect(good).toBe(0);
  expect(calls).toHaveLength(most);
  // Each is sent once, and the first one that was captured.
  expect(sent).toBe(most + 1);
  // Each ends what the one before it began.
  expect(reporter.openings).toHaveLength(most);
});

it('tokens that work for a while and are then rejected, time after time: one refresh for each', async () => {
  const { refresh, calls } = refreshing((_, __, tried) => bearer(`token-${tried}`));
  const latchkey = createLatchkey({ refresh });
  latchkey.capture('s', A);
  const uses = new Map<string, number>();
  const good = await ticks(
    latchkey,
    (lease) => {
      const used = (uses.get(reveal(lease)) ?? 0) + 1;
      uses.set(reveal(lease), used);
      if (used > 10) throw statusError(401);
      return 'ok';
    },
    { everyMs: MINUTE },
  );
  expect(good).toBe(100);
  expect(calls).toHaveLength(9);
});

it('work that needs longer than tokens ever last: asked for once, and then no more while what there is lives', async () => {
  const { refresh, calls } = refreshing((_, __, tried) => bearer(`token-${tried}`, { expiresAt: Date.now() + 30 * MINUTE }));
  const latchkey = createLatchkey({ refresh, expiry: { jitterMs: 0 } });
  latchkey.capture('s', bearer('token-a', { expiresAt: START + 30 * MINUTE }));
  const { attempt, sent } = throwing({});
  await ticks(latchkey, attempt, { count: 100, everyMs: 10 * SECOND, options: { minTtlMs: 60 * MINUTE } });
  expect(sent).toEqual([]);
  expect(calls).toHaveLength(1);
  await expect(latchkey.run('s', attempt, { minTtlMs: 60 * MINUTE })).rejects.toMatchObject({ code: 'CREDENTIAL_EXPIRED' });
  // Shorter work goes on with it.
  await expect(latchkey.run('s', attempt)).resolves.toBe('ok token-1');
});

it('work that needs longer than is left, but not longer than tokens last, has it refreshed and goes on', async () => {
  const { refresh, calls } = refreshing((_, __, tried) => bearer(`token-${tried}`, { expiresAt: Date.now() + 60 * MINUTE }));
  const latchkey = createLatchkey({ refresh, expiry: { jitterMs: 0 } });
  latchkey.capture('s', bearer('token-a', { expiresAt: START + 60 * MINUTE })).settle(200);
  await vi.advanceTimersByTimeAsync(40 * MINUTE);
  await expect(latchkey.run('s', reveal, { minTtlMs: 30 * MINUTE })).resolves.toBe('token-1');
  await expect(latchkey.run('s', reveal, { minTtlMs: 30 * MINUTE })).resolves.toBe('token-1');
  expect(calls).toHaveLength(1);
});

it.each([MINUTE, 10 * SECOND, SECOND])(
  'tokens that last %d ms, less than the advisory window: a few for each lifetime',
  async (lastsMs) => {
    const { refresh, calls } = refreshing((_, __, tried) => bearer(`token-${tried}`, { expiresAt: Date.now() + lastsMs }));
    const latchkey = createLatchkey({ refresh });
    latchkey.capture('s', bearer('token-a', { expiresAt: START + lastsMs }));
    const good = await ticks(latchkey, () => 'ok', { count: 200, everyMs: lastsMs / 10 });
    await settled();
    expect(good).toBe(200);
    // 20 lifetimes, each refreshed when half of it is over at the earliest.
    expect(calls.length).toBeGreaterThanOrEqual(19);
    expect(calls.length).toBeLessThanOrEqual(41);
  },
);

it('a token that was brought and never used is refreshed when it is over', async () => {
  const { refresh, calls } = refreshing((_, __, tried) => bearer(`token-${tried}`, { expiresAt: Date.now() + MINUTE }));
  const latchkey = createLatchkey({ refresh });
  latchkey.capture('s', bearer('token-a', { expiresAt: START + MINUTE }));
  await vi.advanceTimersByTimeAsync(MINUTE);
  await latchkey.run('s', (_, context) => context.unused());
  await vi.advanceTimersByTimeAsync(2 * MINUTE);
  await expect(latchkey.run('s', reveal)).resolves.toBe('token-2');
  expect(calls).toHaveLength(2);
});

it.each<[string, () => Error, number]>([
  ['refused', invalidGrant, 1],
  // 5 in 150 s, and one every 10 minutes after that.
  ['down', endpointDown, 5 + 9],
])('a token endpoint that is %s, 100 ticks of a minute', async (_, fail, most) => {
  const { refresh, calls } = refreshing(fail);
  const reporter = recordingReporter();
  const latchkey = createLatchkey({ refresh, reporter });
  latchkey.capture('s', A);
  const { attempt, sent } = throwing({ 'token-a': 401 });
  expect(await ticks(latchkey, attempt, { everyMs: MINUTE })).toBe(0);
  expect(calls.length).toBeLessThanOrEqual(most);
  expect(sent).toEqual(['token-a']);
  expect(reporter.openings).toHaveLength(1);
});

it('a client that presents the dead token at every tick brings no refresh more, and no report', async () => {
  const { refresh, calls } = refreshing(invalidGrant);
  const reporter = recordingReporter();
  const latchkey = createLatchkey({ refresh, reporter });
  const { attempt, sent } = throwing({ 'token-a': 401 });
  for (let tick = 0; tick < 50; tick++) {
    latchkey.capture('s', A).settle(401);
    await latchkey.run('s', attempt).catch(() => {});
    await vi.advanceTimersByTimeAsync(MINUTE);
  }
  expect([calls.length, sent.length, reporter.openings.length]).toEqual([1, 0, 1]);
});

it('no more than a thousand go on at once, for work that waits and for work that goes on', async () => {
  const { refresh, calls } = refreshing(() => new Promise(() => {}));
  const latchkey = createLatchkey({ refresh, fallback: 'none', canary: 'off', expiry: { jitterMs: 0 } });
  const expiresAt = START + MINUTE;
  for (let session = 0; session < 1_005; session++) latchkey.capture(`s${session}`, bearer(`token-${session}`, { expiresAt }));
  await vi.advanceTimersByTimeAsync(40 * SECOND);
  for (let session = 0; session < 1_005; session++) await latchkey.run(`s${session}`, reveal);
  expect(calls).toHaveLength(1_000);
  await vi.advanceTimersByTimeAsync(20 * SECOND);
  for (let session = 1_000; session < 1_005; session++)
    await expect(latchkey.run(`s${session}`, reveal)).rejects.toMatchObject({ code: 'CREDENTIAL_EXPIRED' });
  expect(calls).toHaveLength(1_000);
  const closing = latchkey.close({ timeoutMs: 0 });
  await vi.advanceTimersByTimeAsync(0);
  await closing;
  expect(latchkey.stats().refreshing).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});
