import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, type Credential, createLatchkey, type Latchkey, type LatchkeyOptions, type Lease } from '../../src/index.js';
import { statusError, watch } from '../support/attempts.js';
import { freezeTime, START, settled } from '../support/clock.js';
import { deferred } from '../support/deferred.js';
import { type RecordedRefresh, refreshing } from '../support/refreshing.js';
import { recordingReporter } from '../support/reporter.js';

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);

beforeEach(() => {
  freezeTime();
  unhandled.length = 0;
  process.on('unhandledRejection', note);
});
afterEach(async () => {
  await settled(2);
  process.off('unhandledRejection', note);
  vi.useRealTimers();
  expect(unhandled).toEqual([]);
});

const A = bearer('token-a');
const B = bearer('token-b');
const C = bearer('token-c');

const reveal = (lease: Lease): string => lease.credential.reveal();
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const inMs = async (ms: number, credential: Credential): Promise<Credential> => sleep(ms).then(() => credential);

/** An upstream with a latency of its own for each call, which takes everything but A. */
function upstream(): { sent: string[]; rejected: number; attempt: (lease: Lease) => Promise<string> } {
  const seen = {
    sent: [] as string[],
    rejected: 0,
    attempt: async (lease: Lease): Promise<string> => {
      const value = lease.credential.reveal();
      seen.sent.push(value);
      await sleep(5 + ((seen.sent.length * 7) % 56));
      if (value !== A.reveal()) return value;
      seen.rejected++;
      throw statusError(401);
    },
  };
  return seen;
}

describe('200 workers on one token', () => {
  async function storm(latchkey: Latchkey, attempt: (lease: Lease) => Promise<string>): Promise<PromiseSettledResult<unknown>[]> {
    const runs: Promise<unknown>[] = [];
    for (let worker = 0; worker < 200; worker++) {
      runs.push(latchkey.run({ session: `s${worker % 20}` }, attempt));
      if (worker % 10 === 0) await vi.advanceTimersByTimeAsync(1);
    }
    const results = Promise.allSettled(runs);
    await vi.advanceTimersByTimeAsync(10_000);
    return results;
  }

  it.each<[string, (latchkey: Latchkey) => void, { rejected: (count: number) => boolean }]>([
    [
      'proven a moment ago',
      (latchkey) => {
        for (let session = 0; session < 20; session++) latchkey.capture(`s${session}`, A).settle(200);
      },
      { rejected: (count) => count >= 1 && count < 100 },
    ],
    [
      'unproven',
      (latchkey) => {
        for (let session = 0; session < 20; session++) latchkey.capture(`s${session}`, A);
      },
      { rejected: (count) => count === 1 },
    ],
    [
      'known to be rejected',
      (latchkey) => {
        for (let session = 0; session < 20; session++) latchkey.capture(`s${session}`, A);
        latchkey.capture('s0', A).settle(401);
      },
      { rejected: (count) => count === 0 },
    ],
    [
      'expired',
      (latchkey) => {
        const old = bearer('token-old', { expiresAt: START - 1 });
        for (let session = 0; session < 20; session++) latchkey.capture(`s${session}`, old);
      },
      { rejected: (count) => count === 0 },
    ],
  ])('%s: 1 refresh, 0 failed', async (_, begin, expected) => {
    const { refresh, calls } = refreshing(() => inMs(20, B));
    const reporter = recordingReporter();
    const latchkey = createLatchkey({ refresh, reporter });
    begin(latchkey);
    const seen = upstream();
    const results = await storm(latchkey, seen.attempt);
    expect(results.filter(({ status }) => status === 'rejected')).toEqual([]);
    expect(calls).toHaveLength(1);
    expect(seen.rejected).toSatisfy(expected.rejected);
    expect(seen.sent.filter((value) => value === 'token-b')).toHaveLength(200);
    expect(reporter.openings).toEqual([]);
    expect(latchkey.stats()).toMatchObject({ refreshes: 1, refreshed: 1, incidents: 0, waiting: 0, running: 0, refreshing: 0 });
  });
});

