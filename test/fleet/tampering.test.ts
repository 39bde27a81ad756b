import { describe, expect, it } from 'vitest';
import type { Present } from '../../src/fleet/carrier.js';
import { HybridClock } from '../../src/fleet/hybrid-clock.js';
import { Names } from '../../src/fleet/names.js';
import { readKeys } from '../../src/fleet/seal.js';
import { readSlot } from '../../src/fleet/slot-text.js';
import { bearer, type Credential, type Lease } from '../../src/index.js';
import { credentialOf, frozenFleet, pass } from '../support/frozen-fleet.js';
import { SEAL } from '../support/memory-fleet.js';

describe('somebody who can write to the store', () => {
  const world = frozenFleet();
  const names = new Names(readKeys({ seal: SEAL }).fingerprintKey, 'test');
  const victim = { tenant: 'T1', session: 'V' };
  const attacker = { tenant: 'T2', session: 'A' };
  const at = (ms: number): string => HybridClock.stamp(HybridClock.at(Date.now() + ms));

  /** What `from` presented, as if `to` had: its sealed values and all. */
  function moved(from: typeof victim, to: typeof victim): Present {
    const provider = names.provider(undefined);
    const records = world.fleet.store.dump();
    const slotOf = (name: string, field: string): ReturnType<typeof readSlot> =>
      readSlot(records.find((record) => record.name === name)?.fields[field] ?? '');
    const own = slotOf(names.session(from.tenant, from.session), `p.${provider}`);
    const lent = slotOf(names.tenant(from.tenant), `g.${provider}`);
    if (own === undefined || lent === undefined) throw new Error('nothing was presented');
    return {
      kind: 'present',
      tenant: names.tenant(to.tenant),
      session: names.session(to.tenant, to.session),
      provider,
      identity: own.identity,
      at: at(1_000),
      captured: Date.now(),
      own: own.value,
      lent: lent.value,
    };
  }

  it.each([
    ['cannot have a session work with another’s credential', victim, attacker],
    ['cannot have a session’s work done with a credential of their own', attacker, victim],
  ])('%s, though the process holds both', async (_, from, to) => {
    const [a, b] = [world.fleet.add(), world.fleet.add({ tenancy: 'multi' })];
    const told: unknown[] = [];
    b.latchkey.on('error', ({ origin, error }) => told.push([origin, (error as { code?: string }).code]));
    await world.fleet.ready();
    a.latchkey.capture(victim, bearer('victims'));
    a.latchkey.capture(attacker, bearer('attackers'));
    await pass(100);
    await b.latchkey.load([victim, attacker]);
    const intruder = world.fleet.store.carrier();
    const { epoch } = await intruder.hello();
    await intruder.push(epoch, [moved(from, to)], Date.now(), at(1_000));
    await pass(5_000);
    expect(credentialOf(b.latchkey, victim)).toBe('victims');
    expect(credentialOf(b.latchkey, attacker)).toBe('attackers');
    expect(told).toEqual([['store', 'STORE_SEAL']]);
    // Nor in a process that held neither.
    const c = world.fleet.add({ tenancy: 'multi' });
    await c.latchkey.ready();
    await c.latchkey.load([victim, attacker]);
    expect(credentialOf(c.latchkey, to)).toBe('missing');
    expect(credentialOf(c.latchkey, from)).toBe(from === victim ? 'victims' : 'attackers');
  });

  it('cannot have what one tenant’s refresh brought serve another, nor say that it brought something else', async () => {
    const refresh = async ({ scope }: Lease): Promise<Credential | undefined> => (scope.tenant === 'T1' ? bearer('rotated') : undefined);
    const [a, b] = [world.fleet.add({ refresh, probe: 'off' }), world.fleet.add()];
    const told: unknown[] = [];
    b.latchkey.on('error', ({ origin, error }) => told.push([origin, (error as { code?: string }).code]));
    await world.fleet.ready();
    a.latchkey.capture(victim, bearer('shared'));
    a.latchkey.capture(attacker, bearer('shared'));
    await pass(100);
    a.latchkey.capture(victim, bearer('shared')).settle(401);
    const done = a.latchkey.run(victim, ({ credential }) => credential.reveal());
    await pass(1_000);
    expect(await done).toBe('rotated');
    const ref = { kind: 'identity', name: names.identity(undefined, bearer('shared').fingerprint) } as const;
    const text = world.fleet.store.dump().find(({ name }) => name === ref.name)?.fields[`n.${names.tenant('T1')}`] ?? '';
    world.fleet.store.write(ref, `n.${names.tenant('T2')}`, text);
    await b.latchkey.load([victim, attacker]);
    await pass(5_000);
    expect([credentialOf(b.latchkey, victim), credentialOf(b.latchkey, attacker)]).toEqual(['rotated', 'rejected']);
    expect(told).toEqual([['store', 'STORE_SEAL']]);
    // The seal is good, and what it holds is not what it is said to be.
    const other = names.identity(undefined, bearer('other').fingerprint);
    world.fleet.store.write(ref, `n.${names.tenant('T1')}`, text.replace(/\|[0-9a-f]{32}\|/, `|${other}|`));
    const c = world.fleet.add();
    await c.latchkey.ready();
    c.latchkey.capture({ tenant: 'T1', session: 'new' }, bearer('shared'));
    await pass(5_000);
    expect(credentialOf(c.latchkey, { tenant: 'T1', session: 'new' })).not.toBe('other');
    expect(c.latchkey.explain({ tenant: 'T1', session: 'new' }).candidates[0]?.fingerprint).toBe(bearer('shared').fingerprint);
  });

  it('can have nothing outrank all that is still to come', async () => {
    const [a, b] = [world.fleet.add(), world.fleet.add()];
    await world.fleet.ready();
    a.latchkey.capture('S', bearer('live'));
    await pass(100);
    const { fingerprint } = bearer('live');
    const [never, identity] = ['9'.repeat(15), names.identity(undefined, fingerprint)];
    world.fleet.store.write({ kind: 'identity', name: identity }, 'r', `0${never}2${Date.now()},0,401`);
    world.fleet.store.write({ kind: 'identity', name: identity }, 'f', `0${never}`);
    world.fleet.store.write({ kind: 'session', name: names.session(undefined, 'S') }, 'e', `0${never}`);
    await b.latchkey.load(['S']);
    await pass(5_000);
    expect([credentialOf(a.latchkey, 'S'), credentialOf(b.latchkey, 'S')]).toEqual(['live', 'live']);
    b.latchkey.capture('S', bearer('live')).settle(401);
    await pass(100);
    expect(credentialOf(b.latchkey, 'S')).toBe('rejected');
  });
});
