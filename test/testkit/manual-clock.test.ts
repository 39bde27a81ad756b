import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { createManualClock, type ManualClock, type TimerGlobals } from '../../src/testkit/manual-clock.js';

/** Timers of a global object of the test's own, so that nothing of the runner's is touched. */
function timersOf(clock: ManualClock): {
  readonly target: TimerGlobals;
  readonly uninstall: () => void;
  readonly own: { setTimeout: typeof setTimeout; clearTimeout: typeof clearTimeout; setInterval: typeof setInterval; Date: typeof Date };
} {
  const target = { setTimeout: 'before', clearTimeout: 'before', setInterval: 'before', clearInterval: 'before', Date: 'before' };
  const uninstall = clock.install(target);
  return { target, uninstall, own: target as never };
}

describe('a manual clock', () => {
  it('moves only when it is told to', async () => {
    const clock = createManualClock();
    expect(clock.now()).toBe(Date.UTC(2026, 0, 1));
    await clock.advance(1_500);
    expect(clock.now()).toBe(Date.UTC(2026, 0, 1) + 1_500);
    const { now } = createManualClock(5);
    expect(now()).toBe(5);
  });

  it('is what a Latchkey goes by', async () => {
    const clock = createManualClock();
    const latchkey = createLatchkey({ clock });
    latchkey.capture('s', bearer('token', { expiresAt: clock.now() + 1_000 }));
    await clock.advance(999);
    expect(latchkey.canRun('s')).toBe(true);
    await clock.advance(1);
    expect(latchkey.canRun('s')).toBe(false);
    await latchkey.close();
  });

  it('fires timers in their order, each at its time, and lets promises settle in between', async () => {
    const clock = createManualClock(0);
    const { own } = timersOf(clock);
    const seen: string[] = [];
    const note = (what: string): void => void seen.push(`${what} at ${clock.now()}`);
    own.setTimeout(note, 20, 'second');
    own.setTimeout(async () => {
      note('first');
      await Promise.resolve();
      own.setTimeout(note, 5, 'its own');
    }, 10);
    own.setTimeout(note, 20, 'third');
    own.clearTimeout(own.setTimeout(note, 1, 'never'));
    const every = own.setInterval(() => note('again'), 12);
    expect(clock).toMatchObject({ timers: 5 - 1 + 0, nextAt: 10 });
    await clock.advance(24);
    expect(seen).toEqual(['first at 10', 'again at 12', 'its own at 15', 'second at 20', 'third at 20', 'again at 24']);
    own.clearTimeout(Number(every));
    expect(await clock.advanceToNext()).toBe(false);
    expect(clock).toMatchObject({ timers: 0, nextAt: undefined });
  });

  it('fires what was started first of what is due together; an interval starts anew each time', async () => {
    const clock = createManualClock(0);
    const { own } = timersOf(clock);
    const seen: string[] = [];
    own.setInterval(() => seen.push('interval'), 10);
    own.setTimeout(() => seen.push('timeout'), 20);
    await clock.advance(20);
    expect(seen).toEqual(['interval', 'timeout', 'interval']);
  });

  it('goes to the next timer, and takes a delay as Node does', async () => {
    const clock = createManualClock(0);
    const { own } = timersOf(clock);
    const fired: number[] = [];
    for (const delay of [0, 2.9, Number.NaN, 2 ** 40, undefined]) own.setTimeout(() => fired.push(clock.now()), delay);
    const timer = own.setTimeout(() => fired.push(clock.now()), 5);
    expect(timer.unref().hasRef()).toBe(false);
    while (clock.nextAt !== undefined && clock.nextAt < 4) await clock.advanceToNext();
    expect(fired).toEqual([1, 1, 1, 1, 2]);
    timer.refresh();
    await clock.advanceToNext();
    expect(clock.now()).toBe(7);
  });

  it('stands in for `Date` where it is installed, and nowhere else', async () => {
    const clock = createManualClock(1_000);
    const { own, target, uninstall } = timersOf(clock);
    expect([own.Date.now(), new own.Date().getTime(), new own.Date(5).getTime(), own.Date.UTC(1970, 0)]).toEqual([1_000, 1_000, 5, 0]);
    expect(own.Date()).toBe(new Date(1_000).toString());
    expect(new own.Date()).toBeInstanceOf(Date);
    expect(Date.now()).toBeGreaterThan(1e12);
    target.setInterval = 'somebody else';
    uninstall();
    expect(target).toEqual({
      setTimeout: 'before',
      clearTimeout: 'before',
      setInterval: 'somebody else',
      clearInterval: 'before',
      Date: 'before',
    });
  });

  it('is put in place of the timers of this thread, once', () => {
    const { setTimeout: real } = globalThis;
    const uninstall = createManualClock().install();
    try {
      expect(globalThis.setTimeout).not.toBe(real);
      expect(() => createManualClock().install()).toThrow('install: a manual clock, or explore(), is active still');
    } finally {
      uninstall();
    }
    expect(globalThis.setTimeout).toBe(real);
  });

  it('hands on what a timer throws, and does not go on for ever', async () => {
    const clock = createManualClock(0);
    const { own } = timersOf(clock);
    own.setTimeout(() => {
      throw new Error('by a timer');
    }, 5);
    await expect(clock.advance(10)).rejects.toThrow('by a timer');
    expect(clock.now()).toBe(5);
  });

  it.each<[string, () => unknown]>([
    ['createManualClock: `start` must be', () => createManualClock(Number.NaN)],
    ['install: `target` must be', () => createManualClock().install(null as never)],
  ])('says what is wrong: %s', (message, create) => {
    expect(create).toThrow(TypeError);
    expect(create).toThrow(message);
  });

  it('does not go back', async () => {
    await expect(createManualClock().advance(-1)).rejects.toThrow('advance: `ms` must be a number of whole milliseconds, 0 or more');
  });

  it('moves by whole milliseconds, in which timers are due', async () => {
    const clock = createManualClock(0);
    await expect(clock.advance(0.5)).rejects.toThrow(TypeError);
    await expect(clock.advance(0.5)).rejects.toThrow('advance: `ms` must be a number of whole milliseconds');
    expect(clock.now()).toBe(0);
    expect(() => createManualClock(0.5)).toThrow('createManualClock: `start` must be a number of whole milliseconds');
  });

  it('fires a timer of no delay after one of 1 ms that was set before it, as Node does', async () => {
    const clock = createManualClock(0);
    const { own } = timersOf(clock);
    const seen: string[] = [];
    own.setTimeout(() => seen.push('of 1'), 1);
    own.setTimeout(() => seen.push('of 0'), 0);
    own.setTimeout(() => seen.push('of none'));
    await clock.advance(0);
    expect(seen).toEqual([]);
    await clock.advance(1);
    expect(seen).toEqual(['of 1', 'of 0', 'of none']);
  });

  it('leaves to the timers that it replaces what they have started', () => {
    const cleared: unknown[] = [];
    const real = { setTimeout, clearTimeout: (timer: unknown) => void cleared.push(timer), setInterval, clearInterval: () => {}, Date };
    const before = Object.assign(Object.create(null) as object, { [Symbol.toPrimitive]: () => 1 });
    const clock = createManualClock();
    const uninstall = clock.install(real);
    const start = real.setTimeout as unknown as (act: () => void, ms: number) => { [Symbol.toPrimitive](): number };
    const own = start(() => {}, 10);
    real.clearTimeout(before);
    real.clearTimeout(1);
    expect(clock.timers).toBe(1);
    expect(cleared).toEqual([before, 1]);
    real.clearTimeout(String(Number(own)));
    expect(clock.timers).toBe(0);
    real.clearTimeout(own);
    expect(cleared).toEqual([before, 1]);
    uninstall();
  });

  it('a timer runs again when it is refreshed, unless it was cleared', async () => {
    const clock = createManualClock();
    const real = { setTimeout, clearTimeout, setInterval, clearInterval, Date };
    clock.install(real);
    let fired = 0;
    const timer = real.setTimeout(() => {
      fired++;
    }, 10);
    await clock.advance(10);
    timer.refresh();
    await clock.advance(10);
    expect(fired).toBe(2);
    real.clearTimeout(timer);
    timer.refresh();
    await clock.advance(10);
    expect(fired).toBe(2);
  });
});