/** A is rejected; the refresh answers when the test says so. */
function waiting(options: LatchkeyOptions = {}): {
  latchkey: Latchkey;
  answer: ReturnType<typeof deferred<Credential | undefined>>;
  recorded: RecordedRefresh;
  attempt: (lease: Lease) => string;
} {
  const answer = deferred<Credential | undefined>();
  const recorded = refreshing(() => answer.promise);
  const latchkey = createLatchkey({ refresh: recorded.refresh, ...options });
  latchkey.capture('s', A).settle(401);
  return { latchkey, answer, recorded, attempt: reveal };
}

describe('those who wait for one refresh', () => {
  const KINDS = ['patient', 'timeout', 'abort', 'park', 'short park', 'skip', 'aborted before', 'whenRunnable'] as const;

  it.each(['succeeds', 'fails'] as const)('100 of them, each with an end of its own, when it %s', async (how) => {
    const { latchkey, answer, recorded, attempt } = waiting();
    const ends = Array.from({ length: 104 }, (_, index) => {
      const kind = KINDS[index % KINDS.length] as (typeof KINDS)[number];
      const controller = new AbortController();
      const reason = new Error(`called off ${index}`);
      if (kind === 'aborted before') controller.abort(reason);
      if (kind === 'abort') setTimeout(() => controller.abort(reason), 30 + (index % 20));
      const { signal } = controller;
      const run = (): Promise<unknown> => {
        switch (kind) {
          case 'timeout':
            return latchkey.run('s', attempt, { timeoutMs: 20 + (index % 50) });
          case 'park':
            return latchkey.run('s', attempt, { whenBlocked: 'park', parkMs: 60_000 });
          case 'short park':
            return latchkey.run('s', attempt, { whenBlocked: 'park', parkMs: 40 });
          case 'skip':
            return latchkey.run('s', attempt, { whenBlocked: 'skip' });
          case 'whenRunnable':
            return latchkey.whenRunnable('s', { timeoutMs: 60_000 });
          default:
            return latchkey.run('s', attempt, { signal });
        }
      };
      return { kind, reason, end: watch(run()) };
    });
    await vi.advanceTimersByTimeAsync(100);
    // Nobody's leaving touches the shared call.
    expect(recorded.signals.map(({ aborted }) => aborted)).toEqual([false]);
    expect(latchkey.stats().waiting).toBe(ends.filter(({ kind }) => ['patient', 'park', 'skip', 'whenRunnable'].includes(kind)).length);
    if (how === 'succeeds') answer.resolve(B);
    else answer.reject(Object.assign(new Error('refused'), { status: 400, error: 'invalid_grant' }));
    await vi.advanceTimersByTimeAsync(60_000);
    const value = 'token-b';
    const good = { state: 'resolved', value };
    const rejected = { state: 'rejected', reason: { code: 'CREDENTIAL_REJECTED' } };
    const expired = { state: 'rejected', reason: { code: 'PARK_TIMEOUT' } };
    for (const { kind, reason, end } of ends) {
      const expected = {
        patient: how === 'succeeds' ? good : rejected,
        timeout: { state: 'rejected', reason: { code: 'TIMEOUT' } },
        abort: { state: 'rejected', reason },
        'aborted before': { state: 'rejected', reason },
        park: how === 'succeeds' ? good : expired,
        'short park': expired,
        skip: how === 'succeeds' ? good : { state: 'resolved', value: undefined },
        whenRunnable: how === 'succeeds' ? { state: 'resolved', value: undefined } : expired,
      }[kind];
      expect({ kind, ...end }).toMatchObject({ kind, ...expected });
    }
    expect(recorded.calls).toHaveLength(1);
    expect(latchkey.stats()).toMatchObject({ waiting: 0, running: 0, refreshing: 0 });
  });

  it('they go on in their order, and not all at once', async () => {
    const { latchkey, answer } = waiting();
    const sent: number[] = [];
    const ends = Promise.all(Array.from({ length: 100 }, (_, index) => latchkey.run('s', () => sent.push(index), { urgent: true })));
    await settled();
    answer.resolve(B);
    await settled();
    expect(sent).toEqual(Array.from({ length: 25 }, (_, index) => index));
    await vi.advanceTimersByTimeAsync(30);
    await ends;
    expect(sent).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  it('more than there are places: PARK_OVERFLOW, and the others get it', async () => {
    const { latchkey, answer, attempt } = waiting({ limits: { parked: 3 } });
    const runs = Array.from({ length: 5 }, () => watch(latchkey.run('s', attempt)));
    await settled();
    expect(runs.map(({ state }) => state)).toEqual(['pending', 'pending', 'pending', 'rejected', 'rejected']);
    expect(runs[4]?.reason).toMatchObject({ code: 'PARK_OVERFLOW' });
    answer.resolve(B);
    await settled();
    expect(runs.slice(0, 3).map(({ value }) => value)).toEqual(['token-b', 'token-b', 'token-b']);
    expect(latchkey.stats().waiting).toBe(0);
  });

  it('one with an answer in hand gives it back rather than fail for want of a place', async () => {
    const { refresh, calls } = refreshing(() => new Promise(() => {}));
    const latchkey = createLatchkey({ refresh, limits: { parked: 1 } });
    latchkey.capture('s', A);
    const elsewhere = watch(latchkey.whenRunnable({ provider: 'elsewhere' }));
    const response = { status: 401, headers: {} };
    await expect(latchkey.run('s', () => response, { rejected: 'return' })).resolves.toBe(response);
    expect(calls).toHaveLength(1);
    expect(elsewhere.state).toBe('pending');
  });
});

describe('while a refresh is out', () => {
  it('a fresh capture lets everybody go on at once, and the refreshed token does not displace it', async () => {
    const { latchkey, answer, attempt } = waiting();
    const runs = Array.from({ length: 10 }, () => watch(latchkey.run('s', attempt)));
    const parked = watch(latchkey.run('s', attempt, { whenBlocked: 'park' }));
    await settled();
    latchkey.capture('s', C);
    await settled();
    expect([...runs, parked].map(({ value }) => value)).toEqual(Array(11).fill('token-c'));
    answer.resolve(B);
    await settled();
    await expect(latchkey.run('s', attempt)).resolves.toBe('token-c');
    expect(latchkey.snapshot().slots.map(({ fingerprint }) => fingerprint)).not.toContain(B.fingerprint);
    expect(latchkey.stats()).toMatchObject({ refreshing: 0, refreshed: 0 });
  });

  it('a capture elsewhere takes the global slot only: both go on with what is theirs', async () => {
    const { latchkey, answer, attempt } = waiting({ fallback: 'none' });
    const run = watch(latchkey.run('s', attempt));
    latchkey.capture('other', C);
    await settled();
    expect(run.state).toBe('pending');
    answer.resolve(B);
    await settled();
    expect(run.value).toBe('token-b');
    await expect(latchkey.run('other', attempt)).resolves.toBe('token-c');
    await expect(latchkey.run({}, attempt)).resolves.toBe('token-c');
  });

  it('the client presents the old one again: it does not come back', async () => {
    const { latchkey, answer, attempt } = waiting();
    const run = watch(latchkey.run('s', attempt));
    await settled();
    latchkey.capture('s', A);
    answer.resolve(B);
    await settled();
    expect(run.value).toBe('token-b');
    latchkey.capture('s', A);
    await expect(latchkey.run('s', attempt)).resolves.toBe('token-b');
  });

  it.each<[string, (latchkey: Latchkey) => void]>([
    ['the session', (latchkey) => latchkey.evict('s')],
    ['the tenant', (latchkey) => latchkey.evict({ tenant: 't' })],
  ])('%s is evicted: what comes is nobody’s, and the waiters are told', async (what, evict) => {
    const answer = deferred<Credential | undefined>();
    const { refresh, calls } = refreshing(() => answer.promise);
    const latchkey = createLatchkey({ refresh });
    const scope = what === 'the tenant' ? { tenant: 't', session: 's' } : 's';
    latchkey.capture(scope, A).settle(401);
    const run = watch(latchkey.run(scope, () => 'never'));
    const park = watch(latchkey.run(scope, (lease) => lease.credential.reveal(), { whenBlocked: 'park' }));
    await settled();
    evict(latchkey);
    answer.resolve(B);
    await settled();
    expect(run).toMatchObject({ state: 'rejected', reason: { code: 'CREDENTIAL_MISSING' } });
    expect(latchkey.status(scope).state).toBe('missing');
    expect(latchkey.snapshot().slots).toEqual([]);
    expect(latchkey.stats()).toMatchObject({ refreshing: 0, refreshed: 0 });
    latchkey.capture(scope, C);
    await settled();
    expect(park.value).toBe('token-c');
    expect(calls).toHaveLength(1);
  });

  it('evicted and presented again: no second refresh of the same, and what comes is for the one who is back', async () => {
    const answer = deferred<Credential>();
    const { refresh, calls } = refreshing(() => answer.promise);
    const latchkey = createLatchkey({ refresh, expiry: { jitterMs: 0 } });
    const soon = bearer('token-soon', { expiresAt: START + 60_000 });
    latchkey.capture('s', soon);
    await vi.advanceTimersByTimeAsync(40_000);
    await latchkey.run('s', () => Promise.reject(new Error('of its own'))).catch(() => {});
    expect(calls).toHaveLength(1);
    latchkey.evict('s');
    latchkey.capture('s', soon);
    await expect(latchkey.run('s', reveal)).resolves.toBe('token-soon');
    const longer = watch(latchkey.run('s', reveal, { minTtlMs: 60_000 }));
    await settled();
    expect([calls.length, longer.state]).toEqual([1, 'pending']);
    answer.resolve(B);
    await settled();
    expect(longer.value).toBe('token-b');
    await expect(latchkey.run('s', reveal)).resolves.toBe('token-b');
    expect(calls).toHaveLength(1);
  });

  it('the session is evicted, and another holds the same: that one gets it', async () => {
    const { latchkey, answer, attempt } = waiting();
    latchkey.capture('other', A);
    const own = watch(latchkey.run('s', () => 'never'));
    const other = watch(latchkey.run('other', attempt));
    await settled();
    latchkey.evict('s');
    answer.resolve(B);
    await settled();
    expect(other.value).toBe('token-b');
    // Its tenant lends it.
    expect(own.value).toBe('never');
  });

  it('forgiven: the waiters go on with the old one, and what comes takes its place all the same', async () => {
    const { latchkey, answer, attempt } = waiting();
    const run = watch(latchkey.run('s', attempt));
    await settled();
    latchkey.forgive('s');
    await settled();
    expect(run.value).toBe('token-a');
    answer.resolve(B);
    await settled();
    await expect(latchkey.run('s', attempt)).resolves.toBe('token-b');
  });

  it('a pin comes and goes: work goes on with it, and then with what was refreshed', async () => {
    const { latchkey, answer, attempt } = waiting();
    const run = watch(latchkey.run('s', attempt));
    await settled();
    const unpin = latchkey.pin({}, C);
    await settled();
    expect(run.value).toBe('token-c');
    answer.resolve(B);
    await settled();
    await expect(latchkey.run('s', attempt)).resolves.toBe('token-c');
    unpin();
    await expect(latchkey.run('s', attempt)).resolves.toBe('token-b');
  });

  it('the pin that is being refreshed is taken away: what comes is nobody’s', async () => {
    const answer = deferred<Credential | undefined>();
    const { refresh, calls } = refreshing(() => answer.promise);
    const latchkey = createLatchkey({ refresh });
    const unpin = latchkey.pin({ provider: 'p' }, A);
    const resolution = latchkey.resolve({ provider: 'p' });
    if (resolution.ok) resolution.lease.settle(401);
    const run = watch(latchkey.run({ provider: 'p' }, () => 'never'));
    await settled();
    expect(calls).toHaveLength(1);
    unpin();
    answer.resolve(B);
    await settled();
    expect(run).toMatchObject({ state: 'rejected', reason: { code: 'CREDENTIAL_MISSING' } });
    expect(latchkey.canRun({ provider: 'p' })).toBe(false);
  });

  it.each<[string, (latchkey: Latchkey) => void, string]>([
    ['a fresh capture', (latchkey) => void latchkey.capture('s', C), 'token-c'],
    ['the client’s own success', (latchkey) => void latchkey.capture('s', A).settle(200), 'token-a'],
    ['to forgive it', (latchkey) => latchkey.forgive('s'), 'token-a'],
    ['eviction', (latchkey) => latchkey.evict('s'), 'missing'],
  ])('in a pause, %s ends it: no refresh token is used up for nothing', async (_, help, expected) => {
    const { refresh, calls } = refreshing(() => Object.assign(new Error('down'), { status: 503 }));
    const latchkey = createLatchkey({ refresh });
    latchkey.capture('s', A).settle(401);
    await latchkey.run('s', () => 'never').catch(() => {});
    help(latchkey);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(calls).toHaveLength(1);
    expect(latchkey.stats().refreshing).toBe(0);
    await expect(latchkey.run('s', reveal).catch(() => 'missing')).resolves.toBe(expected);
  });

  it('a run that has made its auth retry waits for no further one', async () => {
    const { refresh, calls } = refreshing((lease) => (lease.credential.reveal() === 'token-a' ? B : new Promise(() => {})));
    const latchkey = createLatchkey({ refresh });
    latchkey.capture('s', A);
    const run = watch(
      latchkey.run(
        's',
        (lease) => {
          throw statusError(lease.credential.reveal() === 'token-a' ? 401 : 503);
        },
        { whenBlocked: 'park', transient: { retries: 1, minMs: 100, maxMs: 100 } },
      ),
    );
    await settled();
    latchkey.capture('s', B).settle(200);
    latchkey.capture('s', B).settle(401);
    await vi.advanceTimersByTimeAsync(200);
    expect(run).toMatchObject({ state: 'rejected', reason: { code: 'CREDENTIAL_REJECTED' } });
    expect(calls).toEqual(['token-a']);
  });

  describe('close()', () => {
    it('with time: the waiters are told at once, the try is given its time, and what it brings is kept', async () => {
      const { latchkey, answer, recorded, attempt } = waiting();
      const refreshed: unknown[] = [];
      latchkey.on('refreshed', (event) => refreshed.push(event));
      const runs = [watch(latchkey.run('s', attempt)), watch(latchkey.run('s', attempt, { whenBlocked: 'park' }))];
      await settled();
      const closing = watch(latchkey.close({ timeoutMs: 5_000 }));
      await settled();
      for (const run of runs) expect(run).toMatchObject({ state: 'rejected', reason: { code: 'CLOSED' } });
      expect(recorded.signals[0]?.aborted).toBe(false);
      expect(closing.state).toBe('pending');
      answer.resolve(B);
      await settled();
      expect(closing.state).toBe('resolved');
      expect(refreshed).toHaveLength(1);
      expect(vi.getTimerCount()).toBe(0);
    });

    it('when the time is over the try is aborted, and what comes after that changes nothing', async () => {
      const { latchkey, answer, recorded } = waiting();
      const events: unknown[] = [];
      latchkey.on('refreshed', (event) => events.push(event));
      latchkey.on('refreshFailed', (event) => events.push(event));
      latchkey.on('captured', (event) => events.push(event));
      latchkey.on('error', (event) => events.push(event));
      void latchkey.run('s', () => 'never').catch(() => {});
      await settled();
      const closing = watch(latchkey.close({ timeoutMs: 50 }));
      await vi.advanceTimersByTimeAsync(50);
      expect(closing.state).toBe('resolved');
      expect(recorded.signals[0]?.aborted).toBe(true);
      answer.resolve(B);
      await settled();
      expect(events).toEqual([]);
      expect(latchkey.stats()).toMatchObject({ refreshing: 0, refreshed: 0 });
      expect(vi.getTimerCount()).toBe(0);
    });

    it('no new try begins, and none is waited for in a pause', async () => {
      const { refresh, calls } = refreshing(() => Object.assign(new Error('down'), { status: 503 }));
      const latchkey = createLatchkey({ refresh });
      latchkey.capture('s', A).settle(401);
      await latchkey.run('s', () => 'never').catch(() => {});
      const closing = watch(latchkey.close());
      await settled();
      expect(closing.state).toBe('resolved');
      await vi.advanceTimersByTimeAsync(3_600_000);
      expect(calls).toHaveLength(1);
      expect(vi.getTimerCount()).toBe(0);
    });
  });
});
