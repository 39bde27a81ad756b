import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { statusError, watch } from '../support/attempts.js';
import { freezeTime, START, settled } from '../support/clock.js';
import { jwtUntil } from '../support/jwt.js';
import { endpointDown, invalidGrant, refreshing } from '../support/refreshing.js';

const MIN = 60_000;

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const tick = async (ms: number): Promise<void> => {
  await vi.advanceTimersByTimeAsync(ms);
  await settled(3);
};

const answer = (date: number, status = 200): Response => new Response('{}', { status, headers: { date: new Date(date).toUTCString() } });

/** Refresh tokens by session, and what a token endpoint says to each. */
function byLogin(tokens: Map<string, string>, endpoint: (refreshToken: string) => string) {
  return refreshing((lease) => {
    const token = tokens.get(lease.scope.session ?? '');
    if (token === undefined) return undefined;
    const said = endpoint(token);
    if (said === 'invalid') return invalidGrant();
    return said === 'down' ? endpointDown() : bearer(said);
  });
}

it("one session's failing refresh keeps no other's own from being made", async () => {
  const r = byLogin(
    new Map([
      ['alice', 'ra'],
      ['bob', 'rb'],
    ]),
    (rt) => (rt === 'rb' ? 'down' : 'alice-2'),
  );
  const latchkey = createLatchkey({ refresh: r.refresh });
  latchkey.capture('alice', bearer('a1', { expiresAt: START + MIN }));
  latchkey.capture('bob', bearer('b1', { expiresAt: START + MIN }));
  await tick(2 * MIN);
  await latchkey.run('bob', () => 'ok').catch(() => {});
  const out = await latchkey.run('alice', () => 'ok').catch((e) => e.code);
  expect(out).toBe('ok');
});

it("one session's refused refresh condemns no other's credential", async () => {
  const r = byLogin(
    new Map([
      ['alice', 'ra'],
      ['bob', 'rb'],
    ]),
    (rt) => (rt === 'ra' ? 'invalid' : 'bob-2'),
  );
  const latchkey = createLatchkey({ refresh: r.refresh });
  latchkey.capture('alice', bearer('a1', { expiresAt: START + MIN }));
  latchkey.capture('bob', bearer('b1', { expiresAt: START + MIN }));
  await tick(2 * MIN);
  await latchkey.run('alice', () => 'ok').catch(() => {});
  const out = await latchkey.run('bob', () => 'ok').catch((e) => `${e.code} ${e.status}`);
  expect(out).toBe('ok');
});

it("what is refreshed for one session is not put into another's slot", async () => {
  const r = byLogin(
    new Map([
      ['alice', 'ra'],
      ['bob', 'rb'],
    ]),
    (rt) => (rt === 'ra' ? 'alice-2' : 'bob-2'),
  );
  const latchkey = createLatchkey({ refresh: r.refresh });
  latchkey.capture('bob', bearer('b1', { expiresAt: START + MIN }));
  await tick(2 * MIN);
  // alice has a login kept (a restart, an idle eviction), but has presented nothing to this process yet
  await latchkey.run('alice', () => 'ok');
  const out = await latchkey.run('bob', (l) => `${l.source} ${l.credential.reveal()}`);
  expect(out).toBe('session bob-2');
});

it('work of no session has it refreshed for the session that presented it', async () => {
  const r = byLogin(new Map([['s', 'rs']]), () => 's-2');
  const latchkey = createLatchkey({ refresh: r.refresh });
  latchkey.capture('s', bearer('s1', { expiresAt: START + MIN }));
  await tick(2 * MIN);
  await latchkey.run({}, () => 'ok').catch(() => {});
  const out = await latchkey.run('s', () => 'ok').catch((e) => e.code);
  expect(out).toBe('ok');
});

