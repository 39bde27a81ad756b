import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LatchkeyEvents } from '../../src/events.js';
import { apiKey, bearer, type Credential, createLatchkey, type Latchkey, type LatchkeyOptions } from '../../src/index.js';
import type { RefreshFunction } from '../../src/worker/refresh-call.js';
import { throwing, watch } from '../support/attempts.js';
import { freezeTime, START, settled } from '../support/clock.js';
import { deferred } from '../support/deferred.js';
import { invalidGrant, type RecordedRefresh, refreshing } from '../support/refreshing.js';
import { recordingReporter } from '../support/reporter.js';
import { secretsIn } from '../support/secret-forms.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const MINUTE = 60_000;
const A = bearer('token-a');
const B = bearer('token-b');

interface World {
  readonly latchkey: Latchkey;
  readonly errors: LatchkeyEvents['error'][];
  readonly failures: LatchkeyEvents['refreshFailed'][];
  readonly sent: string[];
  run(): Promise<unknown>;
}

/** A is in the session's slot, and the upstream rejects it. */
function world(refresh: RefreshFunction, options: LatchkeyOptions = {}): World {
  const latchkey = createLatchkey({ refresh, ...options });
  const errors: LatchkeyEvents['error'][] = [];
  const failures: LatchkeyEvents['refreshFailed'][] = [];
  latchkey.on('error', (event) => errors.push(event));
  latchkey.on('refreshFailed', (event) => failures.push(event));
  latchkey.capture('s', A);
  const { attempt, sent } = throwing({ 'token-a': 401 });
  return { latchkey, errors, failures, sent, run: () => latchkey.run('s', attempt) };
}

describe('a refresh function at fault', () => {
  it.each<[string, RefreshFunction]>([
    [
      'throws at once',
      () => {
        throw new RangeError('a bug');
      },
    ],
    ['rejects', () => Promise.reject(new RangeError('a bug'))],
    ['rejects with a string', () => Promise.reject('a bug')],
    ['brings a string', (() => 'token-b') as unknown as RefreshFunction],
    ['brings an object', (async () => ({ value: 'token-b' })) as unknown as RefreshFunction],
    ['brings null', (async () => null) as unknown as RefreshFunction],
    ['brings a number', (() => 5) as unknown as RefreshFunction],
  ])('that %s: transient, told once', async (_, fault) => {
    const { errors, failures, run, latchkey } = world(fault);
    await expect(run()).rejects.toMatchObject({ code: 'AUTH_RETRYING', until: START + 10_000 });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(failures).toHaveLength(2);
    expect(failures[0]).toMatchObject({ kind: 'transient', status: undefined, code: undefined, next: START + 10_000 });
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ origin: 'refresh' });
    expect(errors[0]?.error).toBeInstanceOf(Error);
    expect(latchkey.stats().errors).toBe(2);
  });

  it('what it throws is told without its words, which may hold anything', async () => {
    const secrets = ['token-a', 'refresh-token-9f8e7d6c', 'client-secret-5b4a3'];
    const thrown = Object.assign(new Error(`POST /token refresh_token=${secrets[1]} Authorization: Bearer ${secrets[0]}`), {
      config: { data: secrets.join('&') },
      code: `no code: ${secrets[2]}`,
      name: `Error of ${secrets[2]}`,
    });
    const seen: unknown[] = [];
    const { latchkey, run } = world(() => Promise.reject(thrown), { reporter: recordingReporter() });
    for (const name of ['error', 'refreshFailed', 'status', 'refreshed', 'captured', 'blocked'] as const)
      latchkey.on(name, (event) => seen.push(event));
    const error: unknown = await run().then(undefined, (reason: unknown) => reason);
    await vi.advanceTimersByTimeAsync(60 * MINUTE);
    const all = [...seen, error, latchkey.snapshot(), latchkey.status('s'), latchkey.stats(), String(latchkey.explain('s'))];
    expect(seen.length).toBeGreaterThan(3);
    for (const told of all) {
      expect(secretsIn(inspect(told, { depth: 10, showHidden: true }), secrets)).toEqual([]);
      expect(secretsIn(JSON.stringify(told, Object.getOwnPropertyNames(Object(told))) ?? '', secrets)).toEqual([]);
    }
  });
});

