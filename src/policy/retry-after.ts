import type { Outcome } from './outcome.js';

/** How long a 402 holds a credential when the answer names no time, in milliseconds: 15 minutes. */
export const DEFAULT_HOLD_MS = 15 * 60_000;

/** Retry-After (RFC 9110, section 10.2.3: seconds or a date), or OpenAI's `retry-after-ms`; never negative. */
export function retryAfter(outcome: Outcome, now: number): number | undefined {
  const ms = readNumber(outcome.headers?.['retry-after-ms']);
  if (ms !== undefined) return ms;
  const value = outcome.headers?.['retry-after']?.trim();
  const seconds = readNumber(value);
  if (seconds !== undefined) return seconds * 1000;
  // `Date.parse` finds a date in nearly anything, so only what begins like an HTTP date is shown to it.
  if (value === undefined || !/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(value)) return undefined;
  const date = Date.parse(value.endsWith('GMT') ? value : `${value} GMT`);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function readNumber(text: string | undefined): number | undefined {
  // Fifteen digits are exact; what asks for more is no pause.
  return text !== undefined && /^\d{1,15}(?:\.\d+)?$/.test(text) ? Number(text) : undefined;
}
