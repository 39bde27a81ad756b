import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, type Credential, createLatchkey, type Latchkey, type LatchkeyOptions, type Lease, type Scope } from '../../src/index.js';
import { throwing, watch } from '../support/attempts.js';
import { freezeTime, START, settled } from '../support/clock.js';
import { deferred } from '../support/deferred.js';
import { type Brought, endpointDown, invalidGrant, type RecordedRefresh, refreshing } from '../support/refreshing.js';
import { recordingReporter } from '../support/reporter.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Refreshed from 55 minutes on, and not used any more 5 s before the hour. */
const expiry = { jitterMs: 0 } as const;
const A = bearer('token-a', { expiresAt: START + HOUR });
const B = bearer('token-b', { expiresAt: START + 2 * HOUR });
const ADVISORY = 55 * MINUTE;
const OVER = HOUR - 5 * SECOND;

const reveal = (lease: Lease): string => lease.credential.reveal();

function world(
  bring: (lease: Lease, tried: number) => Brought,
  options: LatchkeyOptions = {},
): { latchkey: Latchkey; recorded: RecordedRefresh; reporter: ReturnType<typeof recordingReporter> } {
  const recorded = refreshing((lease, _, tried) => bring(lease, tried));
  const reporter = recordingReporter();
  const latchkey = createLatchkey({ refresh: recorded.refresh, expiry, reporter, ...options });
  return { latchkey, recorded, reporter };
}

/** So many milliseconds after the beginning. */
const until = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(START + ms - Date.now());

describe('work on a token that is about to expire', () => {
  it('begins exactly one refresh, when its time has come, and goes on at once', async () => {
    const answer = deferred<Credential>();
    const { latchkey, recorded } = world(() => answer.promise);
    latchkey.capture('s', A).settle(200);
    await until(ADVISORY - 1);
    await expect(latchkey.run('s', reveal)).resolves.toBe('token-a');
    expect(recorded.calls).toEqual([]);
    await until(ADVISORY);
    const runs = Array.from({ length: 50 }, () => watch(latchkey.run('s', reveal)));
    await settled();
    expect(runs.map(({ value }) => value)).toEqual(Array(50).fill('token-a'));
    expect(recorded.calls).toEqual(['token-a']);
    expect(latchkey.status('s').state).toBe('ready');
    answer.resolve(B);
    await settled();
    await expect(latchkey.run('s', reveal)).resolves.toBe('token-b');
    expect(recorded.calls).toHaveLength(1);
    expect(latchkey.stats()).toMatchObject({ refreshes: 1, refreshed: 1, incidents: 0 });
  });

  it('asking begins none', async () => {
    const { latchkey, recorded } = world(() => B);
    latchkey.capture('s', A);
    await until(ADVISORY);
    latchkey.canRun('s');
    latchkey.resolve('s');
    latchkey.status('s');
    latchkey.explain('s');
    latchkey.snapshot();
    await settled();
    expect(recorded.calls).toEqual([]);
  });

  it.each<[string, () => Brought]>([
    ['fails for reasons that pass', endpointDown],
    ['is refused', invalidGrant],
    ['hangs', () => new Promise(() => {})],
    ['brings nothing', () => undefined],
    ['brings the same', () => A],
    ['throws what it likes', () => new TypeError('a bug')],
  ])('a refresh that %s neither holds it up nor breaks it', async (_, bring) => {
    const { latchkey, reporter, recorded } = world(bring);
    const statuses: string[] = [];
    latchkey.on('status', ({ state }) => statuses.push(state));
    latchkey.capture('s', A).settle(200);
    for (let now = ADVISORY; now < OVER; now += 5 * SECOND) {
      await until(now);
      const run = watch(latchkey.run('s', reveal));
      await settled(2);
      expect(run).toEqual({ state: 'resolved', value: 'token-a' });
      expect(latchkey.status('s').state).toBe('ready');
    }
    expect(recorded.calls.length).toBeGreaterThan(0);
    expect(recorded.calls.length).toBeLessThanOrEqual(5);
    expect(statuses).toEqual([]);
    expect(reporter.openings).toEqual([]);
  });

  it('refused, it is worked with until it is over; then its scope is blocked, and told of at once: there is nothing to wait for', async () => {
    const { latchkey, recorded, reporter } = world(invalidGrant);
    latchkey.capture('s', A).settle(200);
    await until(ADVISORY);
    for (let minute = 55; minute < 70; minute++) {
      await latchkey.run('s', reveal, { whenBlocked: 'skip' });
      await until((minute + 1) * MINUTE);
    }
    expect(recorded.calls).toHaveLength(1);
    await expect(latchkey.run('s', reveal)).rejects.toMatchObject({ code: 'CREDENTIAL_EXPIRED' });
    expect(latchkey.status('s')).toMatchObject({ state: 'blocked', reason: 'expired' });
    expect(reporter.openings).toHaveLength(1);
    expect((reporter.openings[0]?.openedAt ?? 0) - START).toBeLessThanOrEqual(OVER + MINUTE);
  });

  it('failing for reasons that pass until it is over, it goes on where it was', async () => {
    const { latchkey, recorded } = world((_, tried) => (tried < 6 ? endpointDown() : B));
    latchkey.capture('s', A).settle(200);
    await until(OVER - 60 * SECOND);
    await latchkey.run('s', reveal);
    await until(OVER);
    expect(recorded.calls).toHaveLength(3);
    await expect(latchkey.run('s', reveal)).rejects.toMatchObject({ code: 'AUTH_RETRYING' });
    expect(latchkey.status('s')).toMatchObject({ state: 'refreshing', reason: 'expired', since: START + OVER - 60 * SECOND });
    await until(OVER - 60 * SECOND + 150 * SECOND);
    expect(latchkey.status('s').state).toBe('auth_retrying');
    await until(OVER - 60 * SECOND + 150 * SECOND + 10 * MINUTE);
    await expect(latchkey.run('s', reveal)).resolves.toBe('token-b');
  });

  it('a client that goes on presenting the old one does not undo it', async () => {
    const { latchkey, recorded } = world(() => B);
    latchkey.capture('s', A).settle(200);
    await until(ADVISORY);
    for (let second = 0; second < 200; second++) {
      const capture = latchkey.capture('s', A);
      // The old one works still, as the client sees.
      capture.settle(200);
      await latchkey.run('s', reveal);
      await until(ADVISORY + second * SECOND);
    }
    expect(recorded.calls).toEqual(['token-a']);
    await expect(latchkey.run('s', reveal)).resolves.toBe('token-b');
    await expect(latchkey.run({}, reveal)).resolves.toBe('token-b');
  });

  it('nor does one that presents it elsewhere in the tenant, first of all', async () => {
    const { latchkey } = world(() => B);
    latchkey.capture('s', A).settle(200);
    await until(ADVISORY);
    await latchkey.run('s', reveal);
    await settled();
    latchkey.capture('another device', A);
    await expect(latchkey.run({}, reveal)).resolves.toBe('token-b');
    await expect(latchkey.run('s', reveal)).resolves.toBe('token-b');
  });
});

