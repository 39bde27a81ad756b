import type { TransientOptions } from './transient.js';

/** Options of `run`. */
export interface RunOptions {
  /** What to do when the scope has no usable credential: fail (default), resolve with undefined, or wait for fresh auth. */
  readonly whenBlocked?: 'throw' | 'skip' | 'park' | undefined;
  /** How long `park` waits, in milliseconds. Default 5 minutes. */
  readonly parkMs?: number | undefined;
  /** Breaks the run off, wherever it is; it rejects with the signal's reason and changes no verdict. */
  readonly signal?: AbortSignal | undefined;
  /** Covers everything: attempts, pauses, canary and parking. In milliseconds; default none, and 0 is no time at all. */
  readonly timeoutMs?: number | undefined;
  /** Does not wait for a canary. Default false. */
  readonly urgent?: boolean | undefined;
  /**
   * How long the credential has to last, in milliseconds, as far as its expiry is known: a job of ten minutes is not begun with a token that has two left.
   * Default 0.
   */
  readonly minTtlMs?: number | undefined;
  /** The session's own credential or nothing. */
  readonly fallback?: 'none' | undefined;
  /** What becomes of a response that rejects the credential for good: an error (default), or the response itself, unread. */
  readonly rejected?: 'throw' | 'return' | undefined;
  /**
   * The attempt can be made once only, since it uses something up (a stream as its body): once it has been sent there is no retry with another
   * credential, no repeat, no parking and no skipping; what came of it is recorded all the same. Default false.
   */
  readonly once?: boolean | undefined;
  /** Repeats what failed for reasons that pass. Default: it does not. */
  readonly transient?: TransientOptions | undefined;
}

export const DEFAULT_PARK_MS = 5 * 60_000;

const NAMES = new Set(['whenBlocked', 'parkMs', 'signal', 'timeoutMs', 'urgent', 'minTtlMs', 'fallback', 'rejected', 'once', 'transient']);
const TRANSIENT_NAMES = new Set(['retries', 'minMs', 'maxMs', 'maxRetryAfterMs']);

/** @throws {TypeError} naming what is wrong, and `caller` as who was given it. */
export function checkRunOptions(options: RunOptions, caller = 'run'): void {
  if (typeof options !== 'object' || options === null) throw new TypeError(`${caller}: \`options\` must be an object`);
  for (const name in options) if (!NAMES.has(name)) throw new TypeError(`${caller}: unknown option \`${name}\``);
  const { whenBlocked, parkMs, signal, timeoutMs, urgent, minTtlMs, fallback, rejected, once, transient } = options;
  requireOneOf(caller, 'whenBlocked', whenBlocked, ['throw', 'skip', 'park']);
  requireOneOf(caller, 'fallback', fallback, ['none']);
  requireOneOf(caller, 'rejected', rejected, ['throw', 'return']);
  requireMs(caller, 'parkMs', parkMs);
  requireMs(caller, 'timeoutMs', timeoutMs);
  requireMs(caller, 'minTtlMs', minTtlMs);
  requireBoolean(caller, 'urgent', urgent);
  requireBoolean(caller, 'once', once);
  if (signal !== undefined && typeof signal.addEventListener !== 'function')
    throw new TypeError(`${caller}: \`signal\` must be an AbortSignal`);
  if (transient !== undefined) checkTransient(caller, transient);
}

function checkTransient(caller: string, transient: TransientOptions): void {
  if (typeof transient !== 'object' || transient === null) throw new TypeError(`${caller}: \`transient\` must be an object`);
  for (const name in transient) if (!TRANSIENT_NAMES.has(name)) throw new TypeError(`${caller}: unknown option \`transient.${name}\``);
  if (!Number.isInteger(transient.retries) || transient.retries < 0)
    throw new TypeError(`${caller}: \`transient.retries\` must be a whole number, 0 or more`);
  const { minMs, maxMs } = transient;
  requireMs(caller, 'transient.minMs', minMs);
  requireMs(caller, 'transient.maxMs', maxMs);
  requireMs(caller, 'transient.maxRetryAfterMs', transient.maxRetryAfterMs);
  if (minMs !== undefined && maxMs !== undefined && minMs > maxMs)
    throw new TypeError(`${caller}: \`transient.minMs\` is above \`transient.maxMs\``);
}

function requireOneOf(caller: string, name: string, value: unknown, allowed: readonly string[]): void {
  if (value !== undefined && !allowed.includes(value as string))
    throw new TypeError(`${caller}: \`${name}\` must be ${allowed.map((one) => `'${one}'`).join(' or ')}`);
}

function requireBoolean(caller: string, name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') throw new TypeError(`${caller}: \`${name}\` must be a boolean`);
}

function requireMs(caller: string, name: string, value: unknown): void {
  if (value !== undefined && (typeof value !== 'number' || !Number.isFinite(value) || value < 0)) {
    throw new TypeError(`${caller}: \`${name}\` must be a finite number of milliseconds, 0 or more`);
  }
}
