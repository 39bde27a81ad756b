import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createUnauthorizedMonitor, type Exchange } from '../../src/adapters/proxy.js';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { freezeTime, settled } from '../support/clock.js';
import { HeldStore, type Watched } from './proxy-watched.js';

let latchkey: Latchkey;
let monitor: Watched;
let store: HeldStore;
let errors: string[];

beforeEach(() => {
  freezeTime();
  latchkey = createLatchkey();
  store = new HeldStore();
  errors = [];
  monitor = watch();
});

afterEach(() => {
  vi.useRealTimers();
});

function watch(limit = 10): Watched {
  return createUnauthorizedMonitor(latchkey, {
    scope: ({ headers }: { headers: Record<string, string> }) => headers['x-session'] ?? 's',
    onWorkload: store.write,
    writeTimeoutMs: 1_000,
    limit,
    onError: (error, origin) => void errors.push(`${origin}: ${(error as Error).message}`),
  });
}

function open(token: string, session = 's'): Exchange {
  return monitor.open({ headers: { authorization: `Bearer ${token}`, 'x-session': session } });
}

const states = (): string[] => store.states();
const end = (index: number, error?: Error): Promise<void> => store.end(index, error);

describe('a status write', () => {
  it('happens once while one is out, and not again once it is done', async () => {
    for (let n = 0; n < 50; n++) open('dead').answered(401);
    expect(states()).toEqual(['unauthenticated']);
    await end(0);
    open('dead').answered(401);
    expect(states()).toEqual(['unauthenticated']);
  });

  it('is followed by another if the state has changed meanwhile: the last one written is the truth', async () => {
    open('dead').answered(401);
    open('fresh').answered(200);
    expect(states()).toEqual(['unauthenticated']);
    await end(0);
    expect(states()).toEqual(['unauthenticated', 'running']);
    open('fresh').answered(401);
    open('newer').answered(200);
    await end(1);
    expect(states()).toEqual(['unauthenticated', 'running']);
  });

  it('of one workload does not wait for that of another', () => {
    open('dead', 'a').answered(401);
    open('dead-too', 'b').answered(401);
    expect(store.writes.map(({ session }) => session)).toEqual(['a', 'b']);
  });

  it('(hole) that fails is made again at the next 401, and not before', async () => {
    for (let n = 0; n < 5; n++) open('dead').answered(401);
    await end(0, new Error('the store is down'));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(states()).toEqual(['unauthenticated']);
    open('dead').answered(401);
    expect(states()).toEqual(['unauthenticated', 'unauthenticated']);
    await end(1);
    open('dead').answered(401);
    expect(states()).toHaveLength(2);
    expect(errors).toEqual(['onWorkload: the store is down']);
  });

  it('(hole) that throws is made again at the next 401', () => {
    const tried: string[] = [];
    const throwing = createUnauthorizedMonitor(latchkey, {
      scope: () => 's',
      onWorkload: ({ state }) => {
        tried.push(state);
        if (tried.length < 3) throw new Error('the store is down');
      },
    });
    const triedByNow = [1, 2, 3, 4, 5].map(() => {
      throwing.open({ headers: { authorization: 'Bearer dead' } }).answered(401);
      return tried.length;
    });
    expect(triedByNow).toEqual([1, 2, 3, 3, 3]);
    expect(new Set(tried)).toEqual(new Set(['unauthenticated']));
  });

  it('(hole) that hangs is aborted, and made again at the next 401', async () => {
    open('dead').answered(401);
    await vi.advanceTimersByTimeAsync(999);
    open('dead').answered(401);
    expect([store.writes[0]?.signal.aborted, states().length]).toEqual([false, 1]);
    await vi.advanceTimersByTimeAsync(1);
    expect(store.writes[0]?.signal.aborted).toBe(true);
    expect(errors).toEqual(['onWorkload: onWorkload: not done within 1000 ms']);
    await end(0, new Error('aborted'));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(states()).toHaveLength(1);
    open('dead').answered(401);
    expect(states()).toEqual(['unauthenticated', 'unauthenticated']);
    expect(errors).toHaveLength(1);
  });

  it.each([
    [
      '`then` throws',
      {
        // biome-ignore lint/suspicious/noThenProperty: that is what is tried
        then() {
          throw new Error('hostile');
        },
      },
    ],
    [
      '`then` cannot be read',
      {
        // biome-ignore lint/suspicious/noThenProperty: that is what is tried
        get then(): never {
          throw new Error('hostile');
        },
      },
    ],
  ])('whose promise is none (%s) failed, and disturbs no answer', async (_, promise) => {
    let tried = 0;
    const hostile = createUnauthorizedMonitor(latchkey, {
      scope: () => 's',
      onWorkload: () => {
        tried++;
        return promise;
      },
      onError: (error, origin) => void errors.push(`${origin}: ${(error as Error).message}`),
    });
    const answer = (): void => hostile.open({ headers: { authorization: 'Bearer dead' } }).answered(401);
    answer();
    await settled();
    expect(errors).toEqual(['onWorkload: hostile']);
    answer();
    await settled();
    expect(tried).toBe(2);
    await hostile.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(errors).toEqual(['onWorkload: hostile', 'onWorkload: hostile']);
  });

  it('whose fate is unknown is corrected when the state changes back', async () => {
    open('good').answered(200);
    await end(0);
    open('good').answered(401);
    open('good').answered(200);
    await end(1, new Error('who knows'));
    expect(states()).toEqual(['running', 'unauthenticated', 'running']);
    await end(2);
    open('good').answered(200);
    expect(states()).toHaveLength(3);
  });

  it('whose fate is unknown is corrected when the state changes back later', async () => {
    open('good').answered(200);
    await end(0);
    open('good').answered(401);
    await end(1, new Error('who knows'));
    open('good').answered(200);
    expect(states()).toEqual(['running', 'unauthenticated', 'running']);
  });
});

