import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { freezeTime } from '../support/clock.js';
import { canonical, type Matters } from './canonical.js';
import { Model, type ModelScope } from './model.js';
import { LONG_MS } from './runs.js';
import { call, capture, conclude, evict, forgive, lease, newWorld, present, type Step, scopeName, settle, type World } from './steps.js';

// The ledger with the policy, breadth-first over its reachable states: two credentials, two sessions, two providers. In every state, and after
// every step from it: L1 (nothing unusable is handed out), L5 (a dead credential displaces none that is not), L8 (never across providers), L9
// (asking changes nothing, and says one thing), and the choice of DESIGN's section 6, as an independent model tells it.

/** What every scope is answered. */
function check({ latchkey, model }: World, scopes: readonly ModelScope[]): void {
  for (const scope of scopes) {
    const expected = model.choose(scope);
    const resolution = latchkey.resolve(scope);
    const got = resolution.ok ? `${resolution.lease.source} ${resolution.lease.credential.fingerprint}` : resolution.reason;
    const blocked = model.hasCandidate(scope) ? 'rejected' : 'missing';
    const wanted = expected === undefined ? blocked : `${expected.source} ${expected.known.fingerprint}`;
    if (got !== wanted) throw new Error(`${scopeName(scope)} gets ${got}, not ${wanted}`);
    if (latchkey.canRun(scope) !== resolution.ok) throw new Error(`${scopeName(scope)}: canRun is not what resolve says`);
    if (latchkey.explain(scope).ok !== resolution.ok) throw new Error(`${scopeName(scope)}: explain is not what resolve says`);
    if (expected !== undefined && !model.usable(expected.known, scope)) throw new Error(`${scopeName(scope)} is handed what is unusable`);
    if (expected !== undefined && expected.known.provider !== scope.provider) throw new Error(`${scopeName(scope)} crosses providers`);
  }
}

function checkAsking(world: World, scopes: readonly ModelScope[]): void {
  const all = (): string => JSON.stringify([world.latchkey.snapshot(), world.latchkey.stats()]);
  const before = all();
  check(world, scopes);
  if (all() !== before) throw new Error('asking has changed something');
}

interface Universe {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly scopes: readonly ModelScope[];
  readonly matters: Matters;
  /** As deep as this, where the states are too many to see them all. */
  readonly depth?: number;
}

/** From the start, since a latchkey cannot be cloned. */
function replay(path: readonly number[], steps: readonly Step[]): World {
  // Each world waits for idle sessions on a timer, which would keep all of them in memory.
  vi.clearAllTimers();
  const world = newWorld();
  for (const taken of path) steps[taken]?.take(world);
  return world;
}

function explore({ steps, scopes, matters, depth = Number.POSITIVE_INFINITY }: Universe): {
  states: number;
  transitions: number;
  deepest: number;
} {
  const seen = new Set([canonical(new Model({ now: () => 0 }), new Map(), new Map(), matters)]);
  let frontier: number[][] = [[]];
  let transitions = 0;
  let deepest = 0;
  while (frontier.length > 0 && deepest < depth) {
    const next: number[][] = [];
    for (const path of frontier) {
      const here = replay(path, steps);
      for (const [index, step] of steps.entries()) {
        if (step.can?.(here) === false) continue;
        const world = replay(path, steps);
        try {
          step.take(world);
          transitions++;
          check(world, scopes);
          const key = canonical(world.model, world.leases, world.waiting, matters);
          if (seen.has(key)) continue;
          checkAsking(world, scopes);
          seen.add(key);
          next.push([...path, index]);
        } catch (error) {
          const story = [...path, index].map((taken) => steps[taken]?.name).join('; ');
          throw new Error(`after ${story}: ${error instanceof Error ? error.message : error}`);
        }
      }
    }
    if (next.length > 0) deepest++;
    frontier = next;
  }
  return { states: seen.size, transitions, deepest };
}

const s = { session: 's', provider: 'p' };
const t = { session: 't', provider: 'p' };
const sq = { session: 's', provider: 'q' };
const tq = { session: 't', provider: 'q' };
const ONE_PROVIDER = [s, t, { session: 'cold', provider: 'p' }, { provider: 'p' }];
const BOTH_PROVIDERS = [...ONE_PROVIDER, sq, tq, { session: 'cold', provider: 'q' }, { provider: 'q' }];
const both = (scope: ModelScope): Step[] => [capture(scope, 'a'), capture(scope, 'b')];
const rest = [evict('s'), evict('t'), forgive('a'), forgive('b')];

const UNIVERSES: readonly Universe[] = [
  {
    name: 'two credentials, two sessions, a call out for each, answers in any order',
    steps: [
      ...both(s),
      ...both(t),
      lease(s),
      lease(t),
      ...([200, 401] as const).flatMap((status) => [settle(s, status), settle(t, status)]),
      ...rest,
    ],
    scopes: ONE_PROVIDER,
    matters: { scoped: false, provisional: false },
  },
  {
    name: 'one credential, two sessions, rejections for one scope too, answers in any order',
    steps: [
      capture(s, 'a'),
      capture(t, 'a'),
      lease(s),
      lease(t),
      ...([200, 401, 403] as const).flatMap((status) => [settle(s, status), settle(t, status)]),
      evict('s'),
      evict('t'),
      forgive('a'),
    ],
    scopes: ONE_PROVIDER,
    matters: { scoped: true, provisional: false },
  },
  {
    name: 'two credentials, two sessions, presentations committed late or not at all',
    steps: [
      capture(s, 'a'),
      capture(t, 'a'),
      present(s, 'b'),
      conclude(s, 'commit'),
      conclude(s, 'discard'),
      call(s, 401),
      evict('s'),
      evict('t'),
      forgive('a'),
    ],
    scopes: ONE_PROVIDER,
    matters: { scoped: false, provisional: true },
  },
  {
    name: 'two credentials, two sessions, two providers, calls answered at once',
    steps: [
      ...[s, sq].flatMap((scope) => both(scope)),
      ...[t, tq].map((scope) => capture(scope, 'a')),
      call(s, 401),
      call(sq, 401),
      evict('s'),
      forgive('a'),
    ],
    scopes: BOTH_PROVIDERS,
    matters: { scoped: false, provisional: false },
  },
  {
    name: 'everything at once, as far as it can be seen',
    steps: [
      ...[s, t, sq, tq].flatMap((scope) => [
        ...both(scope),
        lease(scope),
        ...([200, 401, 403] as const).map((status) => settle(scope, status)),
        present(scope, 'b'),
        conclude(scope, 'commit'),
      ]),
      ...rest,
    ],
    scopes: BOTH_PROVIDERS,
    matters: { scoped: true, provisional: true },
    depth: 4,
  },
];

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

describe('every reachable state keeps the laws', () => {
  for (const universe of UNIVERSES) {
    it(universe.name, { timeout: LONG_MS }, () => {
      const { states, transitions, deepest } = explore(universe);
      process.stdout.write(`${universe.name}: ${states} states, ${transitions} transitions, ${deepest} steps deep\n`);
      expect(states).toBeGreaterThan(100);
    });
  }
});
