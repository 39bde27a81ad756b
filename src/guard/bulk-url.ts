import { isIPv6 } from 'node:net';
import { requireBoolean, requireOptions } from '../signals/checked.js';
import { presentedValues } from './presented.js';
import { ownHostOf } from './raw-path.js';
import type { GuardedRequest } from './request.js';

/** Where the listener for bulk paths is bound. */
export interface BulkListener {
  readonly tls: boolean;
  /** As it was given to `listen`: a name or an address, `''` for every interface. */
  readonly host: string;
  /** The real one: not 0. */
  readonly port: number;
}

/** A bulk listener as callers are told of it. */
export interface BulkAddress {
  /** Undefined if it listens on every interface: no caller can connect to such an address. */
  readonly host: string | undefined;
  readonly loopback: string;
  readonly scheme: 'http' | 'https';
  readonly port: number;
}

/** As a URL writes them. The last is how IPv6 maps the first. */
const WILDCARDS = new Set(['0.0.0.0', '[::]', '[::ffff:0:0]']);
const NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*\.?$/i;
const PORT = /:\d{1,5}$/;

/** @throws {TypeError} naming what is wrong. */
export function readBulkListener(where: string, listener: BulkListener): BulkAddress {
  if (typeof listener !== 'object' || listener === null) throw new TypeError(`${where}: \`bulkListener\` must be an object`);
  requireOptions(`${where}: \`bulkListener\``, listener, ['tls', 'host', 'port']);
  const { tls, host, port } = listener;
  requireBoolean(where, 'bulkListener.tls', tls);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new TypeError(`${where}: \`bulkListener.port\` must be the port that it listens on, 1 to 65535`);
  }
  const written = host === '' ? '0.0.0.0' : urlHost(typeof host === 'string' && isIPv6(host) ? `[${host}]` : host);
  if (written === undefined) throw new TypeError(`${where}: \`bulkListener.host\` must be a host name or an address, without a port`);
  return {
    host: WILDCARDS.has(written) ? undefined : written,
    loopback: written === '[::]' ? '[::1]' : '127.0.0.1',
    scheme: tls ? 'https' : 'http',
    port,
  };
}

/** The origin to send a caller to: where the listener is bound or, on every interface, under the name by which the caller came. */
export function bulkUrlFor({ host, loopback, scheme, port }: BulkAddress, request: GuardedRequest): string {
  return new URL(`${scheme}://${host ?? callersHost(request) ?? loopback}:${port}`).origin;
}

/** Of the Host header (HTTP/2: `:authority`), if it is a name or an address and nothing else. What proxies add is not looked at. */
function callersHost(request: GuardedRequest): string | undefined {
  const hosts = presentedValues(request, 'host');
  const said = hosts.length > 0 ? hosts : presentedValues(request, ':authority');
  const [value = ownHostOf(request), ...more] = said;
  const host = more.length === 0 ? urlHost(value?.replace(PORT, '')) : undefined;
  return host !== undefined && WILDCARDS.has(host) ? undefined : host;
}

/** A host as a URL writes it: lower case, addresses in their usual form, IPv6 in brackets, which are needed here too. */
function urlHost(host: unknown): string | undefined {
  if (typeof host !== 'string' || !(NAME.test(host) || (host.startsWith('[') && isIPv6(host.slice(1, -1))))) return undefined;
  return URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : undefined;
}
