import type { Credential } from '../credential/credential.js';
import { canonicalHost, isLoopback, isLoopbackBind, portOf, urlOf } from './host.js';

/** A server that was started on this machine, and what it asks its callers for. */
export interface JobRecord {
  /** Only `running` counts. */
  readonly state: string;
  readonly scheme: 'http' | 'https';
  readonly port: number;
  /** What it listens on. */
  readonly bindHost: string;
  /** The name or address under which others reach it. */
  readonly routableHost?: string | undefined;
  /** Undefined if it asks for none, or if it is not known. */
  readonly credential?: Credential | undefined;
}

/**
 * Whether a URL leads to a record's server: it runs, scheme and port are the same (a default port counts), and the URL's host is loopback while the
 * server listens on loopback or everywhere, or is its routable host, or what it listens on.
 * @throws {TypeError} for a record or a URL that is none.
 */
export function matchesRecord(record: JobRecord, url: string | URL): boolean {
  if (typeof record !== 'object' || record === null) throw new TypeError('matchesRecord: `record` must be an object');
  const target = urlOf(url);
  if (target === undefined) throw new TypeError('matchesRecord: `url` must be a URL');
  const { state, scheme, port, bindHost, routableHost } = record;
  if (state !== 'running' || target.protocol !== `${scheme}:` || portOf(target) !== port) return false;
  const host = canonicalHost(target.hostname);
  if (isNamed(routableHost) && canonicalHost(routableHost) === host) return true;
  if (!isNamed(bindHost)) return false;
  const bound = canonicalHost(bindHost);
  return bound === host || (isLoopback(host) && isLoopbackBind(bound));
}

function isNamed(host: unknown): host is string {
  return typeof host === 'string' && host !== '';
}
