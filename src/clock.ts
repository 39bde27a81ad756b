/** Where Latchkey reads the time. Sleeping uses the global timers, so a test runner's fake timers move everything. */
export interface Clock {
  /** Milliseconds since the Unix epoch, as `Date.now()` gives them. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** The longest delay a Node timer can hold; a longer one would fire at once. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** A timer that never keeps the process alive. `cancel` may be called at any time, repeatedly. */
export function startTimer(delayMs: number, fire: () => void): { cancel(): void } {
  const timer = setTimeout(fire, Math.min(Math.max(delayMs, 0), LONGEST_DELAY_MS));
  // A browser-like or faked timer may be a bare number.
  (timer as { unref?: () => void }).unref?.();
  return { cancel: () => clearTimeout(timer) };
}
