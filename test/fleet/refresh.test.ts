import { describe, expect, it } from 'vitest';
import { apiKey, bearer, type Latchkey, type LatchkeyOptions, type Lease } from '../../src/index.js';
import { statusError } from '../support/attempts.js';
import { credentialOf, frozenFleet, pass } from '../support/frozen-fleet.js';
import type { MemoryProcess } from '../support/memory-fleet.js';
import { endpointDown } from '../support/refreshing.js';
import { TokenFamily } from '../support/token-family.js';

const SESSIONS = ['S0', 'S1', 'S2', 'S3'] as const;
const OLD = 'token-0';
const LOCK_MS = 32_000;

describe('a refresh in a fleet', () => {
  const world = frozenFleet();

  /** A process that works with its own sessions' credentials only. */
  function add(options: LatchkeyOptions & { readonly seal?: string | undefined } = {}): MemoryProcess {
    return world.fleet.add({ fallback: 'none', ...options });
  }

  async function start(count: number, options: LatchkeyOptions & { readonly seal?: string | undefined }): Promise<MemoryProcess[]> {
    for (let index = 0; index < count; index++) add(options);
    await world.fleet.ready();
    return world.fleet.processes;
  }

  /** Each process knows a session of its own, which holds the same token. */
  async function capture(processes: readonly MemoryProcess[], token = bearer(OLD)): Promise<void> {
    for (const [index, { latchkey }] of processes.entries()) latchkey.capture(SESSIONS[index] ?? '', token);
    await pass(100);
  }

  /** Ends with the value that it was done with, or the code of the error. */
  function work(latchkey: Latchkey, session: string): Promise<string> {
    const attempt = latchkey.run(session, async ({ credential }) => {
      if (credential.reveal() === OLD) throw statusError(401);
      return credential.reveal();
    });
    return attempt.catch((error: { code: string }) => error.code);
  }

  function kill({ carrier }: MemoryProcess): void {
    carrier.down = true;
  }

  it('is one call for all processes and sessions, whoever knows which, and its token reaches all', async () => {
    const family = new TokenFamily();
    const processes = await start(4, { refresh: family.refresh });
    await capture(processes);
    const runs = processes.flatMap(({ latchkey }, index) => [1, 2, 3].map(() => work(latchkey, SESSIONS[index] ?? '')));
    await pass(2_000);
    expect(await Promise.all(runs)).toEqual(Array(12).fill('token-1'));
    expect(family).toMatchObject({ tries: [OLD], isDead: false });
    for (const { latchkey } of processes) {
      await latchkey.load(SESSIONS);
      for (const session of SESSIONS) expect(credentialOf(latchkey, session)).toBe('token-1');
    }
    expect(processes.map(({ latchkey }) => latchkey.stats()).map(({ openIncidents }) => openIncidents)).toEqual([0, 0, 0, 0]);
  });

  it('spends no refresh token twice where the processes have different tokens of one login, and the rule says so', async () => {
    const family = new TokenFamily();
    const processes = await start(4, { refresh: family.refresh, refreshKey: () => 'one login' });
    for (const [index, { latchkey }] of processes.entries()) latchkey.capture(SESSIONS[index] ?? '', bearer(`old-${index}`));
    await pass(100);
    const runs = processes.map(({ latchkey }, index) =>
      latchkey.run(SESSIONS[index] ?? '', async ({ credential }) => {
        if (credential.reveal().startsWith('old-')) throw statusError(401);
        return credential.reveal();
      }),
    );
    await pass(6_000);
    expect((await Promise.all(runs)).sort()).toEqual(['token-1', 'token-2', 'token-3', 'token-4']);
    expect([...family.tries].sort()).toEqual(['old-0', 'old-1', 'old-2', 'old-3']);
    expect(family.isDead).toBe(false);
  });

  it('rests for one token alone where the rule names several alike', async () => {
    const tries: string[] = [];
    const refresh = async ({ credential }: Lease): Promise<undefined> => void tries.push(credential.reveal());
    const processes = await start(2, { refresh, refreshKey: () => 'one login' });
    for (const [index, { latchkey }] of processes.entries()) latchkey.capture(SESSIONS[index] ?? '', bearer(`old-${index}`));
    await pass(100);
    const fails = (): Promise<unknown> =>
      Promise.all(
        processes.map(({ latchkey }, index) => latchkey.run(SESSIONS[index] ?? '', () => Promise.reject(statusError(401))).catch(() => {})),
      );
    void fails();
    await pass(2_000);
    void fails();
    await pass(2_000);
    expect(tries.sort()).toEqual(['old-0', 'old-1']);
  });

  it('is one call for each generation, and old tokens that clients go on presenting change nothing', async () => {
    const family = new TokenFamily(100, 60_000);
    const processes = await start(4, { refresh: family.refresh, expiry: { advisoryMs: 10_000, jitterMs: 0 } });
    await capture(processes, family.token(0));
    for (let second = 0; second < 220; second++) {
      for (const [index, { latchkey }] of processes.entries()) {
        latchkey.capture(SESSIONS[index] ?? '', bearer(OLD));
        void latchkey.run(SESSIONS[index] ?? '', ({ credential }) => credential.reveal());
      }
      await pass(1_000);
    }
    expect(family.tries).toEqual(['token-0', 'token-1', 'token-2', 'token-3']);
    expect(family.isDead).toBe(false);
    for (const [index, { latchkey }] of processes.entries()) expect(credentialOf(latchkey, SESSIONS[index] ?? '')).toBe('token-4');
  });

  it('reaches a session that is loaded later, which the refreshing process did not know', async () => {
    const family = new TokenFamily();
    const [one, two, three] = await start(3, { refresh: family.refresh });
    two!.latchkey.capture('S1', bearer(OLD));
    await pass(100);
    kill(two!);
    one!.latchkey.capture('S0', bearer(OLD));
    const done = work(one!.latchkey, 'S0');
    await pass(2_000);
    expect(await done).toBe('token-1');
    const heard: unknown[] = [];
    three!.latchkey.on('captured', (event) => heard.push(event));
    await three!.latchkey.load(['S1']);
    await pass(100);
    expect(credentialOf(three!.latchkey, 'S1')).toBe('token-1');
    const fresh = { fingerprint: bearer('token-1').fingerprint, usable: true, pinned: false, remote: true };
    expect(heard).toContainEqual({ ...fresh, scope: { session: 'S1' }, refreshed: true });
    // That it was another for a moment is nobody's concern.
    expect(heard).not.toContainEqual(expect.objectContaining({ fingerprint: bearer(OLD).fingerprint }));
    expect(family.tries).toEqual([OLD]);
    kill(three!);
    const [four] = [add()];
    await four.latchkey.load(['S1']);
    expect(credentialOf(four.latchkey, 'S1')).toBe('token-1');
  });

  it('reaches what a session lent whose process has died, and goes with that session', async () => {
    const family = new TokenFamily();
    const [lender, borrower, other] = await start(3, { refresh: family.refresh, fallback: 'global' });
    lender!.latchkey.capture('lender', bearer(OLD));
    await pass(100);
    kill(lender!);
    const done = work(borrower!.latchkey, 'borrower');
    await pass(2_000);
    expect(await done).toBe('token-1');
    const stored = world.fleet.store.dump().flatMap(({ fields }) => Object.entries(fields));
    const slots = stored.filter(([field]) => /^[pg]\./.test(field)).map(([, text]) => text.split('|')[2]);
    const [successor] = stored.filter(([field]) => field.startsWith('n.')).map(([, text]) => text.split('|')[1]);
    expect(slots).toEqual([successor, successor]);
    expect(await work(other!.latchkey, 'another')).toBe('token-1');
    expect(family.tries).toEqual([OLD]);
    other!.latchkey.evict('lender');
    await pass(100);
    expect(credentialOf(borrower!.latchkey, 'borrower')).toBe('missing');
    expect(credentialOf(other!.latchkey, 'another')).toBe('missing');
  });

  it('reaches a session that presents the old token for the first time afterwards', async () => {
    const family = new TokenFamily();
    const [one, two] = await start(2, { refresh: family.refresh });
    await capture([one!]);
    const done = work(one!.latchkey, 'S0');
    await pass(2_000);
    expect(await done).toBe('token-1');
    two!.latchkey.capture('S1', bearer(OLD));
    await pass(100);
    expect(credentialOf(two!.latchkey, 'S1')).toBe('token-1');
    expect(family.tries).toEqual([OLD]);
  });

  it('replaces a pin everywhere, which is taken away by whoever pinned it', async () => {
    const refresh = async () => apiKey('key-1');
    const [pinner, worker] = await start(2, { refresh });
    const unpin = pinner!.latchkey.pin({}, apiKey('key-0'));
    await pass(100);
    await worker!.latchkey.load(['S']);
    expect(credentialOf(worker!.latchkey, 'S')).toBe('key-0');
    const done = worker!.latchkey.run('S', async ({ credential }) => {
      if (credential.reveal() === 'key-0') throw statusError(401);
      return credential.reveal();
    });
    await pass(1_000);
    expect(await done).toBe('key-1');
    expect(credentialOf(pinner!.latchkey, 'S')).toBe('key-1');
    unpin();
    await pass(100);
    for (const { latchkey } of [pinner!, worker!]) expect(credentialOf(latchkey, 'S')).toBe('missing');
  });

  it('gives way to what a client presents in another process while it is out', async () => {
    const family = new TokenFamily();
    const [one, two] = await start(2, { refresh: family.refresh });
    await capture([one!]);
    await two!.latchkey.load(['S0']);
    const done = work(one!.latchkey, 'S0');
    await pass(500);
    expect(family.tries).toEqual([OLD]);
    one!.carrier.auto = false;
    two!.latchkey.capture('S0', bearer('fresh-login'));
    await pass(600);
    one!.carrier.auto = true;
    one!.carrier.deliverAll();
    await pass(3_000);
    await done;
    for (const { latchkey } of [one!, two!]) expect(credentialOf(latchkey, 'S0')).toBe('fresh-login');
  });

  it('does not give way to the old token, presented again in another process while it is out', async () => {
    const family = new TokenFamily();
    const [one, two] = await start(2, { refresh: family.refresh });
    await capture([one!]);
    await two!.latchkey.load(['S0']);
    const done = work(one!.latchkey, 'S0');
    await pass(500);
    two!.carrier.auto = false;
    two!.latchkey.capture('S0', bearer(OLD));
    await pass(600);
    expect(await done).toBe('token-1');
    two!.latchkey.capture('S0', bearer(OLD));
    await pass(3_000);
    two!.carrier.auto = true;
    two!.carrier.deliverAll();
    await pass(3_000);
    for (const { latchkey } of [one!, two!]) expect(credentialOf(latchkey, 'S0')).toBe('token-1');
    expect(family.tries).toEqual([OLD]);
  });

  it('is done by the next process when its holder is killed, within the time that its lock lasts', async () => {
    const family = new TokenFamily();
    const [killed] = [add({ refresh: () => new Promise(() => {}) })];
    const [next] = [add({ refresh: family.refresh })];
    await world.fleet.ready();
    await capture([killed, next]);
    void work(killed.latchkey, 'S0');
    await pass(100);
    const done = work(next.latchkey, 'S1');
    await pass(100);
    kill(killed);
    await pass(LOCK_MS - 1_000);
    expect(family.tries).toEqual([]);
    await pass(3_000);
    expect(await done).toBe('token-1');
    expect(family).toMatchObject({ tries: [OLD], isDead: false });
  });

  it('that is out when its process closes may have used the refresh token up: no other begins within the time that it had', async () => {
    const family = new TokenFamily();
    const closing = add({ refresh: (lease) => family.refresh(lease, { signal: new AbortController().signal }), refreshMs: 5_000 });
    const next = add({ refresh: family.refresh, refreshMs: 5_000 });
    await world.fleet.ready();
    await capture([closing, next]);
    void work(closing.latchkey, 'S0');
    await pass(100);
    const done = work(next.latchkey, 'S1');
    await pass(100);
    const closed = closing.latchkey.close({ timeoutMs: 100 });
    await pass(200);
    await closed;
    await pass(5_000);
    expect(family.tries).toEqual([OLD]);
    await pass(4_000);
    expect(await done).toBe('token-2');
    expect(family.isDead).toBe(false);
  });

  it('is done by the next process at once when its holder closes between two tries', async () => {
    const family = new TokenFamily();
    const closing = add({
      refresh: async () => {
        throw endpointDown();
      },
    });
    const next = add({ refresh: family.refresh });
    await world.fleet.ready();
    await capture([closing, next]);
    void work(closing.latchkey, 'S0');
    await pass(100);
    const closed = closing.latchkey.close({ timeoutMs: 100 });
    await pass(200);
    await closed;
    const done = work(next.latchkey, 'S1');
    await pass(1_500);
    expect(await done).toBe('token-1');
  });

  it('is not needed any more by who did not hear of it, and finds that out when it is its turn', async () => {
    const family = new TokenFamily();
    const [one, deaf] = await start(2, { refresh: family.refresh, refreshMs: 5_000 });
    await capture([one!, deaf!]);
    const first = work(one!.latchkey, 'S0');
    await pass(100);
    deaf!.carrier.auto = false;
    const second = work(deaf!.latchkey, 'S1');
    await pass(1_500);
    expect(await first).toBe('token-1');
    while (deaf!.carrier.pending.length > 0) deaf!.carrier.drop();
    await pass(10_000);
    expect(await second).toBe('token-1');
    expect(family.tries).toEqual([OLD]);
  });

  it('that brings nothing is not made again by another process', async () => {
    const tries: string[] = [];
    const options = (name: string): LatchkeyOptions => ({
      refresh: async () => {
        tries.push(name);
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        return undefined;
      },
    });
    const processes = [add(options('one')), add(options('two')), add(options('three'))];
    await world.fleet.ready();
    await capture(processes);
    const runs = processes.map(({ latchkey }, index) => work(latchkey, SESSIONS[index] ?? ''));
    await pass(3_000);
    expect(await Promise.all(runs)).toEqual(Array(3).fill('CREDENTIAL_REJECTED'));
    expect(tries).toHaveLength(1);
    // One that is heard of it only by now asks for itself, and so does everybody after ten minutes.
    await pass(10 * 60_000);
    const later = processes.map(({ latchkey }, index) => work(latchkey, SESSIONS[index] ?? ''));
    await pass(3_000);
    await Promise.all(later);
    expect(tries).toHaveLength(2);
  });

  it('that is refused is not made again by anybody, until it is forgiven', async () => {
    const tries: string[] = [];
    const options = (name: string): LatchkeyOptions => ({
      refresh: async () => {
        tries.push(name);
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        throw Object.assign(new Error('refused'), { status: 400, error: 'invalid_grant' });
      },
    });
    const processes = [add(options('one')), add(options('two')), add(options('three'))];
    await world.fleet.ready();
    await capture(processes);
    const runs = processes.map(({ latchkey }, index) => work(latchkey, SESSIONS[index] ?? ''));
    await pass(3_000);
    expect(await Promise.all(runs)).toEqual(Array(3).fill('CREDENTIAL_REJECTED'));
    const late = add(options('late'));
    late.latchkey.capture('late', bearer(OLD));
    await pass(3_600_000);
    for (const [index, { latchkey }] of processes.entries()) void work(latchkey, SESSIONS[index] ?? '');
    void work(late.latchkey, 'late');
    await pass(3_000);
    expect(tries).toHaveLength(1);
    late.latchkey.forgive(bearer(OLD).fingerprint);
    await pass(100);
    for (const [index, { latchkey }] of processes.entries()) void work(latchkey, SESSIONS[index] ?? '');
    await pass(3_000);
    expect(tries).toHaveLength(2);
  });

  it('that fails for reasons that pass is tried again by the same process alone', async () => {
    const tries: string[] = [];
    const options = (name: string): LatchkeyOptions => ({
      refresh: async () => {
        tries.push(name);
        await new Promise((resolve) => setTimeout(resolve, 100));
        if (tries.length < 4) throw Object.assign(new Error('busy'), { status: 503 });
        return bearer('token-1');
      },
    });
    const processes = [add(options('one')), add(options('two'))];
    await world.fleet.ready();
    await capture(processes);
    void work(processes[0]!.latchkey, 'S0');
    await pass(50);
    void work(processes[1]!.latchkey, 'S1');
    await pass(200_000);
    expect(tries).toEqual(['one', 'one', 'one', 'one']);
    for (const [index, { latchkey }] of processes.entries()) expect(credentialOf(latchkey, SESSIONS[index] ?? '')).toBe('token-1');
  });

  it('is everybody’s own once the store has been away for longer than a try, and all agree when it is back', async () => {
    const values = ['one', 'two'];
    let refreshes = 0;
    const processes = values.map((value) =>
      add({
        refresh: async () => {
          refreshes++;
          await new Promise((resolve) => setTimeout(resolve, 1_000));
          return bearer(value);
        },
      }),
    );
    await world.fleet.ready();
    await capture(processes);
    const first = work(processes[0]!.latchkey, 'S0');
    await pass(100);
    const second = work(processes[1]!.latchkey, 'S1');
    await pass(100);
    world.fleet.store.down = true;
    await pass(31_000);
    expect(refreshes).toBe(1);
    await pass(4_000);
    expect(await Promise.all([first, second])).toEqual(values);
    world.fleet.store.down = false;
    await pass(5_000);
    for (const { latchkey } of processes) await latchkey.load(['S0', 'S1']);
    const seen = processes.map(({ latchkey }) => ['S0', 'S1'].map((session) => credentialOf(latchkey, session)));
    expect(seen[1]).toEqual(seen[0]);
    for (const value of seen[0] ?? []) expect(values).toContain(value);
  });

  it('frees work that waits in another process, whose session nobody else knows', async () => {
    const family = new TokenFamily();
    const [one, two, waiting] = [add({ refresh: family.refresh }), add(), add()];
    await world.fleet.ready();
    await capture([one, two, waiting]);
    // Nothing that is lent changes with the refresh.
    two.latchkey.capture('S1', bearer('another'));
    const found = waiting.latchkey.resolve('S2');
    if (found.ok) found.lease.settle(401);
    const parked = waiting.latchkey.run('S2', async ({ credential }) => credential.reveal(), { whenBlocked: 'park' });
    await pass(100);
    const done = work(one.latchkey, 'S0');
    await pass(2_000);
    expect(await done).toBe('token-1');
    expect(await parked).toBe('token-1');
  });

  it('does not reach a session that is loaded after the new token has died, too', async () => {
    const family = new TokenFamily();
    const [one, gone, late] = [add({ refresh: family.refresh }), add(), add()];
    await world.fleet.ready();
    await capture([gone], bearer(OLD));
    kill(gone);
    one.latchkey.capture('S9', bearer(OLD));
    const done = work(one.latchkey, 'S9');
    await pass(2_000);
    expect(await done).toBe('token-1');
    one.latchkey.capture('S9', bearer('token-1')).settle(401);
    one.latchkey.capture('S9', bearer('another'));
    await pass(100);
    const heard: string[] = [];
    late.latchkey.on('captured', ({ fingerprint }) => void heard.push(fingerprint));
    await late.latchkey.load(['S0']);
    await pass(100);
    expect(credentialOf(late.latchkey, 'S0')).toBe('rejected');
    expect(heard).not.toContain(bearer('token-1').fingerprint);
  });

  it('is in the store, though what was refreshed came while that was down', async () => {
    const family = new TokenFamily();
    const [one, other] = await start(2, { refresh: family.refresh });
    world.fleet.store.down = true;
    one!.latchkey.capture('S0', bearer(OLD));
    const done = work(one!.latchkey, 'S0');
    await pass(35_000);
    expect(await done).toBe('token-1');
    world.fleet.store.down = false;
    await pass(5_000);
    kill(one!);
    await other!.latchkey.load(['S0']);
    expect(credentialOf(other!.latchkey, 'S0')).toBe('token-1');
  });

  it('is told once to a store that will not have it', async () => {
    const family = new TokenFamily(100, 20_000);
    const [one, gone] = [add({ refresh: family.refresh }), add()];
    // By its clock the new token lives longer than by the store's.
    const slow = add({ clock: { now: () => Date.now() - 30_000 } });
    await world.fleet.ready();
    gone.latchkey.capture('S1', bearer(OLD));
    await pass(100);
    kill(gone);
    one.latchkey.capture('S0', bearer(OLD));
    const done = work(one.latchkey, 'S0');
    await pass(1_000);
    expect(await done).toBe('token-1');
    one.latchkey.forgive(bearer(OLD).fingerprint);
    await pass(25_000);
    let told = 0;
    const { push } = slow.carrier;
    slow.carrier.push = (...args) => {
      told += args[1].filter(({ kind }) => kind === 'present').length;
      return push(...args);
    };
    await slow.latchkey.load(['S1']);
    await pass(60_000);
    expect(told).toBe(1);
    expect(credentialOf(slow.latchkey, 'S1')).toBe(OLD);
  });

  it('shares nothing without a seal', async () => {
    const family = new TokenFamily();
    const processes = await start(2, { refresh: family.refresh, seal: undefined });
    await capture(processes);
    const runs = processes.map(({ latchkey }, index) => work(latchkey, SESSIONS[index] ?? ''));
    await pass(4_000);
    // One after the other.
    expect(await Promise.all(runs)).toEqual(['token-1', 'token-2']);
    expect(family.isDead).toBe(false);
    expect(world.fleet.store.dump().flatMap(({ fields }) => Object.keys(fields).filter((field) => field.startsWith('n.')))).toEqual([]);
  });
});
