import { afterEach, describe, expect, it } from 'vitest';
import { apiKey, bearer, type Credential, createLatchkey, type Latchkey, type LatchkeyOptions } from '../../src/index.js';
import type { ScopeRow } from '../../src/operator/messages.js';
import { countStates, scopeRows } from '../../src/operator/rows.js';
import { statusError } from '../support/attempts.js';
import { manualClock, START, settled } from '../support/clock.js';
import { type Deferred, deferred } from '../support/deferred.js';

const S = { session: 's', provider: 'p' };
const LIFE_MS = 60_000;
const A = bearer('row-secret-a', { expiresAt: START + LIFE_MS });
const B = bearer('row-secret-b');

let latchkey: Latchkey;
// A refresh that no test ends is not waited for.
afterEach(() => latchkey.close({ timeoutMs: 1 }));

function gateway(options: LatchkeyOptions = {}) {
  const clock = manualClock();
  const tries: Deferred<Credential | undefined>[] = [];
  const refresh = (): Promise<Credential | undefined> => {
    const one = deferred<Credential | undefined>();
    tries.push(one);
    return one.promise;
  };
  latchkey = createLatchkey({ clock, canary: 'off', fallback: 'none', refresh, ...options });
  const end = async (index: number, error: unknown): Promise<void> => {
    tries[index]?.reject(error as Error);
    await settled();
  };
  return { clock, tries, end };
}

/** As it is sent, without what says whose it is. */
function rowOf(session: string | undefined): object {
  const found = scopeRows(latchkey).find(({ scope }) => scope.session === session);
  const { key: _key, slot: _slot, scope: _scope, fingerprint: _fingerprint, ...rest } = found as ScopeRow;
  return JSON.parse(JSON.stringify(rest));
}

async function work(scope: Parameters<Latchkey['run']>[0] = S): Promise<void> {
  latchkey.run(scope, async () => 'done').catch(() => {});
  await settled();
}

describe('a row whose credential is being refreshed', () => {
  it('says so, since when, and when it is tried next, until it is ready again', async () => {
    const { clock, tries, end } = gateway();
    latchkey.capture(S, A);
    clock.advance(LIFE_MS);
    const expired = { why: 'expired', since: expect.any(Number) };
    expect(rowOf('s')).toEqual({ state: 'expired', ...expired });
    await work();
    const refreshingSince = START + LIFE_MS;
    expect(rowOf('s')).toEqual({ state: 'refreshing', ...expired, refreshingSince });
    expect(countStates(scopeRows(latchkey))).toMatchObject({ ready: 0, refreshing: 2, expired: 0 });
    clock.advance(1_000);
    await end(0, statusError(503));
    expect(rowOf('s')).toEqual({ state: 'refreshing', ...expired, refreshingSince, next: clock.now() + 10_000 });
    tries[0] = deferred();
    latchkey.capture(S, B);
    expect(rowOf('s')).toEqual({ state: 'ready' });
  });

  it('is retrying once that has failed for long, and blocked once it is refused', async () => {
    const { clock, end } = gateway();
    latchkey.capture(S, A);
    clock.advance(LIFE_MS);
    await work();
    clock.advance(6 * 60_000);
    await end(0, statusError(503));
    const [now, next] = [clock.now(), clock.now() + 10 * 60_000];
    expect(rowOf('s')).toMatchObject({ state: 'auth_retrying', why: 'expired', refreshingSince: now, next });
    expect(countStates(scopeRows(latchkey))).toMatchObject({ auth_retrying: 2, blocked: 0, expired: 0 });
    latchkey.capture(S, bearer('row-secret-c', { expiresAt: clock.now() + 1_000 }));
    clock.advance(1_000);
    await work();
    await end(1, { status: 400, error: 'invalid_grant' });
    expect(rowOf('s')).toMatchObject({ state: 'blocked', why: 'rejected', status: 400 });
    expect(rowOf('s')).not.toHaveProperty('refreshingSince');
  });

  it('borrows all the same where it can, and is ready while it lives', async () => {
    const { clock, tries } = gateway({ fallback: 'global' });
    latchkey.capture(S, A);
    clock.advance(LIFE_MS / 2 + 20_000);
    await work();
    // In its advisory window: it is refreshed beside the work.
    expect([tries.length, rowOf('s')]).toEqual([1, { state: 'ready' }]);
    latchkey.capture({ session: 't', provider: 'p' }, B);
    clock.advance(LIFE_MS);
    expect(rowOf('s')).toMatchObject({ state: 'borrowing', lent: B.fingerprint, why: 'expired' });
  });

  it('stands as the snapshot says, which nobody asks a second time', async () => {
    const { clock } = gateway();
    latchkey.capture(S, A);
    const found = latchkey.resolve({ ...S, purpose: 'x' });
    if (found.ok) found.lease.settle(403);
    clock.advance(LIFE_MS);
    await work();
    const asked: unknown[] = [];
    const counted: Latchkey = {
      ...latchkey,
      status(scope) {
        asked.push(scope);
        return latchkey.status(scope);
      },
    };
    expect(scopeRows(counted).map(({ state }) => state)).toEqual(['refreshing', 'refreshing', 'refreshing']);
    // Only of a scope that no slot stands for.
    expect(asked).toEqual([{ ...S, purpose: 'x' }]);
  });
});

describe('a row of what is put to the test', () => {
  it('is blocked until then, and then ready, as a test, until somebody takes it', async () => {
    const { clock } = gateway({ refresh: undefined });
    const key = apiKey('row-secret-key');
    latchkey.capture(S, key);
    const rejected = (): never => {
      throw statusError(401);
    };
    await latchkey.run(S, rejected).catch(() => {});
    const { next } = latchkey.status(S);
    if (next === undefined) throw new Error('no probe');
    const why = { why: 'rejected', status: 401, since: START };
    expect(rowOf('s')).toEqual({ state: 'blocked', ...why, next, incident: expect.any(String) });
    clock.advance(next - START);
    expect(rowOf('s')).toEqual({ state: 'ready', ...why, probe: true });
    const answer = deferred<string>();
    const test = latchkey.run(S, () => answer.promise);
    await settled();
    expect(rowOf('s')).toMatchObject({ state: 'blocked', ...why, next: next + 60_000 });
    answer.resolve('ok');
    await test;
    expect(rowOf('s')).toEqual({ state: 'ready' });
  });
});
