import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { requireOptions } from './checked.js';
import { readPrefix } from './prefix.js';
import { type GatewayRequest, headerOf } from './request.js';

const ENTRY = /^([^/%]*)(?:\/(\d{1,3}))?$/;

/** The peers whose `X-Forwarded-*` headers are believed. */
export interface TrustedProxies {
  /** Whether a peer's address, IPv4-mapped IPv6 included, is one of them. False for anything that is no address. */
  trusts(address: string | undefined): boolean;
}

/** Who a request has come from. */
export interface PeerOptions {
  /** The peer's address, where the request has no socket to tell it. Default: `request.socket.remoteAddress`. */
  readonly peer?: string | undefined;
}

/**
 * Proxies by their addresses and CIDR ranges, IPv4 and IPv6. An empty list trusts nobody.
 * @throws {TypeError} naming the entry that is neither.
 */
export function trustedProxies(list: readonly string[]): TrustedProxies {
  if (!Array.isArray(list)) throw new TypeError('trustedProxies: `list` must be a list of addresses and CIDR ranges');
  const trusted = new BlockList();
  list.forEach((entry: unknown, index) => {
    const [, address = '', bits] = (typeof entry === 'string' && ENTRY.exec(entry)) || [];
    const family = familyOf(address);
    if (family === undefined || Number(bits ?? 0) > (family === 'ipv4' ? 32 : 128)) {
      throw new TypeError(`trustedProxies: \`list[${index}]\` must be an address or a CIDR range`);
    }
    if (bits === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, Number(bits), family);
  });
  return {
    trusts(peer) {
      // A link-local address names its interface. A BlockList sees an IPv4 address in its IPv6-mapped form, and the other way round.
      const address = typeof peer === 'string' ? peer.replace(/%.*$/s, '') : '';
      const family = familyOf(address);
      return family !== undefined && trusted.check(address, family);
    },
  };
}

/**
 * `X-Forwarded-Prefix`, without a slash at its end: `''` unless a trusted proxy sent one, and for one that holds `//`, `..`, quotes, angle brackets,
 * white space or control characters, is longer than 256, or otherwise is no path.
 */
export function forwardedPrefix(request: GatewayRequest, proxies: TrustedProxies | undefined, options: PeerOptions = {}): string {
  if (!isTrusted('forwardedPrefix', request, proxies, options)) return '';
  return readPrefix(headerOf(request.headers, 'x-forwarded-prefix') ?? '') ?? '';
}

/** How the browser came: what a trusted proxy says in `X-Forwarded-Proto` (the last value: the one it wrote itself), else the connection's own. */
export function forwardedProto(request: GatewayRequest, proxies: TrustedProxies | undefined, options: PeerOptions = {}): 'http' | 'https' {
  if (isTrusted('forwardedProto', request, proxies, options)) {
    const said = headerOf(request.headers, 'x-forwarded-proto')?.split(',').at(-1)?.trim().toLowerCase();
    if (said === 'http' || said === 'https') return said;
  }
  // Where there is a socket, an absolute URL is what the client wrote into its request line.
  const { socket, url } = request;
  return (socket ? socket.encrypted === true : url?.toLowerCase().startsWith('https:') === true) ? 'https' : 'http';
}

function isTrusted(where: string, request: GatewayRequest, proxies: TrustedProxies | undefined, options: PeerOptions): boolean {
  requireOptions(where, options, ['peer']);
  try {
    return proxies?.trusts(options.peer ?? request.socket?.remoteAddress) === true;
  } catch {
    // A rule of the user's own that fails trusts nobody.
    return false;
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  if (isIPv4(address)) return 'ipv4';
  return isIPv6(address) ? 'ipv6' : undefined;
}
