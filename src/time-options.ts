import { isHeaderName } from './credential/credential.js';
import type { ScopeParts } from './errors.js';
import type { HintSettings } from './ledger/hints.js';
import { count, duration, requireFunction, requireKnown, requireObject } from './option-checks.js';
import type { ProbeRules } from './policy/probe.js';
import type { StrikeRules } from './policy/strikes.js';
import type { RefreshFunction } from './worker/refresh-call.js';

const MINUTE_MS = 60_000;

/** What is known in advance of a credential’s end, and how long before it something is done. */
export interface ExpiryOptions {
  /** The `exp` of bearer tokens that are JWTs is read when they are captured; it is never verified, and only a hint. Default true. */
  readonly jwt?: boolean | undefined;
  /**
   * A header in which answers say when the credential expires that they were got with: seconds from now, seconds or milliseconds since the epoch, an HTTP or an
   * ISO 8601 date. Default: none.
   */
  readonly header?: string | undefined;
  /** So many milliseconds before the expiry a refresh begins, beside the work. At most half of what is left when the credential comes. Default 5 minutes. */
  readonly advisoryMs?: number | undefined;
  /** So many milliseconds before it the credential is not used any more. At most a tenth of what is left when it comes. Default 5 s. */
  readonly mandatoryMs?: number | undefined;
  /** Each credential's refresh begins so many milliseconds later at the most, always as much for one. Default half of `advisoryMs`. */
  readonly jitterMs?: number | undefined;
  /** An expired credential makes an incident if nothing fresh has come for so many milliseconds. Default 5 minutes. */
  readonly graceMs?: number | undefined;
}

/** When a rejected credential that nobody presents again is tried. */
export interface ProbeOptions {
  /** The first pause after a rejection, in milliseconds; doubled by each probe that fails. Default 15 minutes. */
  readonly afterMs?: number | undefined;
  /** The longest pause. Default 6 hours. */
  readonly maxMs?: number | undefined;
  /** Also bearer tokens of sessions, which clients present again. Default false: API keys, pins, and what work of no session uses. */
  readonly sessionTokens?: boolean | undefined;
}

/** How many rejections of what worked a moment ago, or is very new, make a verdict. */
export interface StrikeOptions {
  /** So many rejections ... Default 2. */
  readonly rejections?: number | undefined;
  /** ... among so many outcomes ... Default 3. */
  readonly of?: number | undefined;
  /** ... within so many milliseconds kill a credential ... Default 10 s. */
  readonly withinMs?: number | undefined;
  /** ... that was proven within so many milliseconds before; another dies at once. Default 30 s. */
  readonly provenMs?: number | undefined;
  /** The first rejection of one that was first presented within so many milliseconds before does not count. Default 5 s. */
  readonly youngMs?: number | undefined;
}

export interface ExpirySettings extends HintSettings {
  readonly header: string | undefined;
  readonly graceMs: number;
}

/**
 * Names what `refresh` would spend, by the scope that it is called with: the login whose refresh token it is. Undefined: nothing that others spend, too. What a
 * refresh brings may go to all that have the same name: it must not be wider than a login.
 */
export type RefreshKeyRule = (scope: ScopeParts) => string | undefined;

export interface RefreshSettings {
  readonly refresh: RefreshFunction;
  readonly tryMs: number;
  readonly key: RefreshKeyRule | undefined;
}

interface TimeOptions {
  readonly expiry?: ExpiryOptions | undefined;
  readonly refresh?: RefreshFunction | undefined;
  readonly refreshMs?: number | undefined;
  readonly refreshKey?: RefreshKeyRule | undefined;
  readonly probe?: 'off' | ProbeOptions | undefined;
  readonly strikes?: StrikeOptions | undefined;
}

interface TimeSettings {
  readonly expiry: ExpirySettings | undefined;
  readonly refresh: RefreshSettings | undefined;
  readonly probes: ProbeRules | undefined;
  readonly strikes: StrikeRules | undefined;
}

