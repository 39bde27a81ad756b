import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { bearer, type Scope } from '../../src/index.js';
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.js';
import type { Commands, Opening } from './processes/commands.js';
import { endFleet, type FleetProcess, openFleet, startProcesses } from './processes/driver.js';
import { until } from './processes/until.js';

const SEAL = 'a sealing secret of 32 characters or more';
const WAIT_MS = 10_000;

/** Who captured what at the gateway. */
const CAPTURED: readonly (readonly [Scope, string])[] = [
  [{ tenant: 'acme', session: 's1', provider: 'anthropic' }, 'acme-s1-anthropic'],
  [{ tenant: 'acme', session: 's1', provider: 'openai' }, 'acme-s1-openai'],
  [{ tenant: 'acme', session: 's2', provider: 'openai' }, 'acme-s2-openai'],
  [{ tenant: 'umbrella', session: 's1', provider: 'anthropic' }, 'umbrella-s1-anthropic'],
  [{ tenant: 'umbrella', provider: 'openai' }, 'umbrella-openai'],
];
/** Nobody captured anything for these: their tenant has no such provider, or they name a tenant that nobody came from. */
const MISSING: readonly Scope[] = [
  { tenant: 'acme', session: 's1', provider: 'gemini' },
  { tenant: 'umbrella', session: 's1', provider: 'gemini' },
  { tenant: 'initech', session: 's1', provider: 'anthropic' },
  { tenant: 'initech', provider: 'openai' },
];

const used = (token: string, source: string) => ({ fingerprint: bearer(token).fingerprint, source });
/** Requests of no session present to the tenant. */
const ownOf = (scope: Scope, token: string) => used(token, (scope as { session?: string }).session === undefined ? 'global' : 'session');
const worker = (scope: Scope): Scope => ({ ...(scope as object), purpose: 'distillation' });

