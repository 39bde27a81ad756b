import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions } from '../../src/index.js';
import { statusError, throwing, watch } from '../support/attempts.js';
import { freezeTime, START, settled } from '../support/clock.js';
import { deferred } from '../support/deferred.js';
import { hearAll, named } from '../support/heard.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const PARK = { whenBlocked: 'park' } as const;

function blocked(options: LatchkeyOptions = {}): Latchkey {
  const latchkey = createLatchkey(options);
  latchkey.capture('s', bearer('token-a')).settle(401);
  return latchkey;
}

describe('run: parked', () => {
  it('case 46: wakes on fresh auth, and is told', async () => {
    const latchkey = blocked();
    const heard = hearAll(latchkey);
    const { attempt, sent } = throwing({});
    const run = latchkey.run('s', attempt, PARK);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sent).toEqual([]);
    expect(latchkey.stats()).toMatchObject({ parked: 1, waiting: 1, running: 1, openIncidents: 1 });
    latchkey.capture('s', bearer('token-b'));
    await expect(run).resolves.toBe('ok token-b');
    expect(named(heard, 'parked')).toEqual([{ scope: { session: 's' }, reason: 'rejected' }]);
    expect(latchkey.stats()).toMatchObject({ waiting: 0, running: 0, openIncidents: 0 });
  });

  it('case 46: a scope that never had a credential may wait for its first', async () => {
    const latchkey = createLatchkey();
    const { attempt } = throwing({});
    const run = latchkey.run({ tenant: 't', session: 's', provider: 'p' }, attempt, PARK);
    await settled();
    latchkey.capture({ tenant: 't', session: 'other', provider: 'q' }, bearer('token-q'));
    latchkey.capture({ tenant: 'u', session: 's', provider: 'p' }, bearer('token-u'));
    await settled();
    expect(latchkey.stats().waiting).toBe(1);
    latchkey.capture({ tenant: 't', session: 'other', provider: 'p' }, bearer('token-g'));
    await expect(run).resolves.toBe('ok token-g');
  });

  it('case 46: it wakes on proof, forgiveness, a pin and the end of a hold as well', async () => {
    const wakers: Record<string, (latchkey: Latchkey) => void> = {
      proof: (latchkey) => void latchkey.capture('s', bearer('token-a')).settle(200),
      forgive: (latchkey) => latchkey.forgive('s'),
      pin: (latchkey) => void latchkey.pin({}, bearer('token-pin')),
    };
    for (const wake of Object.values(wakers)) {
      const latchkey = blocked();
      const run = latchkey.run('s', throwing({}).attempt, PARK);
      await settled();
      wake(latchkey);
      await expect(run).resolves.toMatch(/^ok /);
    }
    const held = createLatchkey();
    held.capture('s', bearer('token-a')).settle({ holdMs: 30_000 });
    const run = watch(held.run('s', throwing({}).attempt, PARK));
    await vi.advanceTimersByTimeAsync(29_990);
    expect(run.state).toBe('pending');
    await vi.advanceTimersByTimeAsync(20);
    expect(run).toMatchObject({ state: 'resolved', value: 'ok token-a' });
  });

  it('wakes at the end of a hold that began, or was shortened, or came with a capture, while it was parked', async () => {
    const began = blocked();
    const first = watch(began.run('s', throwing({}).attempt, PARK));
    began.capture('s', bearer('token-a')).settle({ holdMs: 20_000 });

    const shortened = createLatchkey();
    shortened.capture('s', bearer('token-a')).settle({ holdMs: 200_000 });
    const second = watch(shortened.run('s', throwing({}).attempt, PARK));
    shortened.capture('s', bearer('token-a')).settle({ holdMs: 20_000 });

    const came = blocked();
    came.capture('elsewhere', bearer('token-b')).settle({ holdMs: 20_000 });
    came.evict({ session: 'elsewhere' });
    const third = watch(came.run('s', throwing({}).attempt, PARK));
    came.capture('s', bearer('token-b'));

    await vi.advanceTimersByTimeAsync(19_900);
    expect([first.state, second.state, third.state]).toEqual(['pending', 'pending', 'pending']);
    await vi.advanceTimersByTimeAsync(200);
    expect([first.value, second.value, third.value]).toEqual(['ok token-a', 'ok token-a', 'ok token-b']);
  });

  it('case 46: those of other sessions, and re-presentations, wake nobody', async () => {
    const latchkey = blocked({ fallback: 'none' });
    const run = watch(latchkey.run('s', throwing({}).attempt, PARK));
    latchkey.capture('other', bearer('token-b'));
    for (let i = 0; i < 50; i++) latchkey.capture('s', bearer('token-a'));
    await settled();
    expect(run.state).toBe('pending');
    expect(latchkey.stats()).toMatchObject({ parked: 1, waiting: 1 });
  });

  it('case 46: woken in order of arrival, staggered', async () => {
    const latchkey = blocked({ canary: 'off' });
    const order: number[] = [];
    const at: number[] = [];
    const runs = Array.from({ length: 60 }, (_, i) =>
      latchkey.run(
        's',
        () => {
          order.push(i);
          at.push(Date.now() - START);
        },
        PARK,
      ),
    );
    await settled();
    latchkey.capture('s', bearer('token-b'));
    await settled();
    expect(order).toHaveLength(25);
    await vi.advanceTimersByTimeAsync(10);
    expect(order).toHaveLength(50);
    await vi.advanceTimersByTimeAsync(10);
    await Promise.all(runs);
    expect(order).toEqual(Array.from({ length: 60 }, (_, i) => i));
    expect([at[0], at[24], at[25], at[49], at[50]]).toEqual([0, 0, 10, 10, 20]);
    expect(latchkey.stats().waiting).toBe(0);
  });

  it('case 46: those whose turn had not come when the credential died stay parked', async () => {
    const latchkey = blocked({ canary: 'off' });
    const sent: number[] = [];
    const runs = Array.from({ length: 40 }, (_, i) => watch(latchkey.run('s', () => sent.push(i), PARK)));
    await settled();
    const fresh = latchkey.capture('s', bearer('token-b'));
    fresh.settle(401);
    await vi.advanceTimersByTimeAsync(100);
    expect(sent).toEqual([]);
    expect(runs.every((run) => run.state === 'pending')).toBe(true);
    expect(latchkey.stats().waiting).toBe(40);
    latchkey.capture('s', bearer('token-c'));
    await vi.advanceTimersByTimeAsync(100);
    expect(sent).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });

  it('case 46: PARK_TIMEOUT says what it waited for', async () => {
    const latchkey = blocked();
    const since = START;
    const run = latchkey.run('s', throwing({}).attempt, { ...PARK, parkMs: 1_000 }).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(1_000);
    const error = await run;
    expect(error).toMatchObject({
      code: 'PARK_TIMEOUT',
      scope: { session: 's' },
      fingerprint: bearer('token-a').fingerprint,
      status: 401,
      since,
      incident: expect.any(String),
    });
    expect(latchkey.stats()).toMatchObject({ waiting: 0, running: 0 });
  });

  it('case 46: parks for five minutes unless told otherwise, and not at all with `parkMs: 0`', async () => {
    const latchkey = blocked();
    const run = watch(latchkey.run('s', throwing({}).attempt, PARK));
    const none = watch(latchkey.run('s', throwing({}).attempt, { ...PARK, parkMs: 0 }));
    await vi.advanceTimersByTimeAsync(1);
    expect(none.reason).toMatchObject({ code: 'PARK_TIMEOUT' });
    await vi.advanceTimersByTimeAsync(299_990);
    expect(run.state).toBe('pending');
    await vi.advanceTimersByTimeAsync(10);
    expect(run.reason).toMatchObject({ code: 'PARK_TIMEOUT' });
  });

  it('case 46: PARK_OVERFLOW beyond the bound, and its seat is free again after every kind of end', async () => {
    const latchkey = blocked({ limits: { parked: 1 } });
    const attempt = throwing({}).attempt;
    const controller = new AbortController();
    const ends: [Promise<unknown>, () => Promise<void> | void][] = [
      [latchkey.run('s', attempt, { ...PARK, signal: controller.signal }), () => controller.abort(new Error('gone'))],
    ];
    const full = async () => {
      await expect(latchkey.run('s', attempt, PARK)).rejects.toMatchObject({ code: 'PARK_OVERFLOW', scope: { session: 's' } });
      await expect(latchkey.whenRunnable('s')).rejects.toMatchObject({ code: 'PARK_OVERFLOW' });
      expect(latchkey.stats().waiting).toBe(1);
    };
    for (let turn = 0; turn < 4; turn++) {
      const [run, end] = ends[turn] as (typeof ends)[number];
      run.catch(() => {});
      await full();
      await end();
      await run.catch(() => {});
      expect(latchkey.stats().waiting).toBe(0);
      if (turn === 0) ends.push([latchkey.run('s', attempt, { ...PARK, timeoutMs: 10 }), () => void vi.advanceTimersByTime(10)]);
      if (turn === 1) ends.push([latchkey.run('s', attempt, { ...PARK, parkMs: 10 }), () => void vi.advanceTimersByTime(10)]);
      if (turn === 2) ends.push([latchkey.run('s', attempt, PARK), () => latchkey.close()]);
    }
    expect(latchkey.stats()).toMatchObject({ waiting: 0, running: 0 });
  });

  it('with no seats at all nobody waits', async () => {
    const latchkey = blocked({ limits: { parked: 0 } });
    await expect(latchkey.run('s', throwing({}).attempt, PARK)).rejects.toMatchObject({ code: 'PARK_OVERFLOW' });
  });

  it('case 46: blocked again, it keeps its old deadline', async () => {
    const latchkey = blocked();
    const { attempt, sent } = throwing({ 'token-b': 401 });
    const run = watch(latchkey.run('s', attempt, { ...PARK, parkMs: 1_000 }));
    await vi.advanceTimersByTimeAsync(900);
    latchkey.capture('s', bearer('token-b'));
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toEqual(['token-b']);
    expect(run.state).toBe('pending');
    await vi.advanceTimersByTimeAsync(99);
    expect(run.state).toBe('pending');
    await vi.advanceTimersByTimeAsync(1);
    expect(run.reason).toMatchObject({ code: 'PARK_TIMEOUT', fingerprint: bearer('token-b').fingerprint });
    expect(latchkey.stats()).toMatchObject({ parked: 2, waiting: 0, running: 0 });
  });

  it('case 46: blocked again, it keeps its place before those who came later', async () => {
    const latchkey = blocked();
    const order: string[] = [];
    const gate = deferred();
    const park = (name: string) =>
      latchkey.run(
        's',
        async (lease) => {
          order.push(`${name} ${lease.credential.reveal()}`);
          if (lease.credential.reveal() !== 'token-b') return;
          await gate.promise;
          throw statusError(401);
        },
        PARK,
      );
    const first = park('first');
    await settled();
    latchkey.capture('s', bearer('token-b'));
    await settled();
    const second = park('second');
    await settled();
    gate.resolve();
    await settled();
    expect(order).toEqual(['first token-b']);
    expect(latchkey.stats()).toMatchObject({ parked: 3, waiting: 2 });
    latchkey.capture('s', bearer('token-c'));
    await Promise.all([first, second]);
    expect(order).toEqual(['first token-b', 'first token-c', 'second token-c']);
  });

  it('a run whose retry is spent never parks, it throws', async () => {
    const latchkey = blocked();
    const { attempt, sent } = throwing({ 'token-b': 401, 'token-c': 401 });
    const run = latchkey.run('s', attempt, PARK).catch((error: unknown) => error);
    await settled();
    latchkey.capture('s', bearer('token-b'));
    await settled();
    latchkey.capture('s', bearer('token-c'));
    expect(await run).toMatchObject({ code: 'CREDENTIAL_REJECTED', fingerprint: bearer('token-c').fingerprint });
    expect(sent).toEqual(['token-b', 'token-c']);
    expect(latchkey.stats().waiting).toBe(0);
  });

  it("with `rejected: 'return'` it never returns a response that it drained when it parked", async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    const response = new Response('expired', { status: 401 });
    const run = latchkey.run('s', () => response, { ...PARK, rejected: 'return' }).catch((error: unknown) => error);
    await settled();
    expect(response.bodyUsed).toBe(true);
    latchkey.forgive('s');
    expect(await run).toMatchObject({ code: 'CREDENTIAL_REJECTED' });
  });

  it('fresh auth that a listener brings while it parks is not missed', async () => {
    for (const event of ['incident', 'blocked', 'parked'] as const) {
      const latchkey = blocked();
      latchkey.on(event, () => latchkey.capture('s', bearer('token-b')));
      await expect(latchkey.run('s', throwing({}).attempt, PARK)).resolves.toBe('ok token-b');
      expect(latchkey.stats()).toMatchObject({ waiting: 0, openIncidents: 0 });
    }
  });
});
