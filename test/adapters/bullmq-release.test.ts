import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ParkedJob, ParkedJobs } from '../../src/adapters/bullmq/parked-jobs.js';
import { Release } from '../../src/adapters/bullmq/release.js';
import { ScopeWatch, type WaitingJob } from '../../src/adapters/bullmq/scope-watch.js';
import { bearer, createLatchkey } from '../../src/index.js';
import { freezeTime, START, settled } from '../support/clock.js';
import { deferred } from '../support/deferred.js';

beforeEach(() => freezeTime());
afterEach(() => void vi.useRealTimers());

const jobOf = (id: string, session = 's0', since = START): WaitingJob => ({ id, scope: { session }, since });

describe('giving parked jobs back', () => {
  /** A queue that only time can move: what becomes of a job there is tested on the real one. */
  function setUp({ strikes = 0, taking = Promise.resolve() } = {}) {
    const given: string[] = [];
    const delayed: [string, number][] = [];
    const blocked: string[] = [];
    const failures: unknown[] = [];
    const dead = new Set<string>();
    const record = (id: string): ParkedJob => ({ ...jobOf(id), strikes, struckAt: START });
    const release = new Release({
      queue: {
        toKey: (type) => type,
        getJob: async (id) => ({
          promote: async () => void given.push(id),
          changeDelay: async (ms) => void delayed.push([id, ms]),
          isDelayed: async () => true,
        }),
      },
      parked: { take: (ids: readonly string[]) => taking.then(() => ids.map(record)) } as unknown as ParkedJobs,
      clock: { now: () => Date.now() },
      canRun: ({ session = '' }) => !dead.has(session),
      onBlocked: ({ id }) => void blocked.push(id),
      onReleased: () => {},
      failed: (error) => void failures.push(error),
    });
    return { release, given, delayed, blocked, dead, failures };
  }
  const pass = async (ms: number): Promise<void> => {
    await settled();
    await vi.advanceTimersByTimeAsync(ms);
    await settled();
  };

  it('goes in batches of 25 every 10 ms, the longest parked first', async () => {
    const { release, given } = setUp();
    release.add(Array.from({ length: 60 }, (_, at) => jobOf(`${at}`, 's0', START - at)));
    await settled();
    expect(given).toEqual(Array.from({ length: 25 }, (_, at) => `${59 - at}`));
    await pass(9);
    expect(given.length).toBe(25);
    await pass(1);
    expect(given.length).toBe(50);
    await pass(10);
    expect(given.length).toBe(60);
    expect(given.at(-1)).toBe('0');
  });

  it('stops for a scope that is blocked again, and goes on with the others', async () => {
    const { release, given, blocked, dead } = setUp();
    release.add(Array.from({ length: 60 }, (_, at) => jobOf(`${at}`, at % 2 === 0 ? 's0' : 's1')));
    await settled();
    dead.add('s0');
    await pass(10);
    await pass(10);
    expect(given.length).toBe(13 + 30);
    expect(blocked.length).toBe(17);
    expect(release.size).toBe(0);
  });

  it('gives back nothing more once it is closed', async () => {
    const { release, given } = setUp();
    release.add(Array.from({ length: 60 }, (_, at) => jobOf(`${at}`)));
    await settled();
    await release.close();
    release.add([jobOf('later')]);
    await pass(100);
    expect(given.length).toBe(25);
  });

  it('gives back what was taken before it was closed, which waits for that', async () => {
    const taking = deferred();
    const { release, given } = setUp({ taking: taking.promise });
    release.add(Array.from({ length: 60 }, (_, at) => jobOf(`${at}`)));
    let isClosed = false;
    const closing = release.close().then(() => {
      isClosed = true;
    });
    await pass(100);
    expect([isClosed, given.length]).toEqual([false, 0]);
    taking.resolve();
    await closing;
    expect(given.length).toBe(25);
    await pass(100);
    expect(given.length).toBe(25);
  });

  it.each([
    [3, undefined],
    [4, 1_000],
    [6, 4_000],
    [10, 60_000],
    [50, 60_000],
  ])('after %i rejections in a row a job is delayed by %s ms', async (strikes, delay) => {
    const { release, given, delayed } = setUp({ strikes });
    release.add([jobOf('1')]);
    await settled();
    expect(delayed).toEqual(delay === undefined ? [] : [['1', delay]]);
    expect(given).toEqual(delay === undefined ? ['1'] : []);
  });

  it('a job that has waited that long already goes at once', async () => {
    const { release, given } = setUp({ strikes: 6 });
    await vi.advanceTimersByTimeAsync(4_000);
    release.add([jobOf('1')]);
    await settled();
    expect(given).toEqual(['1']);
  });
});

