import { describe, expect, it } from 'vitest';
import { Names } from '../../src/fleet/names.js';
import { Tracking } from '../../src/fleet/tracking.js';
import { bearer, type Latchkey, type Scope } from '../../src/index.js';
import { Identity } from '../../src/ledger/verdicts.js';
import { statusError } from '../support/attempts.js';
import { frozenFleet, pass } from '../support/frozen-fleet.js';
import { endpointDown, invalidGrant } from '../support/refreshing.js';
import { TokenFamily } from '../support/token-family.js';

const OLD = 'token-0';
const world = frozenFleet();

function work(latchkey: Latchkey, scope: Scope): Promise<string> {
  return latchkey
    .run(scope, async ({ credential }) => {
      if (credential.reveal() === OLD) throw statusError(401);
      return credential.reveal();
    })
    .catch((error: { code: string }) => error.code);
}

describe('a second try, in an outage that is shorter than a right', () => {
  /** Two processes with one login. The first try of all fails after so long, and uses nothing up. */
  async function two(family: TokenFamily, failsAfterMs: number) {
    let first = true;
    const refresh: TokenFamily['refresh'] = async (lease, context) => {
      if (!first) return family.refresh(lease, context);
      first = false;
      await new Promise((resolve) => setTimeout(resolve, failsAfterMs));
      throw endpointDown();
    };
    const [a, b] = [world.fleet.add({ fallback: 'none', refresh }), world.fleet.add({ fallback: 'none', refresh })];
    await world.fleet.ready();
    a.latchkey.capture('S0', bearer(OLD));
    b.latchkey.capture('S1', bearer(OLD));
    await pass(100);
    return { a, b };
  }

  it('does not go on with a right that runs out in the middle of it', async () => {
    const family = new TokenFamily(25_000);
    const { a, b } = await two(family, 900);
    void work(a.latchkey, 'S0');
    await pass(500);
    world.fleet.store.down = true;
    await pass(11_500);
    world.fleet.store.down = false;
    await pass(8_000);
    void work(b.latchkey, 'S1');
    await pass(60_000);
    expect(family).toMatchObject({ tries: [OLD], isDead: false });
  });

  it('does not begin after the right has run out', async () => {
    const family = new TokenFamily(10_000);
    const { a, b } = await two(family, 24_000);
    void work(a.latchkey, 'S0');
    await pass(2_000);
    void work(b.latchkey, 'S1');
    await pass(21_500);
    world.fleet.store.down = true;
    await pass(12_000);
    world.fleet.store.down = false;
    await pass(60_000);
    expect(family).toMatchObject({ tries: [OLD], isDead: false });
  });

  it('asks again for a right that could not be prolonged', async () => {
    const family = new TokenFamily(20_000);
    const { a, b } = await two(family, 900);
    const { lock } = a.carrier;
    void work(a.latchkey, 'S0');
    await pass(500);
    a.carrier.lock = async () => {
      throw new Error('no answer in time');
    };
    await pass(11_500);
    a.carrier.lock = lock;
    void work(b.latchkey, 'S1');
    await pass(60_000);
    expect(family).toMatchObject({ tries: [OLD], isDead: false });
  });
});

it('a process that is started while the store does not answer waits for as long as somebody may have the right', async () => {
  const family = new TokenFamily(10_000);
  const before = world.fleet.add({ fallback: 'none', refresh: family.refresh });
  await world.fleet.ready();
  before.latchkey.capture('S0', bearer(OLD));
  await pass(100);
  void work(before.latchkey, 'S0');
  await pass(1_000);
  world.fleet.store.down = true;
  await pass(1_000);
  const started = world.fleet.add({ fallback: 'none', refresh: family.refresh });
  started.latchkey.capture('S1', bearer(OLD));
  void work(started.latchkey, 'S1');
  await pass(5_000);
  world.fleet.store.down = false;
  await pass(60_000);
  expect(family).toMatchObject({ tries: [OLD], isDead: false });
});

describe('a store that will not do one thing', () => {
  async function one() {
    const process = world.fleet.add({ fallback: 'none', refresh: async () => bearer('token-1') });
    await world.fleet.ready();
    process.latchkey.capture('S0', bearer(OLD));
    await pass(100);
    return process;
  }

  it('locks: it is not up and down by turns, is asked less and less often, and does without in the end', async () => {
    const { latchkey, carrier } = await one();
    const states: string[] = [];
    latchkey.on('store', ({ state }) => void states.push(state));
    const { lock } = carrier;
    let asked = 0;
    carrier.lock = async (name, owner, ms) => {
      if (ms < 30_000) return lock(name, owner, ms);
      asked++;
      throw new Error('no');
    };
    const ended: string[] = [];
    void work(latchkey, 'S0').then((value) => ended.push(value));
    await pass(31_500);
    expect(ended).toEqual([]);
    await pass(1_500);
    expect(ended).toEqual(['token-1']);
    expect(states).toEqual([]);
    expect(asked).toBeLessThan(15);
  });

  it('records: nobody refreshes before they are here, or everybody has given up', async () => {
    const { latchkey, carrier } = await one();
    carrier.load = async () => {
      throw new Error('no');
    };
    const ended: string[] = [];
    void work(latchkey, 'S0').then((value) => ended.push(value));
    await pass(31_500);
    expect(ended).toEqual([]);
    await pass(1_500);
    expect(ended).toEqual(['token-1']);
  });
});