describe('a refresh that brings nothing better', () => {
  const dead = bearer('token-dead');

  it.each<[string, () => Credential | undefined]>([
    ['nothing', () => undefined],
    ['the same', () => bearer('token-a')],
    ['the same, with a later expiry', () => bearer('token-a', { expiresAt: START + 60 * MINUTE })],
    ['a dead one', () => dead],
    ['one that has expired', () => bearer('token-past', { expiresAt: START - 1 })],
    ['one that is about to expire', () => bearer('token-soon', { expiresAt: Date.now() })],
  ])('%s: 1 refresh in 100 ticks at once, none of it is sent, and not before 10 minutes again', async (_, bring) => {
    const reporter = recordingReporter();
    const recorded = refreshing(bring);
    const { latchkey, sent, failures, errors, run } = world(recorded.refresh, { reporter });
    latchkey.capture('elsewhere', dead).settle(401);
    latchkey.capture('s', A);
    for (let tick = 0; tick < 100; tick++) await expect(run()).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    expect(recorded.calls).toEqual(['token-a']);
    expect(sent).toEqual(['token-a']);
    expect(failures).toMatchObject([{ kind: 'unchanged', status: undefined, code: undefined, next: START + 10 * MINUTE }]);
    expect(errors).toEqual([]);
    expect(reporter.openings).toHaveLength(1);
    expect(latchkey.status('s')).toMatchObject({ state: 'blocked' });
    await vi.advanceTimersByTimeAsync(10 * MINUTE - 1);
    await run().catch(() => {});
    expect(recorded.calls).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    await run().catch(() => {});
    expect(recorded.calls).toHaveLength(2);
  });
});

it('another scheme, and another header, is another credential like any other', async () => {
  for (const brought of [apiKey('token-a'), apiKey('token-key', { header: 'x-goog-api-key' })]) {
    const { latchkey } = world(() => brought);
    latchkey.capture('s', A).settle(401);
    await expect(latchkey.run('s', (lease) => lease.headers())).resolves.toEqual({ [brought.header]: brought.reveal() });
  }
});

