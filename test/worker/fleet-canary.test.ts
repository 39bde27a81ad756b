import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions, type RunOptions } from '../../src/index.js';
import type { CanaryClaim, Coordinator } from '../../src/ledger/store.js';
import type { AfterCanary } from '../../src/policy/canary.js';
import { statusError, watch } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';
import { type CoordinatedStore, coordinatedStore } from '../support/coordinated.js';
import { type Deferred, deferred } from '../support/deferred.js';
import { MemoryFleet } from '../support/memory-fleet.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

/** A claim that was asked for, which the test answers. */
interface Asked {
  readonly ms: number;
  readonly fingerprint: string;
  acquire(): void;
  hold(): void;
  down(): void;
  fail(): void;
  /** What the process said of the call that it made first. */
  readonly done: AfterCanary[];
  /** Another process, which went first, is back. */
  back(after: AfterCanary): void;
}

function process(options: Omit<LatchkeyOptions, 'store'> = {}) {
  const asked: Asked[] = [];
  const coordinator: Coordinator = {
    claimRefresh: async () => ({ state: 'down' }),
    claimCanary(identity, ms) {
      const answer = deferred<CanaryClaim>();
      const done: AfterCanary[] = [];
      let heard: ((after: AfterCanary) => void) | undefined;
      asked.push({
        ms,
        fingerprint: identity.fingerprint,
        acquire: () => answer.resolve({ state: 'acquired', done: (after) => void done.push(after), leave: () => {} }),
        hold() {
          const onDone = (listener: typeof heard): void => {
            heard = listener;
          };
          answer.resolve({ state: 'held', onDone });
        },
        down: () => answer.resolve({ state: 'down' }),
        fail: () => answer.reject(new Error('the coordinator broke its word')),
        done,
        back: (after) => heard?.(after),
      });
      return answer.promise;
    },
    enterIncident: async (_, id) => ({ state: 'down', id }),
    leaveIncident: async () => ({ state: 'down', id: undefined }),
  };
  const store: CoordinatedStore = coordinatedStore(coordinator);
  const latchkey = createLatchkey({ fallback: 'none', ...options, store });
  latchkey.capture('s', bearer('token-a'));
  const calls: { value: string; answer: Deferred<unknown> }[] = [];
  const run = (runOptions: RunOptions = {}, scope = 's') =>
    watch(
      latchkey.run(
        scope,
        (lease) => {
          const answer = deferred<unknown>();
          calls.push({ value: lease.credential.reveal(), answer });
          return answer.promise;
        },
        runOptions,
      ),
    );
  return { latchkey, store, asked, calls, run };
}

type Process = ReturnType<typeof process>;

function only<T>(all: readonly T[]): T {
  expect(all).toHaveLength(1);
  return all[0] as T;
}

async function prove({ calls, asked, run }: Process): Promise<void> {
  run();
  await settled();
  only(asked).acquire();
  await settled();
  only(calls).answer.resolve('ok');
  await settled();
  asked.length = calls.length = 0;
}

describe('a doubtful credential in a fleet', () => {
  it('is asked for before anything is sent, once, for as long as a canary has', async () => {
    const { asked, calls, run, latchkey } = process({ canaryMs: 7_000 });
    const runs = [run(), run(), run()];
    await settled();
    expect(calls).toHaveLength(0);
    expect(only(asked)).toMatchObject({ ms: 7_000, fingerprint: bearer('token-a').fingerprint });
    only(asked).acquire();
    await settled();
    only(calls).answer.resolve('ok');
    await settled();
    expect(only(asked).done).toEqual(['go']);
    expect(calls).toHaveLength(3);
    for (const { answer } of calls) answer.resolve('ok');
    await settled();
    expect(runs.map(({ value }) => value)).toEqual(['ok', 'ok', 'ok']);
    expect(latchkey.stats()).toMatchObject({ running: 0, waiting: 0 });
  });

  it.each<[string, unknown, AfterCanary]>([
    ['rejected', statusError(401), 'choose'],
    ['transient', statusError(503), 'next'],
    ['denied', statusError(404), 'go'],
  ])('the fleet is told once how its call went: %s', async (_, error, after) => {
    const { asked, calls, run } = process();
    run();
    await settled();
    only(asked).acquire();
    await settled();
    only(calls).answer.reject(error);
    await settled();
    expect(only(asked).done).toEqual([after]);
  });

  it('proven, it is sent with at once and nobody is asked', async () => {
    const one = process();
    await prove(one);
    one.run();
    expect(one.calls).toHaveLength(1);
    expect(one.asked).toHaveLength(0);
  });

  it('`urgent` does not ask', async () => {
    const { asked, calls, run } = process();
    run({ urgent: true });
    expect(calls).toHaveLength(1);
    expect(asked).toHaveLength(0);
  });

  it('with the store known to be down nobody is asked, and the first call leaves at once', async () => {
    const { asked, calls, run, store } = process();
    store.up = false;
    run();
    expect(calls).toHaveLength(1);
    run();
    await settled();
    expect(calls).toHaveLength(1);
    expect(asked).toHaveLength(0);
  });

  it.each(['down', 'fail'] as const)('a claim that comes to nothing (%s) is as if there was no fleet', async (how) => {
    const { asked, calls, run } = process();
    run();
    run();
    await settled();
    only(asked)[how]();
    await settled();
    only(calls).answer.resolve('ok');
    await settled();
    expect(calls).toHaveLength(2);
    expect(asked).toHaveLength(1);
  });
});