it('a clock that throws as the right comes does not keep it from others', async () => {
  let throws = false;
  const now = (): number => {
    if (throws) throw new Error('no time');
    return Date.now();
  };
  const refresh = async () => bearer('token-1');
  const [broken, other] = [world.fleet.add({ fallback: 'none', refresh, clock: { now } }), world.fleet.add({ fallback: 'none', refresh })];
  await world.fleet.ready();
  broken.latchkey.capture('S0', bearer(OLD));
  other.latchkey.capture('S1', bearer(OLD));
  await pass(100);
  const { lock, load } = broken.carrier;
  broken.carrier.load = async (wanted) => {
    await new Promise((resolve) => setTimeout(resolve, 10));
    return load(wanted);
  };
  let rights = 0;
  broken.carrier.lock = async (name, owner, ms) => {
    const leftMs = await lock(name, owner, ms);
    // Taken, and prolonged once what the store knows is here.
    if (ms === 32_000 && ++rights === 2) throws = true;
    return leftMs;
  };
  void work(broken.latchkey, 'S0');
  await pass(500);
  expect(rights).toBe(2);
  throws = false;
  const done = work(other.latchkey, 'S1');
  await pass(2_000);
  expect(await done).toBe('token-1');
});

describe('what a refresh came to', () => {
  const fields = (): string[] =>
    world.fleet.store
      .dump()
      .filter(({ kind }) => kind === 'identity')
      .flatMap((record) => Object.keys(record.fields));

  it('on behalf of nobody known is not told with something else', async () => {
    const refresh = async ({ scope }: { readonly scope: { readonly session?: string } }) =>
      scope.session === 'lender' ? bearer('token-1') : undefined;
    const [lending, borrowing] = [world.fleet.add({ refresh }), world.fleet.add({ refresh })];
    await world.fleet.ready();
    lending.latchkey.capture('lender', bearer(OLD));
    await pass(100);
    await borrowing.latchkey.load(['borrower']);
    expect(await work(borrowing.latchkey, 'borrower')).toBe('CREDENTIAL_REJECTED');
    // It has something to tell of the same credential.
    borrowing.latchkey.capture('another', bearer(OLD, { expiresAt: Date.now() + 3_600_000 }));
    await pass(100);
    expect(fields().filter((field) => /^[uw]\./.test(field))).toEqual([]);
    expect(fields()).toContain('h');
    expect(await work(lending.latchkey, 'lender')).toBe('token-1');
  });

  it('is kept for as many tenants with one credential as there is room for, and no tenant is asked for again and again', async () => {
    let calls = 0;
    const refresh = async () => {
      if (++calls > 1_000) await new Promise(() => {});
      throw invalidGrant();
    };
    const { latchkey } = world.fleet.add({ tenancy: 'multi', refresh });
    await world.fleet.ready();
    for (let tenant = 0; tenant < 200; tenant++) {
      latchkey.capture({ tenant: `T${tenant}`, session: 'S' }, bearer(OLD));
      void work(latchkey, { tenant: `T${tenant}`, session: 'S' });
      await pass(20);
    }
    await pass(2_000);
    expect(calls).toBe(200);
    expect(fields().filter((field) => field.startsWith('u.'))).toHaveLength(64);
  });

  it('for a tenant that is not known here is forgotten with its credential, though the store was emptied', () => {
    const tracking = new Tracking(new Names(new Uint8Array(32), 'app'));
    const identity = new Identity('p', '0000000000000001');
    const tracked = tracking.of(identity);
    tracked.read({ kind: 'identity', name: tracked.name, version: 1, fields: { 'u.TENANT': 'x' } });
    tracking.wait('TENANT', tracked);
    tracked.lose();
    tracking.forget(identity);
    expect([...tracking.named('TENANT')]).toEqual([]);
  });
});

// As with a long `commandMs`: the store has given the right, and its answer comes late.
it.each([1_500, 5_000, 9_000])('a right whose confirmation comes %d ms late lasts as long as the try', async (lateMs) => {
  const family = new TokenFamily(28_500);
  const [a, b] = [world.fleet.add({ refresh: family.refresh }), world.fleet.add({ refresh: family.refresh })];
  await world.fleet.ready();
  const old = bearer(OLD, { expiresAt: Date.now() + 300 });
  for (const { latchkey } of [a, b]) latchkey.capture('S', old);
  await pass(500);
  const { lock, load } = a.carrier;
  a.carrier.load = async (refs) => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return load(refs);
  };
  let locks = 0;
  a.carrier.lock = async (name, owner, ms) => {
    const answer = await lock(name, owner, ms);
    if (++locks === 2) await new Promise((resolve) => setTimeout(resolve, lateMs));
    return answer;
  };
  const runs = [work(a.latchkey, 'S')];
  await pass(100);
  runs.push(work(b.latchkey, 'S'));
  await pass(90_000);
  expect(family).toMatchObject({ tries: [OLD], isDead: false });
  expect(await Promise.all(runs)).toEqual(['token-1', 'token-1']);
});
