import type { Clock } from './clock.js';
import type { ScopeParts } from './errors.js';
import type { FallbackCandidate } from './ledger/reader.js';
import type { Snapshot, VerdictSnapshot } from './ledger/snapshot.js';
import type { Store } from './ledger/store.js';
import { count, duration, requireFunction, requireKnown, requireObject, requireOneOf } from './option-checks.js';
import type { CanaryMode } from './policy/canary.js';
import type { ClassifyRule } from './policy/classification.js';
import type { ProbeRules } from './policy/probe.js';
import type { StrikeRules } from './policy/strikes.js';
import type { Reporter } from './report/reporter.js';
import {
  type ExpiryOptions,
  type ExpirySettings,
  type ProbeOptions,
  type RefreshKeyRule,
  type RefreshSettings,
  readTimeOptions,
  type StrikeOptions,
} from './time-options.js';
import type { RefreshFunction } from './worker/refresh-call.js';

/** Asked last, of a global credential that is usable: may it be lent to this scope? It can only narrow. */
export type FallbackRule = (candidate: FallbackCandidate, scope: ScopeParts) => boolean;

/** Options of `createLatchkey`. All may be left out. */
export interface LatchkeyOptions {
  /** `'multi'`: every scope must name its tenant. Default `'single'`. */
  readonly tenancy?: 'single' | 'multi' | undefined;
  /** After the session's own credential, the global one of its tenant and provider (default), nothing, or what a rule allows. */
  readonly fallback?: 'global' | 'none' | FallbackRule | undefined;
  /** Folds the aliases of a provider into one name. Default: names are taken as they are. */
  readonly canonicalProvider?: ((provider: string) => string) | undefined;
  /** Which credentials one call tries before the others go. Default `'doubtful'`: unproven, or proven longer than `proofMs` ago. */
  readonly canary?: CanaryMode | undefined;
  /** How long the others wait for a canary, in milliseconds. Default 10 s. */
  readonly canaryMs?: number | undefined;
  /** How long a proof counts, in milliseconds. Default 10 s. */
  readonly proofMs?: number | undefined;
  readonly limits?:
    | {
        /** Sessions in memory; the least recently captured or run goes first. Default 10,000. */
        readonly sessions?: number | undefined;
        /** Identities that no slot points at, remembered for their verdict. Default 50,000. */
        readonly identities?: number | undefined;
        /** Runs that wait, parked or behind a canary. Default 1,000. */
        readonly parked?: number | undefined;
      }
    | undefined;
  /** A session that has presented nothing for so many milliseconds is evicted. Default 24 h. */
  readonly idleMs?: number | undefined;
  /** Looks at each outcome before the built-in rules do. */
  readonly classify?: ClassifyRule | undefined;
  readonly report?:
    | {
        /** An incident that is over within so many milliseconds is not reported. Default 0. */
        readonly graceMs?: number | undefined;
        /** Openings reported in any hour, at the most. Default 60. */
        readonly perHour?: number | undefined;
        /** More identities of a provider than this in that time make one report of the provider's. Default 20 in 10 minutes. */
        readonly providerWideAfter?: { readonly identities: number; readonly withinMs: number } | undefined;
      }
    | undefined;
  /** Where incidents are told. Default: nowhere but in the events. */
  readonly reporter?: Reporter | undefined;
  /** What is known in advance of a credential's end. Default: an `expiresAt` counts, to the millisecond; with `refresh`, all of this. */
  readonly expiry?: ExpiryOptions | undefined;
  /** Gets a credential in place of one that has expired, is about to, or was rejected. Default: only clients bring new ones. */
  readonly refresh?: RefreshFunction | undefined;
  /** How long one try to refresh may take, in milliseconds. Default 30 s. */
  readonly refreshMs?: number | undefined;
  /**
   * Refreshes of a tenant and provider that it names alike are made one after another, in the whole fleet, and in one process not again while what the last one
   * brought is good. Default: each credential's is on its own.
   */
  readonly refreshKey?: RefreshKeyRule | undefined;
  /** After a pause one call may put a rejected credential to the test that nobody presents again. `'off'`: none does. */
  readonly probe?: 'off' | ProbeOptions | undefined;
  /** Rejections of a credential that worked a moment ago, or is very new, do not all count. Default: they do. */
  readonly strikes?: StrikeOptions | undefined;
  /** What an earlier process knew: its snapshot, or the `verdicts` of one. */
  readonly tombstones?: Pick<Snapshot, 'verdicts'> | readonly VerdictSnapshot[] | undefined;
  /** State shared with other processes, from `redisStore` of `latchkey/redis`. Default: this process is alone. */
  readonly store?: Store | undefined;
  /** Default: `Date.now`. */
  readonly clock?: Clock | undefined;
}

