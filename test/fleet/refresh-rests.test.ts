import { describe, expect, it } from 'vitest';
import { bearer, type Credential, type Latchkey, type Scope } from '../../src/index.js';
import { statusError } from '../support/attempts.js';
import { credentialOf, frozenFleet, pass } from '../support/frozen-fleet.js';
import { jwtUntil } from '../support/jwt.js';
import type { MemoryProcess } from '../support/memory-fleet.js';
import { endpointDown, invalidGrant } from '../support/refreshing.js';

const OLD = 'token-0';
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** What is nothing to wait for is asked for again after so long. */
const REST_MS = 10 * MINUTE_MS;

function work(latchkey: Latchkey, scope: Scope): Promise<string> {
  const attempt = latchkey.run(scope, async ({ credential }) => {
    if (credential.reveal() === OLD) throw statusError(401);
    return credential.reveal();
  });
  return attempt.catch((error: { code: string }) => error.code);
}

function raise(error: Error): never {
  throw error;
}

describe('a refresh that came to nothing', () => {
  const world = frozenFleet();
  const calledOff = (): never => raise(Object.assign(new Error('called off'), { code: 'ERR_CANCELED' }));

  /** Each process knows a session of its own, which holds the same token; returns what counts the tries. */
  async function start(count: number, bring: () => Credential | undefined): Promise<{ processes: MemoryProcess[]; tries: () => number }> {
    let tries = 0;
    const refresh = async (): Promise<Credential | undefined> => {
      tries++;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return bring();
    };
    for (let index = 0; index < count; index++) world.fleet.add({ fallback: 'none', refresh });
    await world.fleet.ready();
    for (const [index, { latchkey }] of world.fleet.processes.entries()) latchkey.capture(`S${index}`, bearer(OLD));
    await pass(100);
    return { processes: world.fleet.processes, tries: () => tries };
  }

  /** Each process in turn wants it, `everyMs` apart. */
  async function want(processes: readonly MemoryProcess[], everyMs: number): Promise<void> {
    for (const [index, { latchkey }] of processes.entries()) {
      void work(latchkey, `S${index}`);
      await pass(everyMs);
    }
  }

  it.each([
    ['brought nothing', () => undefined],
    ['was called off', calledOff],
  ])('because it %s is not made again by anybody within ten minutes, and is once after', async (_, bring) => {
    const { processes, tries } = await start(4, bring);
    for (let minute = 0; minute < 9; minute++) await want(processes, MINUTE_MS / 4);
    expect(tries()).toBe(1);
    await pass(REST_MS - 9 * MINUTE_MS + 1_000);
    await want(processes, MINUTE_MS / 4);
    expect(tries()).toBe(2);
  });

  it.each([
    ['brought nothing', () => undefined],
    ['was called off', calledOff],
  ])('because it %s while others waited is not made again by those', async (_, bring) => {
    const { processes, tries } = await start(4, bring);
    await want(processes, 0);
    await pass(MINUTE_MS);
    expect(tries()).toBe(1);
  });

  it.each([
    ['it brought nothing', () => undefined],
    ['it was called off', calledOff],
    ['it was refused', () => raise(invalidGrant())],
  ])('because %s may be made again, by any process, once one has forgiven', async (_, bring) => {
    const { processes, tries } = await start(3, bring);
    await want(processes, 1_000);
    expect(tries()).toBe(1);
    processes[0]!.latchkey.forgive(bearer(OLD).fingerprint);
    await pass(100);
    await want(processes.slice(2), 1_000);
    expect(tries()).toBe(2);
  });

  it('for long is tried again by one process, and nobody waits for that, in whichever', async () => {
    const { processes, tries } = await start(2, () => raise(endpointDown()));
    const [trying, other] = processes;
    void work(trying!.latchkey, 'S0');
    await pass(20 * MINUTE_MS);
    expect(trying!.latchkey.status('S0').state).toBe('auth_retrying');
    const before = tries();
    const at = Date.now();
    let [ended, tookMs] = ['', 0];
    void work(other!.latchkey, 'S1').then((code) => {
      [ended, tookMs] = [code, Date.now() - at];
    });
    await pass(90_000);
    expect(ended).toBe('AUTH_RETRYING');
    expect(tookMs).toBeLessThan(5_000);
    expect(tries()).toBe(before);
  });

  it.each([
    ['for a while', 'w.', () => undefined],
    ['for good', 'u.', () => raise(invalidGrant())],
  ])('%s counts in a process that gets to know the tenant only later, when the store is away', async (_, prefix, bring) => {
    const asked: string[] = [];
    const add = (name: string): MemoryProcess =>
      world.fleet.add({
        tenancy: 'multi',
        fallback: 'none',
        refresh: async () => {
          asked.push(name);
          return bring();
        },
      });
    const [one, late] = [add('one'), add('late')];
    await world.fleet.ready();
    // The same bytes, so that it hears of them.
    late.latchkey.capture({ tenant: 'U', session: 's' }, bearer(OLD));
    one.latchkey.capture({ tenant: 'T', session: 's' }, bearer(OLD));
    await pass(100);
    void work(one.latchkey, { tenant: 'T', session: 's' });
    await pass(1_000);
    const fields = world.fleet.store.dump().flatMap((record) => Object.keys(record.fields));
    expect(fields.filter((field) => field.startsWith(prefix))).toHaveLength(1);
    late.carrier.down = true;
    late.latchkey.capture({ tenant: 'T', session: 's' }, bearer(OLD));
    // As long as a right of another process's is waited for.
    void work(late.latchkey, { tenant: 'T', session: 's' });
    await pass(MINUTE_MS);
    expect(asked).toEqual(['one']);
    void work(late.latchkey, { tenant: 'U', session: 's' });
    await pass(MINUTE_MS);
    expect(asked).toEqual(['one', 'late']);
  });
});

describe('what a refresh brought', () => {
  const world = frozenFleet();

  it('is worked with by a process whose clock is two hours ahead, and says so', async () => {
    let refreshes = 0;
    const refresh = async (): Promise<Credential> => bearer(jwtUntil(Date.now() + HOUR_MS, `refreshed ${++refreshes}`));
    const right = world.fleet.add({ refresh });
    const wrong = world.fleet.add({ refresh, clock: { now: () => Date.now() + 2 * HOUR_MS } });
    const told: unknown[] = [];
    wrong.latchkey.on('error', ({ error }) => void told.push(error));
    await world.fleet.ready();
    right.latchkey.capture('S', bearer(jwtUntil(Date.now() + HOUR_MS)));
    await pass(100);
    await wrong.latchkey.load(['S']);
    let worked = 0;
    for (let minute = 0; minute < 25; minute++) {
      await wrong.latchkey.run('S', () => void worked++);
      await pass(MINUTE_MS);
    }
    expect({ refreshes, worked }).toEqual({ refreshes: 1, worked: 25 });
    expect(told).toMatchObject([{ code: 'STORE_SKEW' }]);
    expect(credentialOf(right.latchkey, 'S')).toBe(credentialOf(wrong.latchkey, 'S'));
  });
});
