import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** How much is held at one moment. */
export interface Sample {
  /** After a forced collection, in bytes. */
  readonly heap: number;
  /** What keeps the event loop busy: sockets, servers, child processes; timers aside. */
  readonly handles: number;
  /** Timers that have neither fired nor been cleared, whether they keep the process alive or not. */
  readonly timers: number;
}

/** Counts the timers of the whole process from now on: those that keep nobody alive are shown nowhere else. */
export function countTimers(): () => number {
  const live = new Set<unknown>();
  const { setTimeout: start, clearTimeout: stop, setInterval: repeat, clearInterval: end } = globalThis;
  const counted = (callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]): unknown => {
    const timer: unknown = start(
      (...given: unknown[]) => {
        live.delete(timer);
        callback(...given);
      },
      ms,
      ...args,
    );
    live.add(timer);
    return timer;
  };
  const repeated = (callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]): unknown => {
    const timer: unknown = repeat(callback, ms, ...args);
    live.add(timer);
    return timer;
  };
  const forgotten = (clear: (timer: never) => void) => (timer: unknown) => {
    live.delete(timer);
    clear(timer as never);
  };
  Object.assign(globalThis, {
    setTimeout: Object.assign(counted, start),
    setInterval: repeated,
    clearTimeout: forgotten(stop),
    clearInterval: forgotten(end),
  });
  return () => live.size;
}

/** Collects all that can be collected. */
export function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  return () => {
    // What a finaliser lets go of is found the second time.
    collect();
    collect();
  };
}

export async function sample(collect: () => void, timers: () => number): Promise<Sample> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
  collect();
  const handles = process.getActiveResourcesInfo().filter((kind) => kind !== 'Timeout' && kind !== 'Immediate').length;
  return { heap: process.memoryUsage().heapUsed, handles, timers: timers() };
}

/** The median of each quarter of a run. */
export function byQuarter(values: readonly number[]): (number | undefined)[] {
  return [0, 1, 2, 3].map((quarter) => {
    const from = Math.floor((quarter * values.length) / 4);
    const to = Math.floor(((quarter + 1) * values.length) / 4);
    const sorted = values.slice(from, to).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)];
  });
}