it("who presented it is settled when the refresh begins: a later presentation of another's does not change that", async () => {
  let down = true;
  const r = refreshing((l) => (down ? endpointDown() : bearer(`new-of-${l.scope.session}`)));
  const latchkey = createLatchkey({ refresh: r.refresh });
  latchkey.capture('bob', bearer('b1', { expiresAt: START + MIN }));
  await tick(2 * MIN);
  await latchkey.run({}, () => 'x').catch(() => {}); // session-less work (or a borrower) asks first
  down = false;
  latchkey.capture('carol', bearer('c1'));
  await tick(11_000);
  const out = await latchkey.run('bob', (l) => `${l.source} ${l.credential.reveal()}`);
  expect(out).toBe('session new-of-bob');
});

it('the same where it is refused for good', async () => {
  let down = true;
  const r = refreshing((l) => (down ? endpointDown() : l.scope.session === 'carol' ? invalidGrant() : bearer(`new-of-${l.scope.session}`)));
  const latchkey = createLatchkey({ refresh: r.refresh, fallback: 'none' });
  latchkey.capture('bob', bearer('b1', { expiresAt: START + MIN }));
  await tick(2 * MIN);
  await latchkey.run({}, () => 'x').catch(() => {});
  down = false;
  latchkey.capture('carol', bearer('c1'));
  await tick(11_000);
  const out = await latchkey.run('bob', (l) => `${l.source} ${l.credential.reveal()}`).catch((e) => e.code);
  expect(out).toBe('session new-of-bob');
});

it('a run that waits goes on when an answer has moved the end, and the refresh fails', async () => {
  let fail!: (e: Error) => void;
  const r = refreshing(
    () =>
      new Promise<never>((_, reject) => {
        fail = reject;
      }),
  );
  const latchkey = createLatchkey({ refresh: r.refresh, expiry: { header: 'x-expires-in' } });
  latchkey.capture('s', bearer('t', { expiresAt: START + MIN }));
  let long!: (r: Response) => void;
  void latchkey.run(
    's',
    () =>
      new Promise<Response>((res) => {
        long = res;
      }),
  );
  await tick(2 * MIN);
  const run = watch(latchkey.run('s', () => 'ok'));
  const parked = watch(latchkey.run('s', () => 'ok', { whenBlocked: 'park', parkMs: 120 * MIN }));
  await tick(1);
  long(new Response('', { headers: { 'x-expires-in': '36000' } }));
  await tick(1);
  fail(endpointDown());
  await tick(20 * MIN);
  expect([run.state, parked.state]).toEqual(['resolved', 'resolved']);
});

it('a run that waits goes on when our clock is set back, and the refresh fails', async () => {
  let off = 10 * MIN;
  let fail!: (e: Error) => void;
  const r = refreshing(
    () =>
      new Promise<never>((_, reject) => {
        fail = reject;
      }),
  );
  const latchkey = createLatchkey({ refresh: r.refresh, clock: { now: () => Date.now() + off } });
  latchkey.capture('s', bearer('t', { expiresAt: START + 10 * MIN + 1_000 }));
  await tick(2_000);
  const run = watch(latchkey.run('s', () => 'ok'));
  await tick(1);
  off = 0;
  fail(endpointDown());
  await tick(8 * MIN);
  expect(run.state).not.toBe('pending');
});

it('parked work on a credential that was held, and has expired meanwhile, has it refreshed', async () => {
  const r = refreshing(() => bearer('new'));
  const latchkey = createLatchkey({ refresh: r.refresh });
  latchkey.capture('s', bearer('t', { expiresAt: START + 10 * MIN })).settle({ holdMs: 15 * MIN });
  const parked = watch(latchkey.run('s', () => 'ok', { whenBlocked: 'park', parkMs: 120 * MIN }));
  const runnable = watch(latchkey.whenRunnable('s', { timeoutMs: 120 * MIN }));
  await tick(60 * MIN);
  expect([parked.state, runnable.state]).toEqual(['resolved', 'resolved']);
});

