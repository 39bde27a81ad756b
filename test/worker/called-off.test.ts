import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { settled } from '../support/clock.js';
import { type Deferred, deferred } from '../support/deferred.js';

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
