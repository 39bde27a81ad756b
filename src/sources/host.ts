import { isIPv6 } from 'node:net';

/** An IPv4 address in its IPv6-mapped form, as the parser of `URL` writes it. */
const MAPPED = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/;
const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];
const EVERY_INTERFACE: readonly string[] = ['0.0.0.0', '[::]'];

/** A host as every spelling of it comes out: lower case, an IPv6 address shortened and in brackets, no dot at its end. */
export function canonicalHost(host: string): string {
  const bare = host.trim().replace(/^\[(.*)\]$/, '$1');
  const authority = isIPv6(bare) ? `[${bare}]` : bare;
  // What is more than a host would be read as a host and something else.
  const parsed = /[\\/?#@\s]|:\d*$/.test(bare) && !isIPv6(bare) ? undefined : urlOf(`http://${authority}`)?.hostname;
  const [, high, low] = MAPPED.exec(parsed ?? '') ?? [];
  if (high !== undefined && low !== undefined) return dotted(high, low);
  return (parsed ?? bare.toLowerCase()).replace(/\.$/, '');
}

export function isLoopback(canonical: string): boolean {
  return LOOPBACK.includes(canonical);
}

/** Whether who listens there listens on loopback too. */
export function isLoopbackBind(canonical: string): boolean {
  return isLoopback(canonical) || EVERY_INTERFACE.includes(canonical);
}

/** The port that a URL leads to, written out or not; undefined for a scheme without one. */
export function portOf({ port, protocol }: URL): number | undefined {
  if (port !== '') return Number(port);
  if (protocol === 'http:') return 80;
  return protocol === 'https:' ? 443 : undefined;
}

export function urlOf(text: string | URL): URL | undefined {
  try {
    return new URL(String(text));
  } catch {
    // Nor is what has no text at all.
    return undefined;
  }
}

function dotted(high: string, low: string): string {
  const bits = (Number.parseInt(high, 16) << 16) | Number.parseInt(low, 16);
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 0xff).join('.');
}
