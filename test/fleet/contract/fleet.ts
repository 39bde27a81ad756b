import { expect } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions, type Lease, type Scope } from '../../../src/index.js';
import { known, outlook } from '../../support/known.js';
import { eventually, type RedisFleetOptions, startRedisFleet } from '../../support/redis-fleet.js';

/** Of the contract's own, which no test looks at. */
const FENCE = 'fence';

/** One state behind one Latchkey or several, as a contract test sees it. */
export interface ContractFleet {
  /** Four that the test acts through; fewer processes take turns. */
  readonly hands: readonly [Latchkey, Latchkey, Latchkey, Latchkey];
  readonly latchkeys: readonly Latchkey[];
  /** Has all of them know these scopes, now and from now on. */
  load(...scopes: Scope[]): Promise<void>;
  /** Waits until what each has done has reached all. */
  arrived(): Promise<void>;
  /** The same, and checks that they agree in everything. */
  agree(): Promise<void>;
  /** The same, and that each sees these scopes so: the value that work would be done with, or why there is none. */
  shows(...expected: (readonly [Scope, string])[]): Promise<void>;
  /** The same, and whatever `check` says of each. */
  everywhere(check: (latchkey: Latchkey) => void): Promise<void>;
  close(): Promise<void>;
}

export type MakeFleet = (options?: LatchkeyOptions) => Promise<ContractFleet>;

/** Without a store: every process is the same one. */
export async function singleFleet(options: LatchkeyOptions = {}): Promise<ContractFleet> {
  const latchkey = createLatchkey(options);
  return contractFleet([latchkey], () => latchkey.close({ timeoutMs: 100 }));
}

export async function redisContractFleet(options: RedisFleetOptions): Promise<ContractFleet> {
  const fleet = await startRedisFleet(options);
  return contractFleet(fleet.latchkeys, () => fleet.close());
}

function contractFleet(latchkeys: readonly Latchkey[], close: () => Promise<void>): ContractFleet {
  const hand = (index: number): Latchkey => latchkeys[index % latchkeys.length]!;
  const scopes: Scope[] = [];
  let rounds = 0;

  /** Each process's own changes reach the others in order: who has seen the last one has seen them all. */
  const fence = async (): Promise<void> => {
    const round = ++rounds;
    const last = latchkeys.map((latchkey, index) => {
      const scope = { tenant: FENCE, session: String(index) };
      const credential = bearer(`fence-${index}-${round}`);
      latchkey.capture(scope, credential);
      return { scope, fingerprint: credential.fingerprint };
    });
    if (round === 1) await Promise.all(latchkeys.map((latchkey) => latchkey.load(last.map(({ scope }) => scope))));
    await eventually(() => {
      for (const latchkey of latchkeys) {
        for (const { scope, fingerprint } of last) expect(latchkey.explain(scope).candidates[0]?.fingerprint).toBe(fingerprint);
      }
    });
  };

  const fleet: ContractFleet = {
    hands: [hand(0), hand(1), hand(2), hand(3)],
    latchkeys,
    close,
    async load(...more) {
      scopes.push(...more);
      await Promise.all(latchkeys.map((latchkey) => latchkey.load(more)));
      for (const latchkey of latchkeys) for (const scope of more) expect(latchkey.isLoaded(scope)).toBe(true);
    },
    async arrived() {
      if (latchkeys.length > 1) await fence();
    },
    async agree() {
      await fleet.arrived();
      const facts = (latchkey: Latchkey) => known(latchkey, scopes, (tenant) => tenant !== FENCE);
      await eventually(() => {
        for (const latchkey of latchkeys) expect(facts(latchkey)).toEqual(facts(hand(0)));
      });
    },
    async shows(...expected) {
      await fleet.everywhere((latchkey) => {
        expect(expected.map(([scope]) => [scope, outlook(latchkey, scope)])).toEqual(expected);
        for (const [scope] of expected) expect(latchkey.canRun(scope)).toBe(latchkey.explain(scope).ok);
      });
    },
    async everywhere(check) {
      await fleet.agree();
      for (const latchkey of latchkeys) check(latchkey);
    },
  };
  return fleet;
}

export function leaseFor(latchkey: Latchkey, scope: Scope): Lease {
  const resolution = latchkey.resolve(scope);
  if (!resolution.ok) throw new Error(`blocked: ${resolution.reason}`);
  return resolution.lease;
}
