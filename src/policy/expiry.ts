/** How long before its expiry a credential is refreshed, and given up. In milliseconds. */
export interface ExpiryWindows {
  /** So long before, a refresh begins in the background while it is used still. */
  readonly advisoryMs: number;
  /** So long before, it is not used any more: what is sent then would arrive too late. */
  readonly mandatoryMs: number;
  /** Within so long after the beginning of the advisory window, each identity at a moment of its own. */
  readonly jitterMs: number;
}

/** The windows of one credential: milliseconds before its expiry. */
export interface ExpiryMargins {
  readonly advisoryMs: number;
  readonly mandatoryMs: number;
}

/** Of what a credential had left when it was first heard of, an advisory and a mandatory window take no more than these shares. */
const MOST_ADVISORY = 1 / 2;
const MOST_MANDATORY = 1 / 10;

/**
 * The windows of a credential that has `lifetimeMs` left. A short-lived one has shorter windows, or it would be due for a refresh as soon as it
 * came. `share` (0 to 1, always the same for one identity) says where in the jitter its own moment is.
 */
export function marginsOf({ advisoryMs, mandatoryMs, jitterMs }: ExpiryWindows, lifetimeMs: number, share: number): ExpiryMargins {
  const left = Math.max(0, lifetimeMs);
  // Whole milliseconds, since users are told them.
  const mandatory = Math.floor(Math.min(mandatoryMs, left * MOST_MANDATORY));
  const advisory = Math.max(mandatory, Math.floor(Math.min(advisoryMs, left * MOST_ADVISORY)));
  return { mandatoryMs: mandatory, advisoryMs: advisory - Math.floor(share * Math.min(jitterMs, advisory - mandatory)) };
}

/** A number from 0 to 1 (exclusive) that is always the same for a fingerprint, and spread evenly over many of them. */
export function shareOf(fingerprint: string): number {
  return Number.parseInt(fingerprint.slice(0, 8), 16) / 2 ** 32;
}

/**
 * Below these a number in a header is a duration in seconds, or a moment in seconds; above, a moment in milliseconds. The second is the year 2000 in
 * milliseconds, since "never" is often the last second of 9999.
 */
const SMALLEST_SECONDS = 1e9;
const SMALLEST_MS = 946_684_800_000;
const LATEST_MS = 8.64e15;
/** RFC 9110, section 5.6.7, in the form that may be sent. */
const HTTP_DATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;
/** ISO 8601, with a zone. */
const ISO_DATE = /^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)$/;

/** When a header's value says that a credential expires; `upstream` where that is a moment by the upstream's own clock. */
export function readExpiryHeader(
  text: string,
  now: number,
): { readonly expiresAt: number; readonly clock: 'own' | 'upstream' } | undefined {
  const trimmed = text.trim();
  if (trimmed.length > 64) return undefined;
  if (/^\d{1,16}(?:\.\d{1,9})?$/.test(trimmed)) {
    const value = Number(trimmed);
    if (value < SMALLEST_SECONDS) return { expiresAt: now + Math.round(value * 1000), clock: 'own' };
    const expiresAt = Math.round(value < SMALLEST_MS ? value * 1000 : value);
    return expiresAt <= LATEST_MS ? { expiresAt, clock: 'upstream' } : undefined;
  }
  // `Date.parse` finds a date in nearly anything.
  const date = HTTP_DATE.test(trimmed) || ISO_DATE.test(trimmed) ? Date.parse(trimmed) : Number.NaN;
  return Number.isNaN(date) ? undefined : { expiresAt: date, clock: 'upstream' };
}
