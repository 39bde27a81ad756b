/** Longer tokens are not looked into: no issuer's is, and whoever sends one is not to cost more than that. */
const LONGEST_TOKEN = 32 * 1024;
/** From the year 2000, in seconds: what says less was never issued. */
const EARLIEST_SECONDS = 946_684_800;
/** From here on it was written in milliseconds: as seconds it would be the year 31969, and "never" is often the last second of 9999. */
const SMALLEST_MS = EARLIEST_SECONDS * 1000;
/** The last moment that a `Date` can hold. */
const LATEST_MS = 8.64e15;
const PART = /^[A-Za-z0-9_-]+$/;

/**
 * When a JWT says that it expires (`exp`, RFC 7519, section 4.1.4), in milliseconds since the epoch by its issuer's clock; undefined for what is no
 * JWT, has no `exp`, or an absurd one. Its signature is not looked at: this is a hint, on which nothing but the time of a refresh depends.
 */
export function jwtExpiry(token: string): number | undefined {
  if (token.length > LONGEST_TOKEN || !token.startsWith('ey')) return undefined;
  const [header, payload, signature, ...more] = token.split('.', 4);
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0) return undefined;
  if (!PART.test(header) || !PART.test(payload)) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null ? readSeconds((claims as { exp?: unknown }).exp) : undefined;
  } catch {
    return undefined;
  }
}

function readSeconds(exp: unknown): number | undefined {
  if (typeof exp !== 'number' || !(exp >= EARLIEST_SECONDS)) return undefined;
  const ms = Math.round(exp >= SMALLEST_MS ? exp : exp * 1000);
  return ms <= LATEST_MS ? ms : undefined;
}
