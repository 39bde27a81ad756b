import { describe, expect, it } from 'vitest';
import { bearer, type Credential, type Latchkey, type Lease } from '../../src/index.js';
import { statusError } from '../support/attempts.js';
import { frozenFleet, pass } from '../support/frozen-fleet.js';
import { invalidGrant } from '../support/refreshing.js';

const OLD = 'token-0';
const NEW = 'new-of-Y';
const [X, Y] = [
  { tenant: 'X', session: 's' },
  { tenant: 'Y', session: 's' },
];
/** What a refresh for X takes, and for Y. */
const TAKES_MS = { X: 1_000, Y: 100 } as const;

function work(latchkey: Latchkey, scope: typeof X): Promise<string> {
  const attempt = latchkey.run(scope, async ({ credential }) => {
    if (credential.reveal() === OLD) throw statusError(401);
    return credential.reveal();
  });
  return attempt.catch((error: { code: string }) => error.code);
}

describe.each([1, 2])('two tenants that hold the same token, known to %i process(es)', (count) => {
  const world = frozenFleet();

  type Brings = () => Credential | undefined;

  /** What a refresh comes to for each; unless told, Y has a refresh token of its own. */
  async function start(forX: Brings, forY: Brings = () => bearer(NEW)): Promise<{ x: Latchkey; y: Latchkey; asked: string[] }> {
    const asked: string[] = [];
    const refresh = async ({ scope }: Lease): Promise<Credential | undefined> => {
      asked.push(scope.tenant ?? '');
      await new Promise((resolve) => setTimeout(resolve, TAKES_MS[scope.tenant === 'X' ? 'X' : 'Y']));
      return scope.tenant === 'X' ? forX() : forY();
    };
    for (let index = 0; index < count; index++) world.fleet.add({ tenancy: 'multi', fallback: 'none', refresh });
    await world.fleet.ready();
    const [x, y = x] = world.fleet.processes.map(({ latchkey }) => latchkey);
    x!.capture(X, bearer(OLD));
    y!.capture(Y, bearer(OLD));
    await pass(100);
    return { x: x!, y: y!, asked };
  }

  it.each<[string, Brings]>([
    ['refused', () => raise(invalidGrant())],
    ['found to bring nothing', () => undefined],
    ['called off', () => raise(Object.assign(new Error('called off'), { code: 'ERR_CANCELED' }))],
    ['going to be tried again', () => raise(statusError(503))],
  ])('the refresh of one is %s: the other’s is made all the same', async (_, forX) => {
    const { x, y, asked } = await start(forX);
    void work(x, X);
    await pass(2_000);
    const done = work(y, Y);
    await pass(2_000);
    expect(await done).toBe(NEW);
    expect(asked).toEqual(['X', 'Y']);
  });

  it.each<[string, Brings]>([
    ['refused', () => raise(invalidGrant())],
    ['found to bring nothing', () => undefined],
  ])('the refresh of one is out when the other begins, and then %s: the other does not wait for it', async (_, forX) => {
    const { x, y, asked } = await start(forX);
    void work(x, X);
    await pass(50);
    const done = work(y, Y);
    await pass(TAKES_MS.X - 100);
    expect(asked).toEqual(['X', 'Y']);
    expect(await done).toBe(NEW);
    await pass(2_000);
    expect(await work(y, Y)).toBe(NEW);
  });

  it.each<[string, Brings, string]>([
    ['refused', () => raise(invalidGrant()), 'CREDENTIAL_REJECTED'],
    ['found to bring nothing', () => undefined, 'CREDENTIAL_REJECTED'],
  ])('the refresh of one is out when the other’s is %s: that does not end it', async (_, forY, code) => {
    const { x, y, asked } = await start(() => bearer('new-of-X'), forY);
    const first = work(x, X);
    await pass(50);
    const second = work(y, Y);
    await pass(2_000);
    expect(await Promise.all([first, second])).toEqual(['new-of-X', code]);
    expect(asked).toEqual(['X', 'Y']);
  });
});