it('a clock that throws while a refresh is out loses nobody who waits', async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  let fail!: (e: Error) => void;
  let broken = false;
  const r = refreshing(
    () =>
      new Promise<never>((_, reject) => {
        fail = reject;
      }),
  );
  const latchkey = createLatchkey({
    refresh: r.refresh,
    clock: {
      now: () => {
        if (broken) throw new Error('clock');
        return Date.now();
      },
    },
  });
  latchkey.on('status', () => {});
  latchkey.capture('s', bearer('t', { expiresAt: START + MIN }));
  await tick(2 * MIN);
  const runs = Array.from({ length: 3 }, () => watch(latchkey.run('s', () => 'ok')));
  await tick(1);
  broken = true;
  fail(endpointDown());
  await tick(10);
  broken = false;
  await tick(10 * MIN);
  expect(unhandled).toEqual([]);
  process.off('unhandledRejection', note);
  expect(runs.map((x) => x.state)).not.toContain('pending');
});

it("one answer by a machine whose clock is twelve hours fast ends nobody's work", async () => {
  const r = refreshing((_, __, n) => bearer(jwtUntil(Date.now() + 60 * MIN, `n${n}`)));
  const latchkey = createLatchkey({ refresh: r.refresh, fallback: 'none' });
  latchkey.capture('s', bearer(jwtUntil(START + 60 * MIN, 's')));
  latchkey.capture('u', bearer(jwtUntil(START + 60 * MIN, 'u')));
  for (let i = 0; i < 20; i++) {
    await latchkey.run('s', () => answer(Date.now()));
    await tick(10_000);
  }
  await latchkey.run('s', () => answer(Date.now() + 12 * 60 * MIN, 401)).catch(() => {});
  let ok = 0;
  let u = 0;
  for (let i = 0; i < 24 * 6; i++) {
    await tick(10 * MIN + 1000);
    await latchkey
      .run('s', () => answer(Date.now()))
      .then(
        () => ok++,
        () => {},
      );
    await latchkey
      .run('u', () => answer(Date.now()))
      .then(
        () => u++,
        () => {},
      );
  }
  expect(ok).toBeGreaterThan(100);
  expect(u).toBeGreaterThan(100);
});

it('refreshed ones that are turned away are not refreshed again and again because the old one is presented', async () => {
  let n = 0;
  let sent = 0;
  const r = refreshing(() => bearer(`new-${++n}`));
  const latchkey = createLatchkey({ refresh: r.refresh });
  for (let i = 0; i < 100; i++) {
    latchkey.capture('s', bearer('dead'));
    await latchkey
      .run('s', () => {
        sent++;
        throw statusError(401);
      })
      .catch(() => {});
    await tick(1_000);
  }
  expect(r.calls.length).toBeLessThan(3);
  expect(sent).toBeLessThan(5);
});

it('the same in the advisory window', async () => {
  let n = 0;
  let bad = 0;
  const r = refreshing(() => bearer(`new-${++n}`));
  const latchkey = createLatchkey({ refresh: r.refresh, expiry: { advisoryMs: 30 * MIN, jitterMs: 0 } });
  const until = START + 60 * MIN;
  latchkey.capture('s', bearer('old', { expiresAt: until }));
  await tick(31 * MIN);
  for (let i = 0; i < 100; i++) {
    latchkey.capture('s', bearer('old', { expiresAt: until }));
    await latchkey
      .run('s', (l) => {
        if (l.credential.reveal() !== 'old') {
          bad++;
          throw statusError(401);
        }
        return 'ok';
      })
      .catch(() => {});
    await tick(1_000);
  }
  expect(r.calls.length).toBeLessThan(3);
  expect(bad).toBeLessThan(3);
});

it('what its tenant has replaced is not refreshed again because another tenant holds it still', async () => {
  const r = refreshing(() => endpointDown());
  const latchkey = createLatchkey({ refresh: r.refresh });
  const scope = { tenant: 'T', session: 's' };
  latchkey.capture(scope, bearer('old')).settle(401);
  latchkey.capture({ tenant: 'U', session: 's' }, bearer('old'));
  await latchkey.run(scope, () => 'ok').catch(() => {});
  expect(r.calls).toEqual(['old']);
  latchkey.capture(scope, bearer('fresh'));
  await tick(10 * MIN);
  expect([r.calls, latchkey.stats().refreshing]).toEqual([['old'], 0]);
});
