import type { Outcome } from './outcome.js';

/** How long a 402 holds a credential when the answer names no time, in milliseconds: 15 minutes. */
export const DEFAULT_HOLD_MS = 15 * 60_000;

/** Retry-After (RFC 9110, section 10.2.3: seconds or a date), or OpenAI's `retry-after-ms`; never negative. */
export function retryAfter(outcome: Outcome, now: number): number | undefined {
  const ms = outcome.headers?.['retry-after-ms'];
  if (ms !== undefined && /^\d+(\.\d+)?$/.test(ms)) return Number(ms);
  const value = outcome.headers?.['retry-after']?.trim();
  if (value === undefined || value === '') return undefined;
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