describe('what a session lent, in a process that does not know who', () => {
  const world = frozenFleet();

  /** Refresh tokens are kept by session, and each is called with the session and the token that it was asked for. */
  function logins(tokens: Readonly<Record<string, 'good' | 'revoked'>>): {
    readonly calls: string[];
    readonly refresh: (lease: Lease) => Promise<Credential | undefined>;
  } {
    const calls: string[] = [];
    const refresh = async ({ scope: { session = '' }, credential }: Lease): Promise<Credential | undefined> => {
      calls.push(`${session}: ${credential.reveal()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
      const token = Object.hasOwn(tokens, session) ? tokens[session] : undefined;
      if (token === 'revoked') throw invalidGrant();
      return token && bearer(`${session}-2`);
    };
    return { calls, refresh };
  }

  const run = (latchkey: Latchkey, scope: string | object): Promise<string> =>
    latchkey.run(scope, ({ credential }) => credential.reveal()).catch((error: { code: string }) => error.code);

  const expiring = (value: string): Credential => bearer(value, { expiresAt: Date.now() + 1_000 });

  it.each(['no', 'a revoked'])('is refreshed for whoever lent it all the same, if the borrower has %s login of its own', async (own) => {
    const { calls, refresh } = logins(own === 'no' ? { bob: 'good' } : { ada: 'revoked', bob: 'good' });
    const [front, worker] = [world.fleet.add({ refresh }), world.fleet.add({ refresh })];
    await world.fleet.ready();
    if (own !== 'no') front.latchkey.capture('ada', expiring('ada-1'));
    await pass(50);
    front.latchkey.capture('bob', expiring('bob-1'));
    await pass(2_000);
    void run(worker.latchkey, 'ada');
    await pass(2_000);
    void run(worker.latchkey, 'ada');
    await pass(2_000);
    const done = run(front.latchkey, 'bob');
    await pass(2_000);
    expect(await done).toBe('bob-2');
    expect(calls).toEqual([...(own === 'no' ? [] : ['ada: ada-1']), ': bob-1', 'bob: bob-1']);
  });

  it('is refreshed for whoever lent it right after the borrower has found nothing, and stays refreshed', async () => {
    const { calls, refresh } = logins({ bob: 'good' });
    const [front, worker] = [world.fleet.add({ refresh }), world.fleet.add({ refresh })];
    await world.fleet.ready();
    front.latchkey.capture('bob', expiring('bob-1'));
    await pass(50);
    await worker.latchkey.load(['ada']);
    await pass(2_000);
    void run(worker.latchkey, 'ada');
    await pass(20);
    const first = run(front.latchkey, 'bob');
    await pass(1_000);
    expect(await first).toBe('bob-2');
    for (let minute = 0; minute < 11; minute++) {
      expect(await run(front.latchkey, 'bob')).toBe('bob-2');
      expect(await run(worker.latchkey, 'ada')).toBe('bob-2');
      await pass(60_000);
    }
    expect(calls).toEqual([': bob-1', 'bob: bob-1']);
  });

  it('is refreshed for whoever lent it where that is known, on behalf of work of no session', async () => {
    const { calls, refresh } = logins({ bob: 'good' });
    const front = world.fleet.add({ refresh });
    await world.fleet.ready();
    front.latchkey.capture('bob', expiring('bob-1'));
    await pass(2_000);
    const done = run(front.latchkey, {});
    await pass(500);
    expect(await done).toBe('bob-2');
    expect(calls).toEqual(['bob: bob-1']);
  });
});

function raise(error: Error): never {
  throw error;
}

describe('the refresh of a token that another tenant holds, too', () => {
  const world = frozenFleet();

  it.each<[string, () => Promise<Credential | undefined>]>([
    ['has nothing to refresh it with', async () => undefined],
    ['takes long over it', () => new Promise((resolve) => setTimeout(() => resolve(undefined), 20_000))],
  ])('is one for all processes, though the other %s', async (_, forOther) => {
    let asked = 0;
    const refresh = async ({ scope }: Lease): Promise<Credential | undefined> => {
      if (scope.tenant === Y.tenant) return forOther();
      const brought = `new-${++asked}`;
      await new Promise((resolve) => setTimeout(resolve, 400));
      return bearer(brought);
    };
    for (let index = 0; index < 4; index++) world.fleet.add({ tenancy: 'multi', refresh });
    await world.fleet.ready();
    for (const { latchkey } of world.fleet.processes) for (const scope of [X, Y]) latchkey.capture(scope, bearer(OLD));
    await pass(100);
    const runs = world.fleet.processes.map(({ latchkey }) => work(latchkey, X));
    await pass(30_000);
    expect([await Promise.all(runs), asked]).toEqual([Array(4).fill('new-1'), 1]);
  });
});