describeWithRedis('a process that works and captures nothing', () => {
  let server: RedisServer;
  let processes: FleetProcess[];
  let gateway: Commands;
  let works: Commands;
  let opening: Omit<Opening, 'client'>;

  beforeAll(async () => {
    [server, processes] = await Promise.all([startRedis(), startProcesses(2)]);
    [gateway, works] = processes.map(({ tell }) => tell) as [Commands, Commands];
  });
  afterAll(async () => {
    await endFleet(processes);
    await server.stop();
  });
  beforeEach(() => {
    opening = { redisUrl: server.url, namespace: randomUUID(), seal: SEAL, options: { tenancy: 'multi' } };
  });
  afterEach(() => Promise.all(processes.map(({ tell }) => tell.close())));

  /** The gateway's captures are in the store, and the worker has not asked for anything. */
  const start = async (): Promise<void> => {
    await openFleet(processes, opening);
    for (const [scope, token] of CAPTURED) await gateway.capture(scope, token);
    await gateway.flush();
  };

  it('serves at its first idle tick every session that was captured elsewhere, each with its own credential', async () => {
    await start();
    const scopes = [...CAPTURED.map(([scope]) => worker(scope)), ...MISSING];
    const { summary, ran } = await works.idle(scopes);
    expect(summary).toEqual({ done: CAPTURED.length, failed: 0, blocked: MISSING.length, busy: 0 });
    expect(ran).toEqual(Object.fromEntries(CAPTURED.map(([scope, token]) => [JSON.stringify(worker(scope)), ownOf(scope, token)])));
  });

  it('serves each of them at its first run', async () => {
    await start();
    for (const [scope, token] of CAPTURED) expect(await works.run(worker(scope), 'throw')).toMatchObject({ ran: ownOf(scope, token) });
    for (const scope of MISSING) expect(await works.run(scope, 'throw')).toEqual({ code: 'CREDENTIAL_MISSING' });
  });

  it('serves them when they are all asked for at once', async () => {
    await start();
    const results = await Promise.all(CAPTURED.map(([scope]) => works.run(worker(scope), 'throw')));
    expect(results).toMatchObject(CAPTURED.map(([scope, token]) => ({ ran: ownOf(scope, token) })));
  });

  it('lends a session that presented nothing what its tenant captured last for the provider, and nothing of another', async () => {
    await start();
    const cold = (tenant: string, provider: string): Scope => ({ tenant, session: 'cold', provider });
    expect(await works.run(cold('acme', 'openai'), 'throw')).toMatchObject({ ran: used('acme-s2-openai', 'global') });
    expect(await works.run(cold('umbrella', 'anthropic'), 'throw')).toMatchObject({ ran: used('umbrella-s1-anthropic', 'global') });
    expect(await works.run(cold('umbrella', 'openai'), 'throw')).toMatchObject({ ran: used('umbrella-openai', 'global') });
    for (const tenant of ['acme', 'umbrella', 'initech'])
      expect(await works.run(cold(tenant, 'gemini'), 'throw')).toEqual({ code: 'CREDENTIAL_MISSING' });
  });

  it('whenRunnable resolves for what was captured before it was asked, and for what is captured while it waits', async () => {
    await start();
    for (const [scope] of CAPTURED) await works.whenRunnable(worker(scope), WAIT_MS);
    const [late] = MISSING as [Scope];
    const waiting = works.whenRunnable(late, WAIT_MS);
    await works.load([late]);
    expect(await works.canRun([late])).toEqual([false]);
    await gateway.capture(late, 'late-token');
    await waiting;
    expect(await works.run(late, 'throw')).toMatchObject({ ran: used('late-token', 'session') });
  });

  it('a run that is parked for want of any credential goes on with what another process captures', async () => {
    await start();
    const [late] = MISSING as [Scope];
    const parked = works.run(late, 'park');
    await until('the run waits', async () => (await works.stats()).waiting === 1);
    await gateway.capture(late, 'late-token');
    expect(await parked).toMatchObject({ ran: used('late-token', 'session') });
  });

  it('canRun asks nobody: false until the scope is loaded, true from then on, and missing only where nobody captured', async () => {
    await start();
    const scopes = CAPTURED.map(([scope]) => worker(scope));
    const asked = [...scopes, ...MISSING];
    expect(await works.isLoaded(asked)).toEqual(asked.map(() => false));
    expect(await works.canRun(asked)).toEqual(asked.map(() => false));
    // Asking is not loading.
    expect(await works.isLoaded(asked)).toEqual(asked.map(() => false));
    await works.load(asked);
    expect(await works.isLoaded(asked)).toEqual(asked.map(() => true));
    expect(await works.canRun(asked)).toEqual([...scopes.map(() => true), ...MISSING.map(() => false)]);
    for (const scope of MISSING) expect(await works.reason(scope)).toBe('missing');
    for (const scope of scopes) expect(await works.reason(scope)).toBeUndefined();
  });

  it('knows of a rejection that was met before it started, and that it is one', async () => {
    await start();
    const [[scope]] = CAPTURED as [(typeof CAPTURED)[number]];
    await gateway.settle(scope, 401);
    await gateway.flush();
    expect(await works.run(worker(scope), 'throw')).toEqual({ code: 'CREDENTIAL_REJECTED' });
    expect(await works.reason(worker(scope))).toBe('rejected');
    // The other provider's is another identity.
    expect(await works.run(worker(CAPTURED[1]![0]), 'throw')).toMatchObject({ ran: used('acme-s1-openai', 'session') });
  });

  it('a process that takes another one’s place serves at once what that one captured', async () => {
    await start();
    await gateway.close();
    const [, second] = processes as [FleetProcess, FleetProcess];
    await openFleet([second], opening);
    for (const [scope, token] of CAPTURED) expect(await works.run(worker(scope), 'throw')).toMatchObject({ ran: ownOf(scope, token) });
  });

  it('names no tenant where there is only one', async () => {
    opening = { ...opening, options: {} };
    await openFleet(processes, opening);
    await gateway.capture('S', 'token-of-s');
    await gateway.flush();
    expect((await works.idle(['S', 'T'])).ran).toEqual({ '"S"': used('token-of-s', 'session'), '"T"': used('token-of-s', 'global') });
  });

  it('without `seal` it hears of verdicts, and has no credential but what it captures itself', async () => {
    opening = { ...opening, seal: undefined, fingerprintKey: SEAL };
    await start();
    const [[scope, token]] = CAPTURED as [(typeof CAPTURED)[number]];
    expect(await works.run(worker(scope), 'throw')).toEqual({ code: 'CREDENTIAL_MISSING' });
    await gateway.settle(scope, 401);
    await gateway.flush();
    await works.capture(scope, token);
    expect(await works.run(worker(scope), 'throw')).toEqual({ code: 'CREDENTIAL_REJECTED' });
  });
});
