import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createUnauthorizedMonitor, type Exchange } from '../../src/adapters/proxy.js';
import { createLatchkey } from '../../src/index.js';
import { freezeTime } from '../support/clock.js';
import { HeldStore, type Watched } from './proxy-watched.js';

let monitor: Watched;
let store: HeldStore;

beforeEach(() => {
  freezeTime();
  store = new HeldStore();
  monitor = watch();
});

afterEach(() => {
  vi.useRealTimers();
});

function watch(): Watched {
  return createUnauthorizedMonitor(createLatchkey(), { scope: () => 's', onWorkload: store.write, writeTimeoutMs: 1_000 });
}

function open(token: string): Exchange {
  return monitor.open({ headers: { authorization: `Bearer ${token}` } });
}

const states = (): string[] => store.states();
const end = (index: number, error?: Error): Promise<void> => store.end(index, error);

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
    const { length } = store.writes;
    for (let n = 5; n < length; n++) await end(n);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(store.writes.length).toBe(length);
    expect(new Set(states())).toEqual(new Set(['unauthenticated']));
  });
});
