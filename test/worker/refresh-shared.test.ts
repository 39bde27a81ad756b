import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { apiKey, bearer, createLatchkey, type Lease } from '../../src/index.js';
import { statusError, watch } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';
import { endpointDown } from '../support/refreshing.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const tick = async (ms: number): Promise<void> => {
  await vi.advanceTimersByTimeAsync(ms);
  await settled(3);
};
const end = (run: Promise<unknown>): Promise<unknown> => run.catch((error: { code: string }) => error.code);
/** An upstream that turns these away. */
const rejecting =
  (...dead: readonly string[]) =>
  async ({ credential }: Lease): Promise<string> => {
    if (dead.includes(credential.reveal())) throw statusError(401);
    return credential.reveal();
  };

describe('what a refresh of a name brought', () => {
  it('takes no key’s place, pinned or a session’s', async () => {
    const latchkey = createLatchkey({
      fallback: 'none',
      refresh: ({ credential }) => (credential.scheme === 'bearer' ? bearer('token-2') : undefined),
      refreshKey: () => 'login',
    });
    const attempt = rejecting('token-1', 'key-of-the-gateway', 'key-of-a-team');
    latchkey.capture('s', bearer('token-1'));
    expect(await latchkey.run('s', attempt)).toBe('token-2');
    latchkey.pin({ purpose: 'curate' }, apiKey('key-of-the-gateway'));
    expect(await end(latchkey.run({ purpose: 'curate' }, attempt))).toBe('CREDENTIAL_REJECTED');
    latchkey.capture('t', apiKey('key-of-a-team'));
    expect(await end(latchkey.run('t', attempt))).toBe('CREDENTIAL_REJECTED');
  });

  it('does not go from a pin into a session, nor the other way round', async () => {
    const latchkey = createLatchkey({
      fallback: 'none',
      refresh: ({ source }) => bearer(source === 'pinned' ? 'gateway-2' : 'user-2'),
      refreshKey: () => 'login',
    });
    const attempt = rejecting('gateway-1', 'user-1', 'gateway-3');
    latchkey.pin({ purpose: 'curate' }, bearer('gateway-1'));
    latchkey.capture('s', bearer('user-1'));
    expect(await latchkey.run({ session: 's', purpose: 'curate' }, attempt)).toBe('gateway-2');
    expect(await latchkey.run('s', attempt)).toBe('user-2');
    latchkey.pin({ purpose: 'curate' }, bearer('gateway-3'));
    expect(await latchkey.run({ session: 's', purpose: 'curate' }, attempt)).toBe('gateway-2');
  });
});

describe('two tokens of a name, whose token endpoint is down', () => {
  const play = async () => {
    let isUp = false;
    const latchkey = createLatchkey({
      fallback: 'none',
      refresh: () => {
        if (!isUp) throw endpointDown();
        return bearer('new');
      },
      refreshKey: () => 'login',
    });
    const attempt = rejecting('old-a', 'old-b');
    for (const session of ['a', 'b']) latchkey.capture(session, bearer(`old-${session}`));
    void end(latchkey.run('a', attempt));
    await tick(10);
    void end(latchkey.run('b', attempt));
    await tick(5 * MINUTE);
    expect(latchkey.status('a').state).toBe('auth_retrying');
    isUp = true;
    return { latchkey, attempt };
  };

  it('the other goes on as soon as the one that goes first has a token', async () => {
    const { latchkey, attempt } = await play();
    await tick((latchkey.status('a').next ?? 0) - Date.now() + 10);
    expect([latchkey.status('a').state, latchkey.status('b').state]).toEqual(['ready', 'ready']);
    expect(await latchkey.run('b', attempt)).toBe('new');
  });

  it('to forgive one has it asked for at once, though it pauses behind the other', async () => {
    const { latchkey, attempt } = await play();
    latchkey.forgive('b');
    const run = latchkey.run('b', attempt);
    await tick(10);
    expect(await run).toBe('new');
  });
});

it('to forgive has a refresh asked for at once on behalf of those who are parked', async () => {
  let isUp = false;
  const latchkey = createLatchkey({
    refresh: () => {
      if (!isUp) throw endpointDown();
      return bearer('new');
    },
  });
  latchkey.capture('s', bearer('old', { expiresAt: Date.now() + SECOND }));
  await tick(SECOND);
  const parked = watch(latchkey.run('s', ({ credential }) => credential.reveal(), { whenBlocked: 'park', parkMs: 9 * MINUTE }));
  await tick(200 * SECOND);
  isUp = true;
  latchkey.forgive('s');
  await tick(SECOND);
  expect(parked).toMatchObject({ state: 'resolved', value: 'new' });
});

it('PARK_TIMEOUT says when a refresh that rests is asked for again, as the status does', async () => {
  const latchkey = createLatchkey({ refresh: () => undefined });
  latchkey.capture('s', bearer('old')).settle(401);
  const parked = watch(latchkey.run('s', () => 'x', { whenBlocked: 'park', parkMs: MINUTE }));
  await tick(SECOND);
  const { next } = latchkey.status('s');
  await tick(MINUTE);
  expect(next).toBeGreaterThan(Date.now());
  expect(parked.reason).toMatchObject({ code: 'PARK_TIMEOUT', until: next });
});

describe('a successor that stands in for an old token', () => {
  it('does not where it is held: what works is worked with', async () => {
    let brought = 0;
    const latchkey = createLatchkey({ expiry: { jitterMs: 0 }, refresh: () => bearer(`new-${++brought}`) });
    const old = bearer('old', { expiresAt: Date.now() + 60 * MINUTE });
    latchkey.capture('a', old);
    await tick(55 * MINUTE + 1);
    await latchkey.run('a', () => 'ok');
    await tick(10);
    const resolved = latchkey.resolve('a');
    if (resolved.ok) resolved.lease.settle({ holdMs: 60 * MINUTE });
    latchkey.capture('b', old);
    expect(await latchkey.run('b', ({ credential }) => credential.reveal())).toBe('old');
    await tick(10);
    expect(await latchkey.run('b', ({ credential }) => credential.reveal())).toBe('new-2');
  });

  it('is as long-lived as it was when it came', async () => {
    let brought = 0;
    const latchkey = createLatchkey({
      fallback: 'none',
      refresh: () => bearer(`new-${++brought}`, { expiresAt: Date.now() + 60 * MINUTE }),
    });
    const attempt = rejecting('old');
    latchkey.capture('a', bearer('old'));
    expect(await latchkey.run('a', attempt)).toBe('new-1');
    await tick(50 * MINUTE);
    latchkey.capture('b', bearer('old'));
    expect(await latchkey.run('b', attempt)).toBe('new-1');
    // Ten minutes are left: a refresh brings more, as it did.
    expect(await latchkey.run('a', attempt, { minTtlMs: 15 * MINUTE })).toBe('new-2');
  });
});
