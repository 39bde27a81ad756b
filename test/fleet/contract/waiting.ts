import { expect, it } from 'vitest';
import { bearer, createIdleLoop } from '../../../src/index.js';
import { throwing } from '../../support/attempts.js';
import { eventually } from '../../support/redis-fleet.js';
import type { Start } from './contract.js';
import { type ContractFleet, leaseFor } from './fleet.js';

const A = bearer('value-a');
const B = bearer('value-b');

async function blocked(start: Start): Promise<ContractFleet> {
  const fleet = await start();
  await fleet.load('S', 'T');
  fleet.hands[0].capture('S', A);
  await fleet.agree();
  leaseFor(fleet.hands[1], 'S').settle(401);
  await fleet.shows(['S', 'rejected']);
  return fleet;
}

export function describeWaiting(start: Start): void {
  it('a run uses what another process captured, without being told to load it', async () => {
    const fleet = await start();
    const [a, b, c, d] = fleet.hands;
    a.capture('S', A);
    await fleet.arrived();
    const upstream = throwing({});
    for (const latchkey of [b, c, d]) expect(await latchkey.run('S', upstream.attempt)).toBe('ok value-a');
    expect(upstream.sent).toEqual(['value-a', 'value-a', 'value-a']);
  });

  it('a run meets the block that another one’s call made, and sends nothing', async () => {
    const fleet = await start();
    const [a, b, c] = fleet.hands;
    a.capture('S', A);
    await fleet.arrived();
    const upstream = throwing({ 'value-a': 401 });
    await expect(b.run('S', upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED', status: 401 });
    await fleet.arrived();
    await expect(c.run('S', upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED', status: 401 });
    expect(await a.run('S', upstream.attempt, { whenBlocked: 'skip' })).toBeUndefined();
    expect(upstream.sent).toEqual(['value-a']);
  });

  it('case 34: a run whose credential dies while another arrives elsewhere repeats with that one', async () => {
    const fleet = await start();
    const [a, b] = fleet.hands;
    await fleet.load('S');
    a.capture('S', A);
    await fleet.agree();
    const upstream = throwing({ 'value-a': 401 });
    const done = a.run('S', async (lease) => {
      if (upstream.sent.length === 0) {
        b.capture('S', B);
        await fleet.agree();
      }
      return upstream.attempt(lease);
    });
    expect(await done).toBe('ok value-b');
    expect(upstream.sent).toEqual(['value-a', 'value-b']);
    await fleet.shows(['S', 'value-b']);
    for (const latchkey of fleet.latchkeys) expect(latchkey.stats().openIncidents).toBe(0);
  });

  it('case 46: parked runs of every process go on with fresh auth that one of them hears', async () => {
    const fleet = await blocked(start);
    const upstream = throwing({ 'value-a': 401 });
    const runs = fleet.hands.map((latchkey) => latchkey.run('S', upstream.attempt, { whenBlocked: 'park', parkMs: 20_000 }));
    await eventually(() => fleet.latchkeys.every((latchkey) => latchkey.stats().waiting > 0));
    fleet.hands[2].capture('S', B);
    expect(await Promise.all(runs)).toEqual(['ok value-b', 'ok value-b', 'ok value-b', 'ok value-b']);
    expect(upstream.sent.filter((value) => value === 'value-a')).toEqual([]);
    await fleet.agree();
    for (const latchkey of fleet.latchkeys) expect(latchkey.stats()).toMatchObject({ openIncidents: 0, waiting: 0 });
  });

  it('case 46: a borrower that is parked elsewhere goes on, too', async () => {
    const fleet = await blocked(start);
    const upstream = throwing({});
    const run = fleet.hands[1].run('T', upstream.attempt, { whenBlocked: 'park', parkMs: 20_000 });
    await eventually(() => fleet.hands[1].stats().waiting === 1);
    fleet.hands[3].capture('S', B);
    expect(await run).toBe('ok value-b');
  });

  it('whenRunnable resolves everywhere with a capture elsewhere, a proof elsewhere, and forgiveness elsewhere', async () => {
    const fleet = await start();
    const [a, b, c, d] = fleet.hands;
    await fleet.load('S');
    const everybody = () => Promise.all(fleet.latchkeys.map((latchkey) => latchkey.whenRunnable('S', { timeoutMs: 20_000 })));
    const first = everybody();
    a.capture('S', A);
    await first;
    leaseFor(b, 'S').settle(401);
    await fleet.shows(['S', 'rejected']);
    const second = everybody();
    c.capture('S', A).settle(200);
    await second;
    await fleet.agree();
    leaseFor(a, 'S').settle(401);
    await fleet.shows(['S', 'rejected']);
    const third = everybody();
    d.forgive('S');
    await third;
    await fleet.shows(['S', 'value-a']);
  });

  it('case 52: an idle loop skips what is blocked elsewhere, and resumes at its first tick after fresh auth there', async () => {
    const fleet = await blocked(start);
    const [a, b] = fleet.hands;
    const upstream = throwing({ 'value-a': 401 });
    const loop = createIdleLoop(b, {
      everyMs: 3_600_000,
      items: () => ['S'],
      scope: (session) => session,
      task: async (_, { run }) => run(upstream.attempt),
    });
    for (let tick = 0; tick < 10; tick++) expect(await loop.tick()).toMatchObject({ done: 0, blocked: 1 });
    expect(upstream.sent).toEqual([]);
    a.capture('S', B);
    await fleet.agree();
    expect(await loop.tick()).toMatchObject({ done: 1, blocked: 0 });
    expect(upstream.sent).toEqual(['value-b']);
    await loop.stop();
  });

  it('case 52: a loop that never heard of a session works for it at its first tick', async () => {
    const fleet = await start();
    const [a, b] = fleet.hands;
    a.capture('S', A);
    await fleet.arrived();
    const upstream = throwing({});
    const loop = createIdleLoop(b, {
      everyMs: 3_600_000,
      items: () => ['S'],
      scope: (session) => session,
      task: async (_, { run }) => run(upstream.attempt),
    });
    expect(await loop.tick()).toMatchObject({ done: 1, blocked: 0 });
    expect(upstream.sent).toEqual(['value-a']);
    await loop.stop();
  });

  it('case 52: woken by fresh auth elsewhere, it does not wait for the tick', async () => {
    const fleet = await blocked(start);
    const [a, b] = fleet.hands;
    const upstream = throwing({});
    const loop = createIdleLoop(b, {
      everyMs: 3_600_000,
      items: () => ['S'],
      scope: (session) => session,
      task: async (_, { run }) => run(upstream.attempt),
      wakeOnFreshAuth: true,
    });
    loop.start();
    expect(await loop.tick()).toMatchObject({ blocked: 1 });
    a.capture('S', B);
    await eventually(() => upstream.sent.length > 0);
    expect(upstream.sent).toEqual(['value-b']);
    await loop.stop();
  });

  it('L4: of many runs on a token that is dead, in every process at once, one meets the rejection', async () => {
    const fleet = await start();
    await fleet.load('S');
    fleet.hands[0].capture('S', A);
    await fleet.agree();
    const upstream = throwing({ 'value-a': 401 });
    const runs = fleet.hands.flatMap((latchkey) => [1, 2, 3].map(() => latchkey.run('S', upstream.attempt).catch((error) => error.code)));
    expect(new Set(await Promise.all(runs))).toEqual(new Set(['CREDENTIAL_REJECTED']));
    expect(upstream.sent).toEqual(['value-a']);
  });
}
