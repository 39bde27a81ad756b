import { afterEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { freezeTime, settled } from '../support/clock.js';
import { type Deferred, deferred } from '../support/deferred.js';
import { hearAll } from '../support/heard.js';

afterEach(() => void vi.useRealTimers());

/** What axios throws when a signal is aborted that the run was not given. */
const calledOff = (): Error => Object.assign(new Error('canceled'), { name: 'CanceledError', code: 'ERR_CANCELED' });

describe('run: a call that its own client called off', () => {
  it('case 48: has learnt nothing, so the next one leads and the others go on waiting', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    const out: Deferred<string>[] = [];
    const runs = [1, 2, 3].map(() =>
      latchkey
        .run('s', () => {
          const gate: Deferred<string> = deferred();
          out.push(gate);
          return gate.promise;
        })
        .catch((error: unknown) => error),
    );
    await settled();
    expect(out).toHaveLength(1);
    const error = calledOff();
    out[0]?.reject(error);
    expect(await runs[0]).toBe(error);
    await settled();
    expect(out).toHaveLength(2);
    out[1]?.resolve('ok');
    await settled();
    expect(out).toHaveLength(3);
    out[2]?.resolve('ok');
    expect(await Promise.all(runs.slice(1))).toEqual(['ok', 'ok']);
  });

  it('passes through unchanged, is not repeated, and marks nothing', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    const error = calledOff();
    let attempts = 0;
    const attempt = () => {
      attempts++;
      return Promise.reject(error);
    };
    await expect(latchkey.run('s', attempt, { transient: { retries: 2, minMs: 1 } })).rejects.toBe(error);
    expect(attempts).toBe(1);
    expect(latchkey.stats()).toMatchObject({ accepted: 0, rejected: 0 });
  });
});

describe('run: called off by its caller while the body of its answer is being looked at', () => {
  it.each([401, 403])('a %i changes no verdict, and tells nobody anything', async (status) => {
    freezeTime();
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    const heard = hearAll(latchkey);
    const caller = new AbortController();
    const endless = new ReadableStream({ start() {} });
    const run = latchkey.run('s', () => new Response(endless, { status }), { signal: caller.signal }).catch((error: unknown) => error);
    await settled();
    const reason = new Error('the caller has gone');
    caller.abort(reason);
    expect(await run).toBe(reason);
    expect(latchkey.canRun('s')).toBe(true);
    // Looking at the body ends only now.
    await vi.advanceTimersByTimeAsync(10_000);
    expect(latchkey.canRun('s')).toBe(true);
    expect(heard).toEqual([]);
    expect(latchkey.stats()).toMatchObject({ rejected: 0, denied: 0, incidents: 0, running: 0 });
  });
});