describe('a try that takes too long', () => {
  it('is aborted, counts as one that passes, and its late answer is installed all the same', async () => {
    const answer = deferred<Credential | undefined>();
    const recorded: RecordedRefresh = refreshing((_, __, tried) => (tried === 1 ? answer.promise : invalidGrant()));
    const { latchkey, failures, run, sent } = world(recorded.refresh, { refreshMs: 1_000 });
    const waiting = watch(run());
    await vi.advanceTimersByTimeAsync(999);
    expect([waiting.state, recorded.signals[0]?.aborted]).toEqual(['pending', false]);
    await vi.advanceTimersByTimeAsync(1);
    await settled();
    expect(waiting).toMatchObject({ state: 'rejected', reason: { code: 'AUTH_RETRYING' } });
    expect(recorded.signals[0]?.aborted).toBe(true);
    expect(recorded.signals[0]?.reason).toMatchObject({ name: 'TimeoutError' });
    expect(failures).toMatchObject([{ kind: 'transient', status: undefined, code: undefined }]);
    const parked = watch(latchkey.run('s', (lease) => lease.credential.reveal(), { whenBlocked: 'park' }));
    await settled();
    answer.resolve(B);
    await settled();
    expect(parked.value).toBe('token-b');
    expect(latchkey.status('s').state).toBe('ready');
    await vi.advanceTimersByTimeAsync(60 * MINUTE);
    // Nothing is tried any more.
    expect(recorded.calls).toHaveLength(1);
    expect(sent).toEqual(['token-a']);
    expect(latchkey.stats()).toMatchObject({ refreshed: 1, refreshing: 0 });
  });

  it('its late answer while the next try is out: those who wait go on, and that one is called off', async () => {
    const answers = [deferred<Credential | undefined>(), deferred<Credential | undefined>()];
    const recorded = refreshing((_, __, tried) => answers[tried - 1]?.promise);
    const { latchkey, failures, run } = world(recorded.refresh, { refreshMs: 1_000 });
    await Promise.all([expect(run()).rejects.toMatchObject({ code: 'AUTH_RETRYING' }), vi.advanceTimersByTimeAsync(1_000)]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(recorded.calls).toHaveLength(2);
    const waiting = watch(run());
    await settled();
    answers[0]?.resolve(B);
    await settled();
    expect(waiting.value).toBe('ok token-b');
    expect(recorded.signals[1]?.aborted).toBe(true);
    answers[1]?.resolve(bearer('token-c'));
    await settled();
    expect(failures).toHaveLength(1);
    expect(latchkey.status('s').state).toBe('ready');
  });

  it('its late failure is nobody’s', async () => {
    const answer = deferred<Credential | undefined>();
    const recorded = refreshing((_, __, tried) => (tried === 1 ? answer.promise : B));
    const { failures, errors, run } = world(recorded.refresh, { refreshMs: 1_000 });
    await Promise.all([expect(run()).rejects.toMatchObject({ code: 'AUTH_RETRYING' }), vi.advanceTimersByTimeAsync(1_000)]);
    answer.reject(new Error('late'));
    await vi.advanceTimersByTimeAsync(10_000);
    await expect(run()).resolves.toBe('ok token-b');
    expect([failures.length, errors.length]).toEqual([1, 0]);
  });

  it('its late answer is not installed where the client has brought a newer one', async () => {
    const answer = deferred<Credential | undefined>();
    const recorded = refreshing(() => answer.promise);
    const { latchkey, run } = world(recorded.refresh, { refreshMs: 1_000 });
    await Promise.all([expect(run()).rejects.toMatchObject({ code: 'AUTH_RETRYING' }), vi.advanceTimersByTimeAsync(1_000)]);
    latchkey.capture('s', bearer('token-c'));
    answer.resolve(B);
    await settled();
    await expect(run()).resolves.toBe('ok token-c');
  });
});

it('the lease says which credential, and for whose work; what it is told of it counts', async () => {
  const scope = { tenant: 't', session: 's', provider: 'p' };
  const seen: unknown[] = [];
  const latchkey = createLatchkey({
    refresh: (lease, { signal }) => {
      const { credential, source } = lease;
      seen.push({ value: credential.reveal(), source, scope: lease.scope, usable: lease.usable(), signal: signal instanceof AbortSignal });
      return B;
    },
  });
  latchkey.capture(scope, A).settle(401);
  await expect(latchkey.run(scope, (lease) => lease.credential.reveal())).resolves.toBe('token-b');
  expect(seen).toEqual([{ value: 'token-a', source: 'session', scope, usable: false, signal: true }]);
});

it('a clock that fails in the middle ends it, and leaves nobody waiting', async () => {
  let fails = false;
  const clock = {
    now: () => {
      if (fails) throw new Error('no time');
      return Date.now();
    },
  };
  const answer = deferred<Credential | undefined>();
  const { latchkey, run, errors } = world(() => answer.promise, { clock });
  const waiting = watch(run());
  await settled();
  fails = true;
  answer.reject(new Error('odd'));
  await settled();
  fails = false;
  await settled();
  expect(waiting.state).toBe('rejected');
  expect(errors.length).toBeGreaterThan(0);
  expect(latchkey.stats()).toMatchObject({ waiting: 0, running: 0 });
});

it('the signal of a try that is through is left alone, of one that is broken off it is not', async () => {
  const recorded = refreshing((_, { signal }, tried) =>
    tried === 1 ? B : new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  );
  const latchkey = createLatchkey({ refresh: recorded.refresh, refreshMs: 1_000 });
  latchkey.capture('s', A).settle(401);
  await latchkey.run('s', () => 'ok');
  latchkey.capture('s', bearer('token-c')).settle(401);
  void latchkey.run('s', () => 'ok').catch(() => {});
  await vi.advanceTimersByTimeAsync(1_000);
  await latchkey.close();
  expect(recorded.signals.map(({ aborted }) => aborted)).toEqual([false, true]);
});

it('none begins once Latchkey is closing, in whichever moment that comes', async () => {
  for (let moment = 0; moment < 30; moment++) {
    const late: number[] = [];
    let isClosing = false;
    const latchkey = createLatchkey({
      refresh: () => {
        if (isClosing) late.push(moment);
        return B;
      },
    });
    latchkey.capture('s', A);
    void latchkey.run('s', () => Promise.reject(Object.assign(new Error('no'), { status: 401 }))).catch(() => {});
    for (let tick = 0; tick < moment; tick++) await Promise.resolve();
    isClosing = true;
    const closed = latchkey.close({ timeoutMs: 10 });
    await vi.advanceTimersByTimeAsync(10);
    await closed;
    expect(late).toEqual([]);
  }
});

it('the signal of a try that was refused is left alone, too', async () => {
  const recorded = refreshing(() => invalidGrant());
  const latchkey = createLatchkey({ refresh: recorded.refresh });
  latchkey.capture('s', A).settle(401);
  await latchkey.run('s', () => 'ok').catch(() => {});
  await latchkey.close();
  expect(recorded.signals.map(({ aborted }) => aborted)).toEqual([false]);
});
