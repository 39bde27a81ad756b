import fc from 'fast-check';
import { apiKey, bearer, type Capture, type Latchkey, type Lease } from '../../src/index.js';
import { START } from '../support/clock.js';
import type { Learnt } from './hearsay.js';
import type { Model, ModelScope, Presentation, Sent } from './model.js';

/** One step of what a gateway does, by index where it refers to something that an earlier step made. */
export type Operation =
  | { readonly do: 'capture'; readonly scope: ModelScope; readonly credential: number; readonly provisional: boolean }
  | { readonly do: 'commit' | 'discard' | 'unpin'; readonly which: number }
  | { readonly do: 'lease'; readonly scope: ModelScope }
  | { readonly do: 'settle lease' | 'settle capture'; readonly which: number; readonly answer: Answer }
  | { readonly do: 'pin'; readonly scope: ModelScope; readonly credential: number }
  | { readonly do: 'evict'; readonly tenant: string | undefined; readonly session: string | undefined }
  | { readonly do: 'forgive scope'; readonly scope: ModelScope }
  | { readonly do: 'forgive credential'; readonly credential: number }
  | { readonly do: 'advance'; readonly ms: number };

interface Answer {
  readonly outcome: unknown;
  readonly learnt: Learnt;
}

/** The same bytes under another scheme are another credential; the last two expire. */
const CREDENTIALS = [
  bearer('token-one'),
  apiKey('token-one'),
  bearer('token-two'),
  bearer('token-soon', { expiresAt: START + 3_000 }),
  bearer('token-past', { expiresAt: START - 1 }),
] as const;

const ANSWERS: readonly Answer[] = [
  { outcome: 200, learnt: 'accepted' },
  { outcome: { status: 204, headers: {} }, learnt: 'accepted' },
  { outcome: 401, learnt: 'rejected' },
  { outcome: Object.assign(new Error('no'), { status: 401 }), learnt: 'rejected' },
  { outcome: 403, learnt: 'rejected for scope' },
  { outcome: { status: 403, headers: { 'www-authenticate': 'Bearer error="insufficient_scope"' } }, learnt: 'nothing' },
  { outcome: 404, learnt: 'nothing' },
  { outcome: 503, learnt: 'nothing' },
  { outcome: { holdMs: 2_000 }, learnt: { holdMs: 2_000 } },
  { outcome: { status: 402, headers: { 'retry-after': '1' } }, learnt: { holdMs: 1_000 } },
];

const TENANTS = [undefined, 'u'] as const;
const SESSIONS = ['s', 't', undefined] as const;
const PROVIDERS = ['p', 'q'] as const;
const PURPOSES = [undefined, 'x'] as const;

function scopeOf(
  tenant: string | undefined,
  session: string | undefined,
  provider: string | undefined,
  purpose: string | undefined,
): ModelScope {
  return {
    ...(tenant === undefined ? {} : { tenant }),
    ...(session === undefined ? {} : { session }),
    ...(provider === undefined ? {} : { provider }),
    ...(purpose === undefined ? {} : { purpose }),
  };
}

export const SCOPES: readonly ModelScope[] = TENANTS.flatMap((tenant) =>
  SESSIONS.flatMap((session) => PROVIDERS.flatMap((provider) => PURPOSES.map((purpose) => scopeOf(tenant, session, provider, purpose)))),
);

const tenant = fc.constantFrom(undefined, undefined, undefined, 'u');
const session = fc.constantFrom('s', 's', 't', undefined);
const provider = fc.constantFrom('p', 'p', 'p', 'q');
const purpose = fc.constantFrom(undefined, undefined, undefined, 'x');
export const anyScope = fc.tuple(tenant, session, provider, purpose).map((parts) => scopeOf(...parts));
const pinScope = fc.tuple(tenant, provider, purpose).map(([of, at, what]) => scopeOf(of, undefined, at, what));
const anyCredential = fc.nat({ max: CREDENTIALS.length - 1 });
const which = fc.nat({ max: 9 });
const anyAnswer = fc.constantFrom(...ANSWERS);

const pinning: fc.WeightedArbitrary<Operation>[] = [
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pin' as const), scope: pinScope, credential: anyCredential }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unpin' as const), which }) },
];

const anyOperation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('capture' as const),
      scope: anyScope,
      credential: anyCredential,
      provisional: fc.constantFrom(false, false, true),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('commit' as const, 'commit' as const, 'discard' as const), which }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('lease' as const), scope: anyScope }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('settle lease' as const), which, answer: anyAnswer }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('settle capture' as const), which, answer: anyAnswer }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('evict' as const), tenant, session }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forgive scope' as const), scope: anyScope }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forgive credential' as const), credential: anyCredential }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(1, 500, 1_500, 4_000) }) },
  ...pinning,
);

/** Long enough for slots, verdicts and pins to meet. */
export const manyOperations = fc.array(anyOperation, { minLength: 5, maxLength: 50, size: 'max' });

interface Hands {
  readonly latchkey: Latchkey;
  readonly model: Model | undefined;
  readonly advance: (ms: number) => void;
}

/** Does operations to a latchkey and, beside it, to the model; says where their answers differ. */
export class Gateway {
  readonly #hands: Hands;
  readonly captures: { readonly real: Capture; readonly modelled: Presentation | undefined }[] = [];
  readonly leases: { readonly real: Lease; readonly modelled: Sent | undefined }[] = [];
  readonly #unpin: (() => void)[] = [];

