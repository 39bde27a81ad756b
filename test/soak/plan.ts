import type { FallbackRule, LatchkeyOptions } from '../../src/index.js';
import type { Random } from './random.js';

/** What a group of processes is like. */
export interface Plan {
  readonly name: string;
  readonly processes: number;
  readonly tenants: readonly (string | undefined)[];
  readonly sessions: number;
  /** For how long tokens live. */
  readonly lives: { readonly fromMs: number; readonly toMs: number };
  readonly limits: { readonly sessions: number; readonly identities: number; readonly parked: number };
  /** How long a verdict is certain to be remembered. */
  readonly certainForMs: number;
  readonly options: LatchkeyOptions;
  readonly hasRefresh: boolean;
  /** Some runs are not to borrow. */
  readonly hasOwnOnly: boolean;
  /** A scope is said to be blocked once, until it resumes: not where runs of one scope may and may not borrow, or more are blocked than is room for. */
  readonly saysOnce: boolean;
}

export const PROVIDERS = ['p1', 'p2', 'P2'] as const;
export const PURPOSES = [undefined, undefined, 'distill', 'curate'] as const;

const LOUD = { perHour: 1_000_000, providerWideAfter: { identities: 1_000_000, withinMs: 1_000 } };

const lendsToSome: FallbackRule = (_, { session }) => session?.endsWith('1') !== true;

/**
 * Options in milliseconds, so that expiries, holds, probes, graces and canaries come by the thousand in a run of minutes. What is fixed in the library (the pauses
 * between two tries of a refresh, ten seconds and more) is met by those who live for the whole run.
 */
export function planOf(random: Random, name: string, kind: 'roomy' | 'tight' | 'fleet'): Plan {
  const isMulti = random.chance(0.5);
  const hasRefresh = random.chance(0.5);
  const hasOwnOnly = random.chance(0.3);
  const limits = kind === 'tight' ? { sessions: 12, identities: 400, parked: 20 } : { sessions: 1_000, identities: 100_000, parked: 200 };
  return {
    name,
    processes: kind === 'fleet' ? 3 : 1,
    tenants: isMulti ? ['t1', 't2', 't3'] : [undefined],
    sessions: kind === 'tight' ? 40 : 8,
    lives: { fromMs: 100, toMs: random.of([1_500, 4_000, 12_000]) },
    limits,
    certainForMs: kind === 'tight' ? 400 : Number.POSITIVE_INFINITY,
    hasRefresh,
    hasOwnOnly,
    saysOnce: kind !== 'tight' && !hasOwnOnly,
    options: {
      tenancy: isMulti ? 'multi' : 'single',
      fallback: random.of(['global', 'global', 'none', lendsToSome] as const),
      canonicalProvider: (provider) => provider.toLowerCase(),
      canary: random.of(['doubtful', 'doubtful', 'borrowed', 'off'] as const),
      canaryMs: 200,
      proofMs: random.of([50, 400, 5_000]),
      limits,
      // Those of a fleet end in the same state only if none of them forgets by itself.
      idleMs: kind === 'fleet' ? 3_600_000 : random.of([400, 3_000, 3_600_000]),
      report: random.chance(0.3) ? { ...LOUD, graceMs: 150 } : random.chance(0.2) ? { perHour: 5 } : LOUD,
      expiry: random.chance(0.7) ? { advisoryMs: 600, mandatoryMs: 30, jitterMs: 100, graceMs: random.of([0, 300]) } : undefined,
      refreshMs: 400,
      probe: random.chance(0.5) ? { afterMs: 150, maxMs: 2_000, sessionTokens: random.chance(0.5) } : 'off',
      strikes: random.chance(0.15) ? {} : undefined,
    },
  };
}
