import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { statusError, watch } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';
import { type Deferred, deferred } from '../support/deferred.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const PROOF_MS = 10_000;
/** Longer than any test: no canary is too slow to be waited for. */
const CANARY_MS = 3_600_000;

/** Calls that stay out until the test answers them. */
function held(latchkey: Latchkey) {
  const calls: Deferred<unknown>[] = [];
  const run = (session: string, options = {}) =>
    watch(
      latchkey.run(
        session,
        () => {
          const answer = deferred<unknown>();
          calls.push(answer);
          return answer.promise;
        },
        options,
      ),
    );
  return { calls, run };
}

describe('what lets a run pass behind a canary', () => {
  it('is good for one attempt: by the retry after a pause the proof is old, and one call goes first', async () => {
    const latchkey = createLatchkey({ proofMs: PROOF_MS, canaryMs: CANARY_MS });
    latchkey.capture('s', bearer('token-a'));
    const { calls, run } = held(latchkey);
    const transient = { retries: 1, minMs: 60_000, maxMs: 60_000 };
    const runs = Array.from({ length: 20 }, () => run('s', { transient }));
    await settled();
    calls[0]?.resolve('ok');
    await settled();
    expect(calls).toHaveLength(20);
    for (const call of calls.slice(1)) call.reject(statusError(503));
    await settled();

    await vi.advanceTimersByTimeAsync(120_000);
    expect(calls).toHaveLength(21);
    calls[20]?.reject(statusError(401));
    await settled();
    expect(calls).toHaveLength(21);
    for (const one of runs.slice(1)) expect(one.reason).toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    expect(latchkey.stats()).toMatchObject({ rejected: 1, running: 0, waiting: 0 });
  });

  it("is no further success of the credential's owner: borrowers wait for their own canary", async () => {
    const latchkey = createLatchkey({ canaryMs: CANARY_MS });
    const owner = bearer('token-g');
    latchkey.capture('owner', owner).settle(200);
    const { calls, run } = held(latchkey);
    const runs = Array.from({ length: 50 }, (_, i) => run(`borrower-${i}`));
    await settled();
    expect(calls).toHaveLength(1);
    for (let i = 0; i < 40; i++) {
      latchkey.capture('owner', owner).settle(200);
      await settled(3);
    }
    expect(calls).toHaveLength(1);
    expect(latchkey.stats().waiting).toBe(49);

    calls[0]?.resolve('ok');
    await settled();
    expect(calls).toHaveLength(50);
    for (const call of calls) call.resolve('ok');
    await settled();
    expect(runs.every(({ value }) => value === 'ok')).toBe(true);
  });
});

describe('what a listener is told of an attempt', () => {
  it('`retried` comes after the attempt was made: a listener cannot have the credential rejected in between', async () => {
    const latchkey = createLatchkey({ canary: 'off' });
    latchkey.capture('s', bearer('token-a'));
    const other = latchkey.capture('other', bearer('token-g'));
    const order: string[] = [];
    latchkey.on('retried', () => {
      order.push('retried');
      other.settle(401);
    });
    const run = latchkey.run('s', (lease) => {
      order.push(`${lease.credential.reveal()} ${lease.usable() ? 'usable' : 'rejected'}`);
      throw statusError(401);
    });
    await expect(run).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    expect(order).toEqual(['token-a usable', 'token-g usable', 'retried']);
  });

  it('`borrowed` comes after the attempt was made: a listener that breaks the run off does so while it is out', async () => {
    const latchkey = createLatchkey({ canary: 'off' });
    latchkey.capture('other', bearer('token-g'));
    const caller = new AbortController();
    const order: string[] = [];
    latchkey.on('borrowed', () => {
      order.push('borrowed');
      caller.abort(new Error('stop'));
    });
    const run = latchkey.run(
      's',
      (_, { signal }) => {
        order.push('sent');
        signal.addEventListener('abort', () => void order.push('aborted'));
      },
      { signal: caller.signal },
    );
    await expect(run).rejects.toThrow('stop');
    expect(order).toEqual(['sent', 'borrowed', 'aborted']);
    expect(latchkey.stats()).toMatchObject({ attempts: 1, borrowed: 1, accepted: 0 });
  });
});