  constructor(hands: Hands) {
    this.#hands = hands;
  }

  /** Returns what differs, in words, or undefined. */
  apply(operation: Operation): string | undefined {
    const { latchkey, model, advance } = this.#hands;
    switch (operation.do) {
      case 'capture': {
        const credential = CREDENTIALS[operation.credential] as (typeof CREDENTIALS)[number];
        const real = latchkey.capture(operation.scope, credential, { provisional: operation.provisional });
        const modelled = model?.arrive(operation.scope, credential);
        this.captures.push({ real, modelled });
        if (operation.provisional || modelled === undefined) return undefined;
        const changed = model?.install(modelled);
        if (real.changed !== changed) return `changed is ${real.changed}`;
        const usable = modelled.known !== undefined && model?.usable(modelled.known, operation.scope);
        return real.usable === usable ? undefined : `the capture's usable is ${real.usable}`;
      }
      case 'commit':
      case 'discard': {
        const capture = pick(this.captures, operation.which);
        if (capture === undefined) return undefined;
        capture.real[operation.do]();
        if (capture.modelled === undefined) return undefined;
        if (operation.do === 'discard') model?.discard(capture.modelled);
        else model?.install(capture.modelled);
        return undefined;
      }
      case 'lease': {
        const resolution = latchkey.resolve(operation.scope);
        const modelled = model?.send(operation.scope);
        if (model !== undefined && resolution.ok !== (modelled !== undefined)) return `resolve is ${resolution.ok}`;
        if (resolution.ok) this.leases.push({ real: resolution.lease, modelled });
        return undefined;
      }
      case 'settle lease': {
        const lease = pick(this.leases, operation.which);
        const verdict = lease?.real.settle(operation.answer.outcome);
        if (lease?.modelled === undefined || model === undefined || verdict === undefined) return undefined;
        model.hear(lease.modelled, operation.answer.learnt);
        return differs(verdict, model, lease.modelled);
      }
      case 'settle capture': {
        const capture = pick(this.captures, operation.which);
        const verdict = capture?.real.settle(operation.answer.outcome);
        const known = capture?.modelled && model?.knownOf(capture.modelled);
        if (capture?.modelled === undefined || model === undefined || known === undefined || verdict === undefined) return undefined;
        const call = { known, scope: capture.modelled.scope, sent: capture.modelled.at };
        model.hear(call, operation.answer.learnt, true);
        return differs(verdict, model, call);
      }
      case 'pin': {
        const credential = CREDENTIALS[operation.credential] as (typeof CREDENTIALS)[number];
        const unpin = latchkey.pin(operation.scope, credential);
        const unpinModel = model?.pin(operation.scope, credential);
        this.#unpin.push(() => {
          unpin();
          unpinModel?.();
        });
        return undefined;
      }
      case 'unpin':
        pick(this.#unpin, operation.which)?.();
        return undefined;
      case 'evict': {
        const { tenant, session } = operation;
        if (session !== undefined) {
          latchkey.evict({ tenant, session });
          model?.evict(tenant, session);
        } else if (tenant !== undefined) {
          latchkey.evict({ tenant });
          model?.evictTenant(tenant);
        }
        return undefined;
      }
      case 'forgive scope':
        latchkey.forgive(operation.scope);
        model?.forgiveScope(operation.scope);
        return undefined;
      case 'forgive credential': {
        const { fingerprint } = CREDENTIALS[operation.credential] as (typeof CREDENTIALS)[number];
        latchkey.forgive(fingerprint);
        for (const provider of PROVIDERS) {
          const known = model?.find(provider, fingerprint);
          if (known !== undefined) model?.forgive(known);
        }
        return undefined;
      }
      case 'advance':
        advance(operation.ms);
        return undefined;
    }
  }

  /** Compares what every scope would get. Returns what differs. */
  compare(): string | undefined {
    const { latchkey, model } = this.#hands;
    for (const scope of SCOPES) {
      const resolution = latchkey.resolve(scope);
      const expected = model?.choose(scope);
      const got = resolution.ok ? `${resolution.lease.source} ${resolution.lease.credential.fingerprint}` : 'blocked';
      const wanted = expected === undefined ? 'blocked' : `${expected.source} ${expected.known.fingerprint}`;
      if (got !== wanted) return `${JSON.stringify(scope)} gets ${got}, not ${wanted}`;
      if (!resolution.ok && (resolution.reason === 'missing') === model?.hasCandidate(scope))
        return `${JSON.stringify(scope)} is ${resolution.reason}`;
    }
    return undefined;
  }
}

/** The most recent first, so that small numbers mean what has just been made. */
export function pick<T>(list: readonly T[], which: number): T | undefined {
  return list.length === 0 ? undefined : list[list.length - 1 - (which % list.length)];
}

function differs(
  verdict: ReturnType<Lease['settle']>,
  model: Model,
  call: { known: Sent['known']; scope: ModelScope },
): string | undefined {
  if (call.known.forgotten) return undefined;
  const got = verdict.state === 'rejected' ? `rejected ${verdict.reach}` : verdict.state;
  const wanted = model.state(call.known, call.scope);
  return got === wanted ? undefined : `the verdict is ${got}, not ${wanted}`;
}