describe('whose it is', () => {
  it('work of no session', async () => {
    const { latchkey, recorded } = world(() => B);
    latchkey.capture({ provider: 'p' }, A).settle(200);
    await until(ADVISORY);
    await expect(latchkey.run({ provider: 'p' }, reveal)).resolves.toBe('token-a');
    await settled();
    await expect(latchkey.run({ provider: 'p' }, reveal)).resolves.toBe('token-b');
    expect(recorded.calls).toEqual(['token-a']);
  });

  it('a pin, for its purpose and for all, once', async () => {
    const sources: string[] = [];
    const { latchkey, recorded } = world((lease) => {
      sources.push(lease.source);
      return B;
    });
    const unpin = latchkey.pin({ provider: 'p' }, A);
    latchkey.pin({ provider: 'p', purpose: 'x' }, A);
    await until(ADVISORY);
    await latchkey.run({ session: 's', provider: 'p' }, reveal);
    await settled();
    await expect(latchkey.run({ session: 's', provider: 'p' }, reveal)).resolves.toBe('token-b');
    await expect(latchkey.run({ provider: 'p', purpose: 'x' }, reveal)).resolves.toBe('token-b');
    expect(recorded.calls).toEqual(['token-a']);
    expect(sources).toEqual(['pinned']);
    // It is the same pin still.
    unpin();
    expect(latchkey.status({ session: 's', provider: 'p' }).state).toBe('missing');
    expect(latchkey.canRun({ provider: 'p', purpose: 'x' })).toBe(true);
  });

  it('who borrows works on, while the session’s own is refreshed', async () => {
    const answer = deferred<Credential>();
    const { latchkey, recorded } = world((lease) => (lease.credential.reveal() === 'token-a' ? answer.promise : undefined));
    latchkey.capture('s', A);
    await until(HOUR);
    latchkey.capture('other', bearer('token-global'));
    const runs = Array.from({ length: 5 }, () => latchkey.run('s', reveal));
    await expect(Promise.all(runs)).resolves.toEqual(Array(5).fill('token-global'));
    expect(recorded.calls).toEqual(['token-a']);
    answer.resolve(B);
    await settled();
    await expect(latchkey.run('s', reveal)).resolves.toBe('token-b');
    // What is newer in the global slot stays there.
    await expect(latchkey.run({}, reveal)).resolves.toBe('token-global');
  });

  it('two tenants with the same bytes: what one’s refresh brought is never lent to the other', async () => {
    const { latchkey, recorded } = world((lease) => bearer(`token of ${lease.scope.tenant}`.replaceAll(' ', '-')));
    const scopes: Scope[] = ['t', 'u'].map((tenant) => ({ tenant, session: 's', provider: 'p' }));
    for (const scope of scopes) latchkey.capture(scope, A).settle(401);
    const both = await Promise.all(scopes.flatMap((scope) => [latchkey.run(scope, reveal), latchkey.run(scope, reveal)]));
    expect(both).toEqual(['token-of-t', 'token-of-t', 'token-of-u', 'token-of-u']);
    expect(recorded.calls).toHaveLength(2);
    for (const [index, tenant] of ['t', 'u'].entries()) {
      latchkey.capture(scopes[index] as Scope, A);
      await expect(latchkey.run(scopes[index] as Scope, reveal)).resolves.toBe(`token-of-${tenant}`);
      await expect(latchkey.run({ tenant, provider: 'p' }, reveal)).resolves.toBe(`token-of-${tenant}`);
    }
  });

  it('in the advisory window both are refreshed too, each for itself', async () => {
    const { latchkey, recorded } = world((lease) => bearer(`token-of-${lease.scope.tenant}`));
    const scopes: Scope[] = ['t', 'u'].map((tenant) => ({ tenant, session: 's', provider: 'p' }));
    for (const scope of scopes) latchkey.capture(scope, A).settle(200);
    await until(ADVISORY);
    for (let round = 0; round < 3; round++) {
      for (const scope of scopes) await latchkey.run(scope, reveal);
      await settled();
    }
    expect(recorded.calls).toHaveLength(2);
    await expect(Promise.all(scopes.map((scope) => latchkey.run(scope, reveal)))).resolves.toEqual(['token-of-t', 'token-of-u']);
  });

  it('two providers with the same bytes are two identities', async () => {
    const { latchkey, recorded } = world((lease) => bearer(`token-of-${lease.scope.provider}`));
    for (const provider of ['p', 'q']) latchkey.capture({ session: 's', provider }, A);
    const { attempt } = throwing({ 'token-a': 401 });
    await expect(latchkey.run({ session: 's', provider: 'p' }, attempt)).resolves.toBe('ok token-of-p');
    await expect(latchkey.run({ session: 's', provider: 'q' }, reveal)).resolves.toBe('token-a');
    expect(recorded.calls).toHaveLength(1);
    await expect(latchkey.run({ session: 's', provider: 'q' }, attempt)).resolves.toBe('ok token-of-q');
    expect(recorded.calls).toHaveLength(2);
  });
});

it('a call that takes from before the end until after it leaves the end where it is: the next is made with a new token', async () => {
  const sent: string[] = [];
  const { refresh } = refreshing(() => bearer('token-new'));
  const latchkey = createLatchkey({ refresh, expiry: { advisoryMs: 0 } });
  latchkey.capture('s', bearer('token-old', { expiresAt: START + 60 * MINUTE }));
  await vi.advanceTimersByTimeAsync(59 * MINUTE);
  const answer = deferred<string>();
  const long = latchkey.run('s', () => answer.promise);
  await vi.advanceTimersByTimeAsync(2 * MINUTE);
  answer.resolve('ok');
  expect(await long).toBe('ok');
  await latchkey.run('s', ({ credential }) => void sent.push(credential.reveal()));
  expect(sent).toEqual(['token-new']);
});
