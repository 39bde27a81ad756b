import { bearer, type Capture, createLatchkey, type Lease } from '../../src/index.js';
import { manualClock } from '../support/clock.js';
import type { Learnt } from './hearsay.js';
import { Model, type ModelScope, type Presentation, type Sent } from './model.js';

const CREDENTIALS = { a: bearer('token-a'), b: bearer('token-b') } as const;
const STATUS = { 200: 'accepted', 401: 'rejected', 403: 'rejected for scope' } as const satisfies Record<number, Learnt>;
export type Status = keyof typeof STATUS;

export interface World {
  readonly latchkey: ReturnType<typeof createLatchkey>;
  readonly model: Model;
  readonly leases: Map<string, Sent>;
  readonly realLeases: Map<string, Lease>;
  readonly waiting: Map<string, Presentation>;
  readonly realWaiting: Map<string, Capture>;
}

export interface Step {
  readonly name: string;
  /** Whether it can be taken; it always can if this is not given. */
  readonly can?: (world: World) => boolean;
  readonly take: (world: World) => void;
}

export function newWorld(): World {
  const clock = manualClock();
  const latchkey = createLatchkey({ clock, canary: 'off', limits: { sessions: 4, identities: 8, parked: 1 } });
  const model = new Model({ now: clock.now });
  return { latchkey, model, leases: new Map(), realLeases: new Map(), waiting: new Map(), realWaiting: new Map() };
}

export const scopeName = ({ session, provider }: ModelScope): string => `${session ?? '-'}@${provider}`;

export function capture(scope: ModelScope, which: keyof typeof CREDENTIALS): Step {
  return {
    name: `capture ${which} for ${scopeName(scope)}`,
    take: ({ latchkey, model }) => {
      const real = latchkey.capture(scope, CREDENTIALS[which]);
      const modelled = model.arrive(scope, CREDENTIALS[which]);
      const changed = model.install(modelled);
      if (real.changed !== changed) throw new Error(`changed is ${real.changed}`);
      if (real.usable !== (modelled.known !== undefined && model.usable(modelled.known, scope)))
        throw new Error(`usable is ${real.usable}`);
    },
  };
}

/** A call that is sent now and answered by a later step: one for each scope. */
export function lease(scope: ModelScope): Step {
  const key = scopeName(scope);
  return {
    name: `lease for ${key}`,
    can: ({ model, leases }) => !leases.has(key) && model.choose(scope) !== undefined,
    take: ({ latchkey, model, leases, realLeases }) => {
      const resolution = latchkey.resolve(scope);
      const sent = model.send(scope);
      if (!resolution.ok || sent === undefined) throw new Error(`resolve is ${resolution.ok}`);
      leases.set(key, sent);
      realLeases.set(key, resolution.lease);
    },
  };
}

export function settle(scope: ModelScope, status: Status): Step {
  const key = scopeName(scope);
  return {
    name: `${status} for ${key}`,
    can: ({ leases }) => leases.has(key),
    take: ({ model, leases, realLeases }) => {
      realLeases.get(key)?.settle(status);
      model.hear(leases.get(key) as Sent, STATUS[status]);
      leases.delete(key);
      realLeases.delete(key);
    },
  };
}

/** A call that is answered before anything else happens. */
export function call(scope: ModelScope, status: Status): Step {
  const sending = lease(scope);
  return {
    name: `a call for ${scopeName(scope)} gets ${status}`,
    can: (world) => sending.can?.(world) === true,
    take: (world) => {
      sending.take(world);
      settle(scope, status).take(world);
    },
  };
}

export function present(scope: ModelScope, which: keyof typeof CREDENTIALS): Step {
  const key = scopeName(scope);
  return {
    name: `provisional ${which} for ${key}`,
    can: ({ waiting }) => !waiting.has(key),
    take: ({ latchkey, model, waiting, realWaiting }) => {
      realWaiting.set(key, latchkey.capture(scope, CREDENTIALS[which], { provisional: true }));
      waiting.set(key, model.arrive(scope, CREDENTIALS[which]));
    },
  };
}

export function conclude(scope: ModelScope, how: 'commit' | 'discard'): Step {
  const key = scopeName(scope);
  return {
    name: `${how} for ${key}`,
    can: ({ waiting }) => waiting.has(key),
    take: ({ model, waiting, realWaiting }) => {
      const presentation = waiting.get(key) as Presentation;
      realWaiting.get(key)?.[how]();
      if (how === 'commit') model.install(presentation);
      else model.discard(presentation);
      waiting.delete(key);
      realWaiting.delete(key);
    },
  };
}

export function evict(session: string): Step {
  return {
    name: `evict ${session}`,
    take: ({ latchkey, model }) => {
      latchkey.evict(session);
      model.evict(undefined, session);
    },
  };
}

export function forgive(which: keyof typeof CREDENTIALS): Step {
  return {
    name: `forgive ${which}`,
    take: ({ latchkey, model }) => {
      const { fingerprint } = CREDENTIALS[which];
      latchkey.forgive(fingerprint);
      for (const provider of ['p', 'q']) {
        const known = model.find(provider, fingerprint);
        if (known !== undefined) model.forgive(known);
      }
    },
  };
}