describe('while another process goes first', () => {
  async function held(options: Omit<LatchkeyOptions, 'store'> = {}) {
    const one = process(options);
    const runs = [one.run(), one.run()];
    await settled();
    only(one.asked).hold();
    await settled();
    expect(one.calls).toHaveLength(0);
    expect(one.latchkey.stats()).toMatchObject({ waiting: 2, running: 2 });
    return { ...one, runs };
  }

  it('go: all go, and nobody asks again', async () => {
    const { asked, calls } = await held();
    only(asked).back('go');
    await settled();
    expect(calls).toHaveLength(2);
    expect(asked).toHaveLength(1);
  });

  it('choose: each looks again; rejected by then, none is sent', async () => {
    const { asked, calls, runs, latchkey } = await held();
    latchkey.capture('s', bearer('token-a')).settle(401);
    only(asked).back('choose');
    await settled();
    expect(calls).toHaveLength(0);
    expect(runs.map(({ state }) => state)).toEqual(['rejected', 'rejected']);
    expect(runs[0]?.reason).toMatchObject({ code: 'CREDENTIAL_REJECTED' });
  });

  it('next: one here asks for the lead, the other stays behind it', async () => {
    const { asked, calls } = await held();
    asked[0]?.back('next');
    await settled();
    expect(asked).toHaveLength(2);
    expect(calls).toHaveLength(0);
    asked[1]?.acquire();
    await settled();
    only(calls).answer.reject(statusError(503));
    await settled();
    expect(asked[1]?.done).toEqual(['next']);
    expect(asked).toHaveLength(3);
    asked[2]?.acquire();
    await settled();
    expect(calls).toHaveLength(2);
  });

  it('it dies: after `canaryMs` one here asks again', async () => {
    const { asked, calls } = await held({ canaryMs: 7_000 });
    await vi.advanceTimersByTimeAsync(6_999);
    expect(asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(asked).toHaveLength(2);
    asked[1]?.hold();
    await vi.advanceTimersByTimeAsync(7_000);
    expect(asked).toHaveLength(3);
    asked[2]?.acquire();
    await settled();
    expect(calls).toHaveLength(1);
    // It was only slow: that it went well is as good to know as ever.
    asked[0]?.back('go');
    await settled();
    expect(calls).toHaveLength(2);
  });

  it('a verdict that comes in meanwhile is not waited past', async () => {
    const { asked, calls, latchkey } = await held();
    const resolution = latchkey.resolve('s');
    if (resolution.ok) resolution.lease.settle(200);
    await settled();
    expect(calls).toHaveLength(2);
    expect(asked).toHaveLength(1);
  });

  it('fresh auth for the scope counts once the time of the canary is over: nobody asks for the old one any more', async () => {
    const { asked, calls, latchkey } = await held();
    latchkey.capture('s', bearer('token-b'));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked.map(({ fingerprint }) => fingerprint)).toEqual(['token-a', 'token-b'].map((value) => bearer(value).fingerprint));
    asked[1]?.acquire();
    await settled();
    expect(only(calls).value).toBe('token-b');
  });

  it('fresh auth that comes while the lead is asked for: it is not used, and given back', async () => {
    const { asked, calls, latchkey } = await held();
    await vi.advanceTimersByTimeAsync(10_000);
    latchkey.capture('s', bearer('token-b'));
    asked[1]?.acquire();
    await settled();
    expect(asked[1]?.done).toEqual(['next']);
    expect(asked[2]?.fingerprint).toBe(bearer('token-b').fingerprint);
    expect(calls).toHaveLength(0);
  });

  it('whoever waits takes one of the places for that', async () => {
    const one = process({ limits: { parked: 1 } });
    const [first, second] = [one.run(), one.run()];
    await settled();
    only(one.asked).hold();
    await settled();
    // The second waits behind the first, which then finds no place.
    expect([first.state, second.state].sort()).toEqual(['pending', 'rejected']);
    expect([first, second].find(({ state }) => state === 'rejected')?.reason).toMatchObject({ code: 'PARK_OVERFLOW' });
    only(one.asked).back('go');
    await settled();
    expect(one.calls).toHaveLength(1);
  });
});