describe('waiting for the scopes of parked jobs', () => {
  function setUp(parked?: number) {
    const latchkey = createLatchkey({ fallback: 'none', ...(parked !== undefined && { limits: { parked } }) });
    const runnable: string[] = [];
    const failures: unknown[] = [];
    const watch = new ScopeWatch(
      latchkey,
      (jobs) => void runnable.push(...jobs.map(({ id }) => id)),
      (error) => void failures.push(error),
    );
    return { latchkey, watch, runnable, failures };
  }

  it('takes one place for a scope, however many jobs it has, and gives it back with the last', async () => {
    const { latchkey, watch, runnable } = setUp();
    for (let at = 0; at < 500; at++) watch.add(jobOf(`${at}`));
    expect(latchkey.stats().waiting).toBe(1);
    expect([watch.jobs, watch.scopes]).toEqual([500, 1]);
    for (let at = 1; at < 500; at++) watch.remove(`${at}`);
    expect(latchkey.stats().waiting).toBe(1);
    watch.remove('0');
    await settled();
    expect(latchkey.stats().waiting).toBe(0);
    expect([watch.jobs, watch.scopes]).toEqual([0, 0]);
    latchkey.capture('s0', bearer('fresh'));
    await settled();
    expect(runnable).toEqual([]);
  });

  it('waits on when its wait is over, without a failure', async () => {
    const { latchkey, watch, runnable, failures } = setUp();
    watch.add(jobOf('1'));
    await vi.advanceTimersByTimeAsync(11 * 60_000);
    await settled();
    expect(latchkey.stats().waiting).toBe(1);
    latchkey.capture('s0', bearer('fresh'));
    await settled();
    expect(runnable).toEqual(['1']);
    expect(failures).toEqual([]);
  });

  it('leaves places to others: beyond 100 scopes it asks every second', async () => {
    const { latchkey, watch, runnable } = setUp();
    for (let at = 0; at < 150; at++) watch.add(jobOf(`${at}`, `s${at}`));
    expect(latchkey.stats().waiting).toBe(100);
    latchkey.capture('s149', bearer('fresh'));
    latchkey.capture('s0', bearer('fresh'));
    await settled();
    expect(runnable).toEqual(['0']);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(runnable).toEqual(['0', '149']);
    expect(latchkey.stats().waiting).toBe(100);
  });

  it('asks where there is no place at all', async () => {
    const { latchkey, watch, runnable, failures } = setUp(0);
    watch.add(jobOf('1'));
    await vi.advanceTimersByTimeAsync(5_000);
    latchkey.capture('s0', bearer('fresh'));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(runnable).toEqual(['1']);
    expect(failures).toEqual([]);
  });

  it('a job that comes to wait for another scope leaves the first', async () => {
    const { latchkey, watch, runnable } = setUp();
    watch.add(jobOf('1', 's0'));
    watch.add(jobOf('1', 's1'));
    expect([watch.jobs, watch.scopes]).toEqual([1, 1]);
    latchkey.capture('s0', bearer('fresh'));
    await settled();
    expect(runnable).toEqual([]);
    latchkey.capture('s1', bearer('fresh'));
    await settled();
    expect(runnable).toEqual(['1']);
  });

  it('a scope that is none here is told once a second at the most, and stops nothing', async () => {
    const { watch, failures, latchkey, runnable } = setUp();
    watch.add({ id: 'odd', scope: { session: '' }, since: START });
    watch.add(jobOf('1'));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(failures.length).toBe(1);
    latchkey.capture('s0', bearer('fresh'));
    await settled();
    expect(runnable).toEqual(['1']);
  });

  it('leaves nothing behind when it or its Latchkey is closed', async () => {
    const { latchkey, watch, runnable, failures } = setUp();
    for (let at = 0; at < 150; at++) watch.add(jobOf(`${at}`, `s${at}`));
    watch.close();
    await settled();
    expect([watch.jobs, watch.scopes, latchkey.stats().waiting, vi.getTimerCount()]).toEqual([0, 0, 0, 0]);
    watch.add(jobOf('later'));
    expect(watch.jobs).toBe(0);

    const other = setUp();
    other.watch.add(jobOf('1'));
    await other.latchkey.close();
    await settled();
    expect([other.watch.scopes, vi.getTimerCount()]).toEqual([0, 0]);
    expect([runnable, failures, other.runnable, other.failures]).toEqual([[], [], [], []]);
  });
});
