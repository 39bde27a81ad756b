import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bearer, type Latchkey } from '../../src/index.js';
import { GoodTokens } from '../support/good-tokens.js';
import { outlook } from '../support/known.js';
import { eventually, pause, type RedisFleet, SEAL, startRedisFleet, unhandledRejections } from '../support/redis-fleet.js';
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.js';

const OTHER = 'another sealing secret of 32 characters or more';
const NAMING = 'a fingerprint key of 32 characters or more';
const STORE = { commandMs: 1_000, syncMs: 200 };

describeWithRedis('what a store holds', () => {
  let server: RedisServer;
  let redis: ReturnType<typeof createClient>;
  const fleets: RedisFleet[] = [];
  let unhandled: ReturnType<typeof unhandledRejections>;
  beforeAll(async () => {
    server = await startRedis();
    redis = createClient({ url: server.url });
    await redis.connect();
  });
  afterAll(async () => {
    redis?.destroy();
    await server?.stop();
  });
  beforeEach(() => {
    unhandled = unhandledRejections();
  });
  afterEach(async () => {
    await Promise.all(fleets.splice(0).map((fleet) => fleet.close()));
    unhandled.stop();
    expect(unhandled.seen).toEqual([]);
  });

  async function start(processes: number, store: object): Promise<RedisFleet> {
    const fleet = await startRedisFleet({ processes, client: 'redis', server, store: { ...STORE, ...store } });
    fleets.push(fleet);
    return fleet;
  }

  describe('of another version', () => {
    it('is told once, each works alone, and put back all are one again', async () => {
      const fleet = await start(2, {});
      const [a, b] = fleet.latchkeys as [Latchkey, Latchkey];
      const meta = `{${fleet.namespace}}:lk:meta`;
      a.capture('S', bearer('token-s'));
      await fleet.converge('S', 'T');
      const format = await redis.hGet(meta, 'format');
      expect(format).not.toBeNull();
      await redis.hSet(meta, 'format', '999');
      await eventually(() => fleet.latchkeys.every((latchkey) => latchkey.stats().store === 'down'));
      const late = await fleet.add();
      await late.latchkey.ready();
      expect(late.latchkey.stats().store).toBe('down');
      const upstream = new GoodTokens();
      upstream.good.add('token-s').add('token-t').add('token-late');
      expect(await b.run('S', upstream.attempt)).toBe('token-s');
      b.capture('T', bearer('token-t'));
      late.latchkey.capture('late', bearer('token-late'));
      expect(await late.latchkey.run('late', upstream.attempt)).toBe('token-late');
      await pause(1_200);
      expect(fleet.processes.map(({ states }) => states)).toEqual([['up', 'down'], ['up', 'down'], ['down']]);
      for (const { reasons, problems } of fleet.processes) {
        expect(reasons).toEqual(['STORE_FORMAT']);
        expect(problems).toEqual([]);
      }
      await redis.hSet(meta, 'format', format ?? '');
      await fleet.converge('S', 'T', 'late');
      for (const latchkey of fleet.latchkeys) {
        expect(['S', 'T', 'late'].map((session) => outlook(latchkey, session))).toEqual(['token-s', 'token-t', 'token-late']);
      }
      for (const { states } of fleet.processes) expect(states.slice(-2)).toEqual(['down', 'up']);
    });
  });

  describe('sealed with another key', () => {
    it('is told once, and does not hinder work with what a process has of its own', async () => {
      const fleet = await start(2, { fingerprintKey: NAMING });
      const [a] = fleet.latchkeys as [Latchkey];
      for (const session of ['S', 'T', 'U']) a.capture(session, bearer(`token-${session}`));
      a.pin({ provider: 'P' }, bearer('token-pin'));
      await fleet.converge('S', 'T', 'U', { provider: 'P' });
      const stranger = await fleet.add({}, { seal: OTHER });
      await stranger.latchkey.load(['S', 'T', 'U', { provider: 'P' }]);
      for (const scope of ['S', 'T', 'U', { provider: 'P' }]) expect(outlook(stranger.latchkey, scope)).toBe('missing');
      const upstream = new GoodTokens();
      upstream.good.add('token-own');
      const own = { tenant: 'own', session: 'S' };
      stranger.latchkey.capture(own, bearer('token-own'));
      expect(await stranger.latchkey.run(own, upstream.attempt)).toBe('token-own');
      // Verdicts are not sealed: what is rejected here is rejected there.
      stranger.latchkey.capture({ tenant: 'own', session: 'T' }, bearer('token-T')).settle(401);
      await eventually(() => a.explain('T').candidates[0]?.reason === 'rejected');
      await pause(600);
      expect(stranger.problems).toEqual(['STORE_SEAL']);
      expect(stranger.states).toEqual(['up']);
      for (const { problems } of fleet.processes.slice(0, 2)) expect(problems).toEqual([]);

      await stranger.close();
      fleet.processes.pop();
      const next = await fleet.add();
      await fleet.converge('S', 'T', 'U', { provider: 'P' });
      expect(['S', 'U', { provider: 'P' }].map((scope) => outlook(next.latchkey, scope))).toEqual(['token-S', 'token-U', 'token-pin']);
      expect(next.latchkey.explain('T').candidates[0]).toMatchObject({ source: 'session', reason: 'rejected' });
      expect(next.problems).toEqual([]);
    });

    it('a new key in front opens what the old one sealed; those that have only the old one say that they cannot', async () => {
      const fleet = await start(1, { seal: SEAL });
      const old = fleet.processes[0]!;
      old.latchkey.capture('S', bearer('token-s'));
      old.latchkey.pin({ provider: 'P' }, bearer('token-pin'));
      const rotated = await fleet.add({}, { seal: [OTHER, SEAL] });
      await fleet.converge('S', { provider: 'P' });
      expect(outlook(rotated.latchkey, 'S')).toBe('token-s');
      expect(outlook(rotated.latchkey, { provider: 'P' })).toBe('token-pin');
      await old.latchkey.load([{ tenant: 'new', session: 'S' }]);
      rotated.latchkey.capture({ tenant: 'new', session: 'S' }, bearer('token-new'));
      await eventually(() => old.problems.length > 0);
      expect(old.problems).toEqual(['STORE_SEAL']);
      expect(outlook(old.latchkey, 'S')).toBe('token-s');
      await old.close();
      fleet.processes.shift();
      const second = await fleet.add({}, { seal: [OTHER, SEAL] });
      await fleet.converge('S', { provider: 'P' }, { tenant: 'new', session: 'S' });
      expect(outlook(second.latchkey, { tenant: 'new', session: 'S' })).toBe('token-new');
      expect(outlook(second.latchkey, 'S')).toBe('token-s');
      for (const { problems } of fleet.processes) expect(problems).toEqual([]);
    });

    it('the old key may go once everything was presented again, if the names stay', async () => {
      const fleet = await start(1, { seal: [OTHER, SEAL], fingerprintKey: NAMING });
      const [a] = fleet.latchkeys as [Latchkey];
      a.capture('S', bearer('token-s')).settle(401);
      const next = await fleet.add({}, { seal: OTHER });
      await fleet.converge('S');
      expect(next.latchkey.explain('S').candidates[0]).toMatchObject({ source: 'session', reason: 'rejected' });
      a.capture('S', bearer('token-2'));
      await fleet.converge('S');
      expect(outlook(next.latchkey, 'S')).toBe('token-2');
    });
  });

  describe('without a key', () => {
    const KEYLESS = { seal: undefined, fingerprintKey: NAMING };
    const A = bearer('token-a-of-some-length');
    const B = bearer('token-b-of-some-length');

    it('credentials stay where they were presented, pins too', async () => {
      const fleet = await start(2, KEYLESS);
      const [a, b] = fleet.latchkeys as [Latchkey, Latchkey];
      a.capture('S', A);
      a.pin({ provider: 'P' }, B);
      b.capture('T', B);
      await eventually(async () => (await redis.keys(`{${fleet.namespace}}:lk:s:*`)).length === 2);
      for (const latchkey of [a, b]) await latchkey.load(['S', 'T', { provider: 'P' }]);
      expect([outlook(a, 'S'), outlook(a, { provider: 'P' })]).toEqual([A.reveal(), B.reveal()]);
      expect([outlook(b, 'T'), outlook(b, { provider: 'P' })]).toEqual([B.reveal(), 'missing']);
      expect(b.snapshot().slots.filter(({ scope }) => scope.session === 'S')).toEqual([]);
      for (const { problems, states } of fleet.processes) expect([problems, states]).toEqual([[], ['up']]);
    });

    it('no value is in the store, sealed or not', async () => {
      const fleet = await start(1, KEYLESS);
      const [a] = fleet.latchkeys as [Latchkey];
      a.capture('S', A).settle(401);
      a.pin({ provider: 'P' }, B);
      await eventually(async () => (await redis.keys(`{${fleet.namespace}}:lk:t:*`)).length === 1);
      const held: string[] = [];
      for (const key of await redis.keys(`{${fleet.namespace}}*`)) {
        if ((await redis.type(key)) === 'hash') held.push(JSON.stringify(await redis.hGetAll(key)));
      }
      expect(held.length).toBeGreaterThan(2);
      // A slot and a pin without a sealed value end where it would begin.
      const slots = held.flatMap((one) => one.match(/"[pgx]\.[0-9a-f]{32}":"[^"]*"/g) ?? []);
      expect(slots).toHaveLength(3);
      for (const slot of slots) expect(slot).toMatch(/\|"$/);
      expect(held.join()).not.toMatch(/token-[ab]/);
    });

    it('verdicts on what both were presented are shared: rejections, proofs, 403s, holds, forgiveness', async () => {
      const fleet = await start(2, KEYLESS);
      const [a, b] = fleet.latchkeys as [Latchkey, Latchkey];
      for (const latchkey of [a, b]) {
        for (const session of ['S', 'T']) latchkey.capture(session, A);
        await latchkey.load(['S', 'T']);
      }
      const shows = (latchkey: Latchkey, ...expected: string[]) =>
        eventually(() => expect(['S', 'T'].map((session) => outlook(latchkey, session))).toEqual(expected));
      const settle = (latchkey: Latchkey, session: string, outcome: unknown): void => {
        const resolution = latchkey.resolve(session);
        if (!resolution.ok) throw new Error(resolution.reason);
        resolution.lease.settle(outcome);
      };
      const value = A.reveal();
      settle(a, 'S', 401);
      await shows(b, 'rejected', 'rejected');
      b.capture('T', A).settle(200);
      await shows(a, value, value);
      settle(b, 'S', 403);
      await shows(a, 'rejected', value);
      a.forgive('S');
      await shows(b, value, value);
      settle(a, 'T', { holdMs: 60_000 });
      await shows(b, 'held', 'held');
      b.forgive(A.fingerprint);
      await shows(a, value, value);
    });

    it('a run goes on with fresh auth that its own process is presented, and not with another’s', async () => {
      const fleet = await start(2, KEYLESS);
      const [a, b] = fleet.latchkeys as [Latchkey, Latchkey];
      const upstream = new GoodTokens();
      upstream.good.add(B.reveal());
      for (const latchkey of [a, b]) latchkey.capture('S', A);
      const runs = [a, b].map((latchkey) => latchkey.run('S', upstream.attempt, { whenBlocked: 'park', parkMs: 20_000 }));
      await eventually(() => [a, b].every((latchkey) => latchkey.stats().waiting === 1));
      // The fleet met the rejection once.
      expect(upstream.answered).toBe(1);
      a.capture('S', B);
      expect(await runs[0]).toBe(B.reveal());
      await pause(300);
      expect(b.stats().waiting).toBe(1);
      expect(b.canRun('S')).toBe(false);
      b.capture('S', B);
      expect(await runs[1]).toBe(B.reveal());
    });

    it('an eviction is everybody’s', async () => {
      const fleet = await start(2, KEYLESS);
      const [a, b] = fleet.latchkeys as [Latchkey, Latchkey];
      for (const latchkey of [a, b]) latchkey.capture('S', A);
      await eventually(() => a.isLoaded('S') && b.isLoaded('S'));
      await pause(50);
      a.evict('S');
      await eventually(() => outlook(b, 'S') === 'missing');
    });
  });
});