describe('broken off while it asks', () => {
  it.each<[string, (one: Process, abort: AbortController) => void, unknown]>([
    ['by its caller', (_, abort) => abort.abort(new Error('changed my mind')), { message: 'changed my mind' }],
    ['by its time limit', () => void vi.advanceTimersByTime(500), { code: 'TIMEOUT' }],
    ['by the end of Latchkey', ({ latchkey }) => void latchkey.close({ timeoutMs: 1 }), { code: 'CLOSED' }],
  ])('%s: at once, and a claim that is won too late is given back', async (_, breakOff, reason) => {
    const one = process();
    const abort = new AbortController();
    const run = one.run({ signal: abort.signal, timeoutMs: 500 });
    await settled();
    breakOff(one, abort);
    await settled();
    expect(run).toMatchObject({ state: 'rejected', reason });
    only(one.asked).acquire();
    await settled();
    expect(only(one.asked).done).toEqual(['next']);
    expect(one.calls).toHaveLength(0);
  });

  it('the next one asks then', async () => {
    const one = process();
    const abort = new AbortController();
    one.run({ signal: abort.signal });
    one.run();
    await settled();
    abort.abort();
    await settled();
    expect(one.asked).toHaveLength(2);
    one.asked[1]?.acquire();
    await settled();
    expect(one.calls).toHaveLength(1);
  });

  it('in the moment in which it is won: it is given back, and nothing is sent', async () => {
    const one = process();
    const abort = new AbortController();
    const run = one.run({ signal: abort.signal });
    await settled();
    only(one.asked).acquire();
    // After the claim has arrived, before the run goes on.
    await Promise.resolve().then(() => abort.abort());
    await settled();
    expect(run.state).toBe('rejected');
    expect(only(one.asked).done).toEqual(['next']);
    expect(one.calls).toHaveLength(0);
  });

  it('a call that is out and is called off gives it to the next process', async () => {
    const one = process();
    const abort = new AbortController();
    one.run({ signal: abort.signal });
    await settled();
    only(one.asked).acquire();
    await settled();
    expect(one.calls).toHaveLength(1);
    abort.abort();
    await settled();
    expect(only(one.asked).done).toEqual(['next']);
  });

  it('what is rejected meanwhile is not sent, though the claim is won', async () => {
    const one = process();
    const run = one.run();
    await settled();
    one.latchkey.capture('s', bearer('token-a')).settle(401);
    only(one.asked).acquire();
    await settled();
    expect(run).toMatchObject({ state: 'rejected', reason: { code: 'CREDENTIAL_REJECTED' } });
    expect(only(one.asked).done).toEqual(['next']);
    expect(one.calls).toHaveLength(0);
  });
});

it('a rejection that another process has met and this one has not heard of yet: nothing is sent', async () => {
  const fleet = new MemoryFleet();
  const options = { fallback: 'none', canary: 'doubtful' } as const;
  const [one, two] = [fleet.add(options), fleet.add(options)];
  await fleet.ready();
  one.latchkey.capture('s', bearer('token-a'));
  await settled();
  await two.latchkey.load(['s']);
  // What is published is on its way to it for long.
  two.carrier.auto = false;
  const first = watch(one.latchkey.run('s', () => Promise.reject(statusError(401))));
  await settled();
  expect(first.state).toBe('rejected');
  expect(two.latchkey.canRun('s')).toBe(true);
  let calls = 0;
  const second = watch(two.latchkey.run('s', async () => ++calls));
  await settled();
  expect(second).toMatchObject({ state: 'rejected', reason: { code: 'CREDENTIAL_REJECTED' } });
  expect(calls).toBe(0);
  await fleet.close();
});

it('an answer in hand is given back rather than refused where there is no place to wait', async () => {
  const one = process({ limits: { parked: 1 } });
  await prove(one);
  const first = one.run({ rejected: 'return' });
  await settled();
  // Somebody has the only place.
  const parked = watch(one.latchkey.whenRunnable('other'));
  await settled();
  one.latchkey.capture('s', bearer('token-b'));
  only(one.calls).answer.resolve({ status: 401, headers: {} });
  await settled();
  only(one.asked).hold();
  await settled();
  expect(first).toMatchObject({ state: 'resolved', value: { status: 401 } });
  expect(parked.state).toBe('pending');
  await close(one.latchkey);
});

async function close(latchkey: Latchkey): Promise<void> {
  await latchkey.close({ timeoutMs: 0 });
}
