import type { Latchkey } from '../../api.js';
import { type Clock, systemClock } from '../../clock.js';
import type { Credential } from '../../credential/credential.js';
import { credentialFromHeaders, type HeadersLike } from '../../credential/headers.js';
import type { ScopeParts } from '../../errors.js';
import type { Lease } from '../../ledger/lease.js';
import type { Scope } from '../../ledger/scope-key.js';
import type { WriteStatus } from './status-writer.js';
import type { Workload } from './workload.js';

/** A client's request: Node's `IncomingMessage`, what frameworks make of it, or a `Request`. */
export interface ProxiedRequest {
  readonly headers: HeadersLike;
  readonly url?: string | undefined;
  readonly method?: string | undefined;
}

/** The upstream's answer, or its status: Node's `IncomingMessage`, a `Response`. Without its headers a 401 that only wants more scope counts as a rejection. */
export type UpstreamAnswer =
  | number
  | { readonly status: number; readonly headers?: unknown }
  | { readonly statusCode?: number | undefined; readonly headers?: unknown };

/** An upstream's 401. Holds no value of a credential. */
export interface UnauthorizedAnswer {
  readonly scope: ScopeParts;
  /** Of the credential that the request went out with; undefined if it had none that can be read. */
  readonly fingerprint: string | undefined;
  /** Of the request as it came to the gateway, without its query. */
  readonly path: string;
  readonly method: string;
}

/** What failed: a function of the user's, by the option that it was given as, or Latchkey itself (`latchkey`: a clock that throws). */
export type MonitorErrorOrigin = 'scope' | 'credential' | 'onUnauthorized' | 'onWorkload' | 'latchkey';

/** Options of `createUnauthorizedMonitor`. */
export interface UnauthorizedMonitorOptions<Incoming extends ProxiedRequest = ProxiedRequest> {
  /** Whose request it is; undefined for one that is not watched. */
  readonly scope: (request: Incoming) => Scope | undefined;
  /** The credential that a request presents. Default `credentialFromHeaders`. */
  readonly credential?: ((headers: Incoming['headers']) => Credential | undefined) | undefined;
  /** Hears every upstream 401, once it has arrived. Nobody waits for it. */
  readonly onUnauthorized?: ((answer: UnauthorizedAnswer) => unknown) | undefined;
  /**
   * Writes down how a workload stands, whenever that changes. One write of a workload is out at a time; one that fails is made again at the
   * next answer. Honour the signal: it fires after `writeTimeoutMs`, and the write then counts as failed. What `forgive`, unpinning, a hold or
   * another session's presentation changes is written at the next answer.
   */
  readonly onWorkload?: WriteStatus | undefined;
  /** Captures are provisional: committed by a 2xx, discarded otherwise. Default false. */
  readonly provisional?: boolean | undefined;
  /** Milliseconds. Default 5 s. */
  readonly writeTimeoutMs?: number | undefined;
  /** Workloads that are remembered; the one not heard of for longest goes first. Default 10,000. */
  readonly limit?: number | undefined;
  /** Where `since` is read, unless Latchkey knows it: give it Latchkey's. Default `Date`. */
  readonly clock?: Clock | undefined;
  /** Hears what was contained; an error that held the request's credential comes as a copy without it. Default: nobody. */
  readonly onError?: ((error: unknown, origin: MonitorErrorOrigin) => unknown) | undefined;
}

/** One request on its way through the proxy. */
export interface Exchange {
  /** What the request presents, or the lease's credential. */
  readonly credential: Credential | undefined;
  /**
   * The upstream's answer has arrived. Its body is neither read nor cloned. The first answer counts; a gateway's own answer is none.
   * @throws {TypeError} for what has no status.
   */
  answered(response: UpstreamAnswer): void;
  /** No answer came. Teaches nothing of the credential if the error bears a status: that is somebody's own. */
  failed(error: unknown): void;
}