/** @throws {TypeError} naming the option that is wrong. */
export function readTimeOptions({ expiry, refresh, refreshMs, refreshKey, probe, strikes }: TimeOptions): TimeSettings {
  const tryMs = duration('refreshMs', refreshMs, 30_000, 1);
  if (refresh !== undefined) requireFunction('refresh', refresh);
  if (refreshKey !== undefined) requireFunction('refreshKey', refreshKey);
  if (refreshKey !== undefined && refresh === undefined) throw new TypeError('createLatchkey: `refreshKey` needs `refresh`');
  return {
    // Whoever refreshes wants to do so in time.
    expiry: expiry === undefined && refresh === undefined ? undefined : readExpiry(expiry),
    refresh: refresh && { refresh, tryMs, key: refreshKey },
    probes: probe === 'off' ? undefined : readProbe(probe),
    strikes: strikes === undefined ? undefined : readStrikes(strikes),
  };
}

function readExpiry(expiry: ExpiryOptions = {}): ExpirySettings {
  requireObject('expiry', expiry);
  requireKnown('expiry.', expiry, ['jwt', 'header', 'advisoryMs', 'mandatoryMs', 'jitterMs', 'graceMs']);
  const { jwt = true, header } = expiry;
  requireBoolean('expiry.jwt', jwt);
  if (header !== undefined && !isHeaderName(header)) throw new TypeError('createLatchkey: `expiry.header` must be a header name');
  const advisoryMs = duration('expiry.advisoryMs', expiry.advisoryMs, 5 * MINUTE_MS);
  return {
    jwt,
    header: header?.toLowerCase(),
    advisoryMs,
    mandatoryMs: duration('expiry.mandatoryMs', expiry.mandatoryMs, 5_000),
    jitterMs: duration('expiry.jitterMs', expiry.jitterMs, advisoryMs / 2),
    graceMs: duration('expiry.graceMs', expiry.graceMs, 5 * MINUTE_MS),
  };
}

function readProbe(probe: ProbeOptions = {}): ProbeRules {
  if (typeof probe !== 'object' || probe === null) throw new TypeError("createLatchkey: `probe` must be 'off' or an object");
  requireKnown('probe.', probe, ['afterMs', 'maxMs', 'sessionTokens']);
  const { sessionTokens = false } = probe;
  requireBoolean('probe.sessionTokens', sessionTokens);
  const afterMs = duration('probe.afterMs', probe.afterMs, 15 * MINUTE_MS, 1);
  const maxMs = duration('probe.maxMs', probe.maxMs, Math.max(afterMs, 6 * 60 * MINUTE_MS), 1);
  if (maxMs < afterMs) throw new TypeError('createLatchkey: `probe.maxMs` is below `probe.afterMs`');
  return { afterMs, maxMs, sessionTokens };
}

/** As many outcomes as are remembered. */
const MOST_TRIALS = 100;

function readStrikes(strikes: StrikeOptions): StrikeRules {
  requireObject('strikes', strikes);
  requireKnown('strikes.', strikes, ['rejections', 'of', 'withinMs', 'provenMs', 'youngMs']);
  const rejections = count('strikes.rejections', strikes.rejections, 2, 1);
  const of = count('strikes.of', strikes.of, Math.max(rejections, 3), 1);
  if (of < rejections) throw new TypeError('createLatchkey: `strikes.of` is below `strikes.rejections`');
  if (of > MOST_TRIALS) throw new TypeError(`createLatchkey: \`strikes.of\` is above ${MOST_TRIALS}`);
  return {
    rejections,
    of,
    withinMs: duration('strikes.withinMs', strikes.withinMs, 10_000),
    provenMs: duration('strikes.provenMs', strikes.provenMs, 30_000),
    youngMs: duration('strikes.youngMs', strikes.youngMs, 5_000),
  };
}

function requireBoolean(name: string, value: unknown): void {
  if (typeof value !== 'boolean') throw new TypeError(`createLatchkey: \`${name}\` must be a boolean`);
}
