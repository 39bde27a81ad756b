import { vi } from 'vitest';
import type { Clock } from '../../src/clock.js';

/** Where frozen time begins in tests. */
export const START = Date.UTC(2026, 0, 1);

export interface ManualClock extends Clock {
  advance(ms: number): void;
}

/** A clock that moves only when it is told to; timers are not its matter. */
export function manualClock(start = START): ManualClock {
  let now = start;
  return {
    now: () => now,
    advance(ms) {
      now += ms;
    },
  };
}

/** Freezes `Date` and the timers that Latchkey uses; `vi.advanceTimersByTimeAsync` moves both. Undone by `vi.useRealTimers()`. */
export function freezeTime(): void {
  vi.useFakeTimers({ now: START, toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'] });
}

/** Lets everything that is ready to happen without time passing happen. */
export async function settled(rounds = 20): Promise<void> {
  for (let round = 0; round < rounds; round++) await new Promise<void>((resolve) => setImmediate(resolve));
}