/** What `createUnauthorizedMonitor` gives. */
export interface UnauthorizedMonitor<Incoming extends ProxiedRequest = ProxiedRequest> {
  /**
   * A client's request has arrived: captures what it presents or, given a lease, judges by that one instead.
   * @throws {TypeError} for a request without headers, or a lease that is none.
   */
  open(request: Incoming, options?: { readonly lease?: Lease | undefined }): Exchange;
  /** How a workload stands, derived at this moment. Changes nothing. @throws {TypeError} for a bad scope. */
  workload(scope: Scope): Workload;
  /** A workload's start-up is complete. One that is `unauthenticated` stays so. @throws {TypeError} for a bad scope. */
  started(scope: Scope): void;
  /** Watches and writes no more. Resolves when no write is out, within `writeTimeoutMs`. Never rejects. */
  close(): Promise<void>;
}

/** Every option, with its default where none was given. */
export interface MonitorSettings<Incoming extends ProxiedRequest> {
  readonly scope: (request: Incoming) => Scope | undefined;
  readonly credential: (headers: Incoming['headers']) => Credential | undefined;
  readonly onUnauthorized: ((answer: UnauthorizedAnswer) => unknown) | undefined;
  readonly onWorkload: WriteStatus | undefined;
  readonly provisional: boolean;
  readonly writeTimeoutMs: number;
  readonly limit: number;
  readonly clock: Clock;
  readonly onError: ((error: unknown, origin: MonitorErrorOrigin) => unknown) | undefined;
}

const CALLER = 'createUnauthorizedMonitor';
const FUNCTIONS = ['credential', 'onUnauthorized', 'onWorkload', 'onError'] as const;
const KNOWN: readonly string[] = ['scope', ...FUNCTIONS, 'provisional', 'writeTimeoutMs', 'limit', 'clock'];

/** @throws {TypeError} naming the option that is wrong. */
export function readMonitorOptions<Incoming extends ProxiedRequest>(
  latchkey: Latchkey,
  options: UnauthorizedMonitorOptions<Incoming>,
): MonitorSettings<Incoming> {
  for (const name of ['capture', 'explain', 'status', 'on'] as const)
    if (typeof (latchkey as Partial<Latchkey> | undefined)?.[name] !== 'function')
      throw new TypeError(`${CALLER}: \`latchkey\` must come from createLatchkey()`);
  if (typeof options !== 'object' || options === null) throw new TypeError(`${CALLER}: \`options\` must be an object`);
  for (const name of Object.keys(options)) if (!KNOWN.includes(name)) throw new TypeError(`${CALLER}: unknown option \`${name}\``);
  if (typeof options.scope !== 'function') throw new TypeError(`${CALLER}: \`scope\` must be a function`);
  for (const name of FUNCTIONS)
    if (options[name] !== undefined && typeof options[name] !== 'function')
      throw new TypeError(`${CALLER}: \`${name}\` must be a function`);
  const { provisional = false, writeTimeoutMs = 5_000, limit = 10_000, clock = systemClock } = options;
  if (typeof provisional !== 'boolean') throw new TypeError(`${CALLER}: \`provisional\` must be a boolean`);
  if (typeof writeTimeoutMs !== 'number' || !Number.isFinite(writeTimeoutMs) || writeTimeoutMs < 1)
    throw new TypeError(`${CALLER}: \`writeTimeoutMs\` must be a number of milliseconds, 1 or more`);
  if (!Number.isSafeInteger(limit) || limit < 1) throw new TypeError(`${CALLER}: \`limit\` must be a whole number, 1 or more`);
  if (typeof clock !== 'object' || clock === null || typeof clock.now !== 'function')
    throw new TypeError(`${CALLER}: \`clock\` must have a function \`now\``);
  const { scope, credential = (headers) => credentialFromHeaders(headers), onUnauthorized, onWorkload, onError } = options;
  return { scope, credential, onUnauthorized, onWorkload, provisional, writeTimeoutMs, limit, clock, onError };
}