/** Every option, with its default where none was given. */
export interface Settings {
  readonly multiTenant: boolean;
  readonly fallback: 'global' | 'none' | FallbackRule;
  readonly canonicalProvider: ((provider: string) => string) | undefined;
  readonly canary: { readonly mode: CanaryMode; readonly canaryMs: number; readonly proofMs: number };
  readonly limits: { readonly sessions: number; readonly identities: number; readonly parked: number };
  readonly idleMs: number;
  readonly classify: ClassifyRule | undefined;
  readonly report: {
    readonly graceMs: number;
    readonly perHour: number;
    readonly providerWideAfter: { readonly identities: number; readonly withinMs: number };
  };
  readonly reporter: Reporter | undefined;
  readonly tombstones: readonly unknown[];
  readonly store: Store | undefined;
  readonly clock: Clock | undefined;
  readonly expiry: ExpirySettings | undefined;
  readonly refresh: RefreshSettings | undefined;
  readonly probes: ProbeRules | undefined;
  readonly strikes: StrikeRules | undefined;
}

const KNOWN = [
  'tenancy',
  'fallback',
  'canonicalProvider',
  'canary',
  'canaryMs',
  'proofMs',
  'limits',
  'idleMs',
  'classify',
  'report',
  'reporter',
  'expiry',
  'refresh',
  'refreshMs',
  'refreshKey',
  'probe',
  'strikes',
  'tombstones',
  'store',
  'clock',
];

/** @throws {TypeError} naming the option that is wrong. */
export function readOptions(options: LatchkeyOptions): Settings {
  requireObject('options', options);
  requireKnown('', options, KNOWN);
  const { limits = {}, report = {}, reporter, store, clock } = options;
  requireObject('limits', limits);
  requireKnown('limits.', limits, ['sessions', 'identities', 'parked']);
  requireObject('report', report);
  requireKnown('report.', report, ['graceMs', 'perHour', 'providerWideAfter']);
  const wide = report.providerWideAfter ?? { identities: 20, withinMs: 10 * 60_000 };
  requireObject('report.providerWideAfter', wide);
  requireKnown('report.providerWideAfter.', wide, ['identities', 'withinMs']);
  if (reporter !== undefined) {
    requireObject('reporter', reporter);
    requireFunction('reporter.opened', reporter.opened);
    requireFunction('reporter.ended', reporter.ended);
  }
  if (store !== undefined) {
    if (typeof store !== 'object' || store === null || typeof store.attach !== 'function')
      throw new TypeError('createLatchkey: `store` must come from redisStore()');
  }
  if (clock !== undefined) {
    requireObject('clock', clock);
    requireFunction('clock.now', clock.now);
  }
  if (typeof options.fallback !== 'function') requireOneOf('fallback', options.fallback, ['global', 'none'], ' or a function');
  requireOneOf('tenancy', options.tenancy, ['single', 'multi']);
  requireOneOf('canary', options.canary, ['doubtful', 'borrowed', 'off']);
  if (options.canonicalProvider !== undefined) requireFunction('canonicalProvider', options.canonicalProvider);
  if (options.classify !== undefined) requireFunction('classify', options.classify);
  return {
    multiTenant: options.tenancy === 'multi',
    fallback: options.fallback ?? 'global',
    canonicalProvider: options.canonicalProvider,
    canary: {
      mode: options.canary ?? 'doubtful',
      canaryMs: duration('canaryMs', options.canaryMs, 10_000),
      proofMs: duration('proofMs', options.proofMs, 10_000),
    },
    limits: {
      sessions: count('limits.sessions', limits.sessions, 10_000, 1),
      identities: count('limits.identities', limits.identities, 50_000, 1),
      parked: count('limits.parked', limits.parked, 1_000, 0),
    },
    idleMs: duration('idleMs', options.idleMs, 24 * 3_600_000, 1),
    classify: options.classify,
    report: {
      graceMs: duration('report.graceMs', report.graceMs, 0),
      perHour: count('report.perHour', report.perHour, 60, 0),
      providerWideAfter: {
        identities: count('report.providerWideAfter.identities', wide.identities, 20, 1),
        withinMs: duration('report.providerWideAfter.withinMs', wide.withinMs, 10 * 60_000),
      },
    },
    reporter,
    tombstones: readTombstones(options.tombstones),
    store,
    clock,
    ...readTimeOptions(options),
  };
}

function readTombstones(tombstones: LatchkeyOptions['tombstones']): readonly unknown[] {
  if (tombstones === undefined) return [];
  const list: unknown = Array.isArray(tombstones) ? tombstones : (tombstones as { verdicts?: unknown } | null)?.verdicts;
  if (!Array.isArray(list)) throw new TypeError('createLatchkey: `tombstones` must be a snapshot, or the verdicts of one');
  return list;
}