describe('a session that goes while a write is out', () => {
  it('is not written of again', async () => {
    open('dead').answered(401);
    latchkey.evict({ session: 's' });
    await end(0);
    expect(states()).toEqual(['unauthenticated']);
  });

  it('and comes back has one write out at a time still', async () => {
    open('dead').answered(401);
    latchkey.evict({ session: 's' });
    open('fresh').answered(200);
    expect(states()).toEqual(['unauthenticated']);
    await end(0);
    expect(states()).toEqual(['unauthenticated', 'running']);
  });

  it('none is pushed out of memory while its write is out', async () => {
    monitor = watch(1);
    open('dead-a', 'a').answered(401);
    open('dead-b', 'b').answered(401);
    open('dead-a', 'a').answered(401);
    expect(store.writes.map(({ session }) => session)).toEqual(['a']);
    await end(0);
    open('dead-b', 'b').answered(401);
    expect(store.writes.map(({ session }) => session)).toEqual(['a', 'b']);
  });
});

describe('close', () => {
  it('waits for the write that is out, and begins none', async () => {
    open('dead').answered(401);
    let closed = false;
    void monitor.close().then(() => {
      closed = true;
    });
    latchkey.capture('s', bearer('fresh'));
    await settled();
    expect(closed).toBe(false);
    await end(0);
    expect(closed).toBe(true);
    open('dead').answered(401);
    monitor.started('t');
    expect(states()).toEqual(['unauthenticated']);
  });

  it('waits no longer than a write may take', async () => {
    open('dead').answered(401);
    const closing = monitor.close();
    await vi.advanceTimersByTimeAsync(1_000);
    await closing;
    expect(store.writes[0]?.signal.aborted).toBe(true);
  });

  it('resolves at once when nothing is out, and twice', async () => {
    await Promise.all([monitor.close(), monitor.close()]);
    await monitor.close();
  });

  it('two that overlap both resolve', async () => {
    open('dead').answered(401);
    const closings = Promise.all([monitor.close(), monitor.close()]);
    await end(0);
    await closings;
  });

  it('what was open goes on, unwatched', () => {
    const exchange = open('token');
    void monitor.close();
    expect(open('another').credential?.fingerprint).toBe(bearer('another').fingerprint);
    exchange.answered(401);
    expect(latchkey.canRun('s')).toBe(false);
    expect(store.writes).toEqual([]);
  });
});
