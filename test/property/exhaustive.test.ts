import { describe, expect, it } from 'vitest';
import { bearer, type Capture, createLatchkey, type Lease } from '../../src/index.js';
import { manualClock } from '../support/clock.js';
import { canonical, type Matters } from './canonical.js';
import { type Learnt, Model, type ModelScope, type Presentation, type Sent } from './model.js';
import { LONG_MS } from './runs.js';

// The ledger with the policy, breadth-first over its reachable states: two credentials, two sessions, two providers. In every state, and after
// every step from it: L1 (nothing unusable is handed out), L5 (a dead credential displaces none that is not), L8 (never across providers), L9
// (asking changes nothing, and says one thing), and the choice of DESIGN's section 6, as an independent model tells it.

const CREDENTIALS = { a: bearer('token-a'), b: bearer('token-b') } as const;
const STATUS = { 200: 'accepted', 401: 'rejected', 403: 'rejected for scope' } as const satisfies Record<number, Learnt>;
type Status = keyof typeof STATUS;

interface World {
  readonly latchkey: ReturnType<typeof createLatchkey>;
  readonly model: Model;
  readonly leases: Map<string, Sent>;
  readonly realLeases: Map<string, Lease>;
  readonly waiting: Map<string, Presentation>;
  readonly realWaiting: Map<string, Capture>;
}

/** One step: undefined if it cannot be taken in this state. */
type Step = { readonly name: string; readonly take: (world: World) => boolean };

function newWorld(): World {
  const clock = manualClock();
  const latchkey = createLatchkey({ clock, canary: 'off', limits: { sessions: 4, identities: 8, parked: 1 } });
  const model = new Model({ now: clock.now });
  return { latchkey, model, leases: new Map(), realLeases: new Map(), waiting: new Map(), realWaiting: new Map() };
}

const scopeName = ({ session, provider }: ModelScope): string => `${session ?? '-'}@${provider}`;

function capture(scope: ModelScope, which: keyof typeof CREDENTIALS): Step {
  return {
    name: `capture ${which} for ${scopeName(scope)}`,
    take: ({ latchkey, model }) => {
      const real = latchkey.capture(scope, CREDENTIALS[which]);
      const modelled = model.arrive(scope, CREDENTIALS[which]);
      const changed = model.install(modelled);
      if (real.changed !== changed) throw new Error(`changed is ${real.changed}`);
      if (real.usable !== (modelled.known !== undefined && model.usable(modelled.known, scope)))
        throw new Error(`usable is ${real.usable}`);
      return true;
    },
  };
}

/** A call that is sent now and answered by a later step: one for each scope. */
function lease(scope: ModelScope): Step {
  const key = scopeName(scope);
  return {
    name: `lease for ${key}`,
    take: ({ latchkey, model, leases, realLeases }) => {
      if (leases.has(key)) return false;
      const resolution = latchkey.resolve(scope);
      const sent = model.send(scope);
      if (resolution.ok !== (sent !== undefined)) throw new Error(`resolve is ${resolution.ok}`);
      if (!resolution.ok || sent === undefined) return false;
      leases.set(key, sent);
      realLeases.set(key, resolution.lease);
      return true;
    },
  };
}

function settle(scope: ModelScope, status: Status): Step {
  const key = scopeName(scope);
  return {
    name: `${status} for ${key}`,
    take: ({ model, leases, realLeases }) => {
      const sent = leases.get(key);
      if (sent === undefined) return false;
      realLeases.get(key)?.settle(status);
      model.hear(sent, STATUS[status]);
      leases.delete(key);
      realLeases.delete(key);
      return true;
    },
  };
}

/** A call that is answered before anything else happens. */
function call(scope: ModelScope, status: Status): Step {
  return {
    name: `a call for ${scopeName(scope)} gets ${status}`,
    take: (world) => lease(scope).take(world) && settle(scope, status).take(world),
  };
}

function present(scope: ModelScope, which: keyof typeof CREDENTIALS): Step {
  const key = scopeName(scope);
  return {
    name: `provisional ${which} for ${key}`,
    take: ({ latchkey, model, waiting, realWaiting }) => {
      if (waiting.has(key)) return false;
      realWaiting.set(key, latchkey.capture(scope, CREDENTIALS[which], { provisional: true }));
      waiting.set(key, model.arrive(scope, CREDENTIALS[which]));
      return true;
    },
  };
}

function conclude(scope: ModelScope, how: 'commit' | 'discard'): Step {
  const key = scopeName(scope);
  return {
    name: `${how} for ${key}`,
    take: ({ model, waiting, realWaiting }) => {
      const presentation = waiting.get(key);
      if (presentation === undefined) return false;
      realWaiting.get(key)?.[how]();
      if (how === 'commit') model.install(presentation);
      else model.discard(presentation);
      waiting.delete(key);
      realWaiting.delete(key);
      return true;
    },
  };
}

function evict(session: string): Step {
  return {
    name: `evict ${session}`,
    take: ({ latchkey, model }) => {
      latchkey.evict(session);
      model.evict(undefined, session);
      return true;
    },
  };
}

function forgive(which: keyof typeof CREDENTIALS): Step {
  return {
    name: `forgive ${which}`,
    take: ({ latchkey, model }) => {
      const { fingerprint } = CREDENTIALS[which];
      latchkey.forgive(fingerprint);
      for (const provider of ['p', 'q']) {
        const known = model.find(provider, fingerprint);
        if (known !== undefined) model.forgive(known);
      }
      return true;
    },
  };
}

function check({ latchkey, model }: World, scopes: readonly ModelScope[]): void {
  const before = JSON.stringify([latchkey.snapshot(), latchkey.stats()]);
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
  if (JSON.stringify([latchkey.snapshot(), latchkey.stats()]) !== before) throw new Error('asking has changed something');
}

interface Universe {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly scopes: readonly ModelScope[];
  readonly matters: Matters;
  /** As deep as this, where the states are too many to see them all. */
  readonly depth?: number;
}

/** Every path is replayed from the start, since a latchkey cannot be cloned. */
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
      for (const [index, step] of steps.entries()) {
        const world = newWorld();
        for (const taken of path) steps[taken]?.take(world);
        try {
          if (!step.take(world)) continue;
          transitions++;
          check(world, scopes);
        } catch (error) {
          const story = [...path, index].map((taken) => steps[taken]?.name).join('; ');
          throw new Error(`after ${story}: ${error instanceof Error ? error.message : error}`);
        }
        const key = canonical(world.model, world.leases, world.waiting, matters);
        if (seen.has(key)) continue;
        seen.add(key);
        next.push([...path, index]);
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
    depth: 3,
  },
];

describe('every reachable state keeps the laws', () => {
  for (const universe of UNIVERSES) {
    it(universe.name, { timeout: LONG_MS }, () => {
      const { states, transitions, deepest } = explore(universe);
      process.stdout.write(`${universe.name}: ${states} states, ${transitions} transitions, ${deepest} steps deep\n`);
      expect(states).toBeGreaterThan(100);
    });
  }
});
