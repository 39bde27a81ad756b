import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, type Credential, createLatchkey, type LatchkeyOptions, type Lease } from '../../src/index.js';
import { statusError } from '../support/attempts.js';
import { freezeTime, START, settled } from '../support/clock.js';
import { endpointDown, refreshing } from '../support/refreshing.js';
import { recordingReporter } from '../support/reporter.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const MINUTE = 60_000;
const tick = async (ms: number): Promise<void> => {
  await vi.advanceTimersByTimeAsync(ms);
  await settled(3);
};
const codeOf = (run: Promise<unknown>): Promise<unknown> => run.catch((error: { code: string }) => error.code);

/** A token that works, and whose refresh ahead of its end pauses. */
async function pausing(options: LatchkeyOptions = {}) {
  const { refresh } = refreshing(() => endpointDown());
  const latchkey = createLatchkey({ refresh, expiry: { jitterMs: 0, advisoryMs: 30 * MINUTE }, ...options });
  latchkey.capture('s', bearer('old', { expiresAt: START + 60 * MINUTE }));
  await tick(31 * MINUTE);
  await latchkey.run('s', () => 'ok');
  await tick(1_000);
  return latchkey;
}

describe('while the refresh of what works still pauses', () => {
  it('what is held is held, until its end', async () => {
    const latchkey = await pausing();
    const resolved = latchkey.resolve('s');
    if (resolved.ok) resolved.lease.settle({ holdMs: 30_000 });
    expect(await codeOf(latchkey.run('s', () => 'ok'))).toBe('CREDENTIAL_HELD');
    expect(latchkey.status('s')).toMatchObject({ state: 'held', next: Date.now() + 30_000 });
  });

  it('what is turned away for one scope is, and is reported', async () => {
    const reporter = recordingReporter();
    const latchkey = await pausing({ reporter });
    const scope = { session: 's', purpose: 'p' };
    expect(await codeOf(latchkey.run(scope, () => Promise.reject(statusError(403))))).toBe('CREDENTIAL_REJECTED');
    expect([latchkey.status(scope).state, latchkey.status('s').state, reporter.openings.length]).toEqual(['blocked', 'ready', 1]);
  });
});

it('what one scope was turned away with is not refreshed for it once it is over: that is for those whom it served', async () => {
  const recorded = refreshing(() => bearer('new'));
  const reporter = recordingReporter();
  const latchkey = createLatchkey({ refresh: recorded.refresh, reporter });
  latchkey.capture('s', bearer('old', { expiresAt: START + 60 * MINUTE }));
  const scope = { session: 's', purpose: 'p' };
  const resolved = latchkey.resolve(scope);
  await tick(61 * MINUTE);
  if (resolved.ok) resolved.lease.settle(403);
  expect(await codeOf(latchkey.run(scope, () => 'ok'))).toBe('CREDENTIAL_REJECTED');
  expect([recorded.calls, reporter.openings.length]).toEqual([[], 1]);
  await latchkey.run('s', () => 'ok');
  expect(await latchkey.run(scope, (lease: Lease) => lease.credential.reveal())).toBe('new');
  expect(recorded.calls).toEqual(['old']);
});

it('a scope stands as the refresh does that its run waits for: what it could be lent, while its own pauses', async () => {
  let bring = (_: Credential): void => {};
  const { refresh } = refreshing((lease) =>
    lease.scope.session === 'a'
      ? endpointDown()
      : new Promise((resolve) => {
          bring = resolve;
        }),
  );
  const latchkey = createLatchkey({ refresh, refreshMs: 10 * MINUTE });
  latchkey.capture('a', bearer('token-a')).settle(401);
  for (let i = 0; i < 20; i++) {
    void latchkey.run('a', () => 'x', { whenBlocked: 'skip' });
    await tick(10_000);
  }
  expect(latchkey.status('a').state).toBe('auth_retrying');
  latchkey.capture('b', bearer('token-b')).settle(401);
  const run = latchkey.run('a', (lease: Lease) => lease.credential.reveal());
  await tick(1);
  expect(latchkey.status('a').state).toBe('refreshing');
  bring(bearer('token-b2'));
  expect(await run).toBe('token-b2');
});
