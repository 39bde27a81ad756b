import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createUnauthorizedMonitor, type Exchange, type UnauthorizedMonitor } from '../../src/adapters/proxy.js';
import { createLatchkey } from '../../src/index.js';
import { freezeTime, settled } from '../support/clock.js';
import { type Deferred, deferred } from '../support/deferred.js';

interface Write {
  readonly state: string;
  readonly done: Deferred<void>;
}

let monitor: UnauthorizedMonitor<{ headers: Record<string, string> }>;
let writes: Write[];

beforeEach(() => {
  freezeTime();
  writes = [];
  monitor = watch();
});

afterEach(() => {
  vi.useRealTimers();
});

/** A store whose writes end when the test says so. */
function watch(): typeof monitor {
  return createUnauthorizedMonitor(createLatchkey(), {
    scope: () => 's',
    onWorkload: ({ state }) => {
      const done = deferred<void>();
      writes.push({ state, done });
      return done.promise;
    },
    writeTimeoutMs: 1_000,
  });
}

function open(token: string): Exchange {
  return monitor.open({ headers: { authorization: `Bearer ${token}` } });
}

const states = (): string[] => writes.map(({ state }) => state);

async function end(index: number, error?: Error): Promise<void> {
  const { done } = writes[index] as Write;
  if (error === undefined) done.resolve();
  else done.reject(error);
  await settled();
}

describe('a status write', () => {
  it('that arrives after it was given up counts, if nothing was written since', async () => {
    open('dead').answered(401);
    await vi.advanceTimersByTimeAsync(1_000);
    await end(0);
    open('dead').answered(401);
    expect(states()).toEqual(['unauthenticated']);
  });

  it('that arrives late over a newer one is corrected', async () => {
    open('dead').answered(401);
    open('fresh').answered(200);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(states()).toEqual(['unauthenticated', 'running']);
    await end(1);
    await end(0);
    expect(states()).toEqual(['unauthenticated', 'running', 'running']);
    await end(2);
    open('fresh').answered(200);
    expect(states()).toHaveLength(3);
  });

  it('that arrives late while the newer one is out is corrected after that', async () => {
    open('dead').answered(401);
    open('fresh').answered(200);
    await vi.advanceTimersByTimeAsync(1_000);
    await end(0);
    expect(states()).toEqual(['unauthenticated', 'running']);
    await end(1);
    expect(states()).toEqual(['unauthenticated', 'running', 'running']);
    await end(2);
    expect(states()).toHaveLength(3);
  });

  it('that was given up, and fails late over a newer one, is made again at the next answer, and not before', async () => {
    open('dead').answered(401);
    open('fresh').answered(200);
    await vi.advanceTimersByTimeAsync(1_000);
    await end(1);
    expect(states()).toEqual(['unauthenticated', 'running']);
    // It may have arrived all the same.
    await end(0, new Error('the answer was lost'));
    expect(states()).toEqual(['unauthenticated', 'running']);
    open('fresh').answered(200);
    expect(states()).toEqual(['unauthenticated', 'running', 'running']);
    await end(2);
    open('fresh').answered(200);
    expect(states()).toHaveLength(3);
  });

  it('that was given up, and fails while the newer one is out, has that one made again', async () => {
    open('dead').answered(401);
    open('fresh').answered(200);
    await vi.advanceTimersByTimeAsync(1_000);
    await end(0, new Error('aborted'));
    expect(states()).toEqual(['unauthenticated', 'running']);
    await end(1);
    expect(states()).toEqual(['unauthenticated', 'running', 'running']);
    await end(2);
    expect(states()).toHaveLength(3);
  });

  it('to a store that is always too slow ends', async () => {
    open('dead').answered(401);
    for (let n = 0; n < 5; n++) {
      await vi.advanceTimersByTimeAsync(1_000);
      open('dead').answered(401);
      await vi.advanceTimersByTimeAsync(500);
      await end(n);
    }
    const { length } = writes;
    for (let n = 5; n < length; n++) await end(n);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(writes.length).toBe(length);
    expect(new Set(states())).toEqual(new Set(['unauthenticated']));
  });
});
