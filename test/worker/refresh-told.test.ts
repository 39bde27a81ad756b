import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type LatchkeyOptions } from '../../src/index.js';
import { statusError, throwing } from '../support/attempts.js';
import { freezeTime, START, settled } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';
import { invalidGrant, refreshing } from '../support/refreshing.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const MINUTE = 60_000;
const A = bearer('token-a');

const failing = (refresh: LatchkeyOptions['refresh']) => {
  const latchkey = createLatchkey({ refresh });
  const heard = hearAll(latchkey);
  latchkey.capture('s', A);
  const run = () => latchkey.run('s', throwing({ 'token-a': 401 }).attempt).catch((error: unknown) => error);
  return { latchkey, heard, run };
};

describe('what is told of a refresh that does not succeed', () => {
  it('whoever fails because of it hears what the token endpoint has said, and so does who asks', async () => {
    const { latchkey, run } = failing(() => Promise.reject(Object.assign(new Error('secret words'), { status: 503 })));
    expect(await run()).toMatchObject({
      code: 'AUTH_RETRYING',
      message: 'the credential is being refreshed, which has not succeeded yet (503)',
      until: START + 10_000,
    });
    expect(await run()).toMatchObject({
      message: 'the credential is being refreshed, which has not succeeded yet (503), nothing was sent',
    });
    const explanation = latchkey.explain('s');
    expect(explanation.candidates[0]?.refresh).toEqual({ state: 'waiting', next: START + 10_000, status: 503, code: undefined });
    expect(String(explanation)).toContain(' (the last one failed: 503)');
  });

  it('the code of a connection that did not come about, too', async () => {
    const { run } = failing(() => Promise.reject(Object.assign(new Error('no'), { code: 'ECONNREFUSED' })));
    expect(await run()).toMatchObject({ message: 'the credential is being refreshed, which has not succeeded yet (ECONNREFUSED)' });
  });

  it('nothing where nobody has said anything', async () => {
    const { run } = failing(() => Promise.reject(new TypeError('secret words')));
    expect(await run()).toMatchObject({ message: 'the credential is being refreshed, which has not succeeded yet' });
  });

  it('that the answer had been read, without which its code is not known: once, and without a word of it', async () => {
    const read = async (): Promise<never> => {
      const response = Response.json({ error: 'invalid_grant', hint: 'secret words' }, { status: 400 });
      await response.text();
      throw new Error('secret words', { cause: response });
    };
    const { latchkey, heard, run } = failing(read);
    await run();
    await vi.advanceTimersByTimeAsync(10_000);
    await settled();
    expect(named(heard, 'refreshFailed')).toMatchObject([
      { kind: 'transient', status: 400, code: undefined },
      { kind: 'transient', status: 400, code: undefined },
    ]);
    const errors = named(heard, 'error') as { origin: string; error: Error }[];
    expect(errors.map(({ origin, error }) => [origin, error.message])).toEqual([
      ['refresh', 'the refresh function threw a Error, and had read the answer that it was about: its `error` code is not known'],
    ]);
    expect(JSON.stringify(errors.map(({ error }) => error.stack))).not.toContain('secret words');
    expect(latchkey.status('s').state).toBe('refreshing');
  });

  it('from when on work has it tried again, where it brought nothing', async () => {
    const { latchkey, run } = failing(() => undefined);
    await run();
    expect(latchkey.status('s')).toMatchObject({ state: 'blocked', next: START + 10 * MINUTE });
    await vi.advanceTimersByTimeAsync(10 * MINUTE);
    expect(latchkey.status('s')).toMatchObject({ state: 'blocked', next: undefined });
  });
});

describe('the end of a login', () => {
  const play = () => {
    const recorded = refreshing((_, __, tried) => (tried < 3 ? bearer(`token-${tried}`) : invalidGrant()));
    const latchkey = createLatchkey({ refresh: recorded.refresh });
    let good = 'token-0';
    const run = async (): Promise<unknown> => {
      const end = latchkey
        .run('s', async ({ credential }) => {
          if (credential.reveal() !== good) throw statusError(401);
          return credential.reveal();
        })
        .catch((error: { code: string }) => error.code);
      await settled();
      return end;
    };
    /** The last token is taken back, and another is good, if the refresh brings it. */
    const turn = async (next: string): Promise<unknown> => {
      good = next;
      return run();
    };
    return { latchkey, recorded, run, turn };
  };

  it('is that of all its tokens: an older one, presented again, has nothing refreshed', async () => {
    const { latchkey, recorded, run, turn } = play();
    latchkey.capture('s', bearer('token-0'));
    expect([await run(), await turn('token-1'), await turn('token-2'), await turn('none')]).toEqual([
      'token-0',
      'token-1',
      'token-2',
      'CREDENTIAL_REJECTED',
    ]);
    expect(recorded.calls).toEqual(['token-0', 'token-1', 'token-2']);
    for (const old of ['token-0', 'token-1', 'token-0']) {
      latchkey.capture('s', bearer(old));
      expect(await run()).toBe('CREDENTIAL_REJECTED');
      expect(latchkey.explain('s').candidates[0]?.refresh).toMatchObject({ state: 'refused', code: 'invalid_grant' });
    }
    expect(recorded.calls).toHaveLength(3);
    expect(latchkey.stats().incidents).toBe(1);
  });

  it('is asked for anew once it is forgiven, or a client brings what is new', async () => {
    const { latchkey, recorded, run, turn } = play();
    latchkey.capture('s', bearer('token-0'));
    for (const good of ['token-0', 'token-1', 'token-2', 'none']) await turn(good);
    latchkey.capture('s', bearer('token-0'));
    latchkey.forgive('s');
    await run();
    expect(recorded.calls).toEqual(['token-0', 'token-1', 'token-2', 'token-0']);
    latchkey.capture('s', bearer('of another login'.replaceAll(' ', '-')));
    await run();
    expect(recorded.calls.at(-1)).toBe('of-another-login');
  });
});
