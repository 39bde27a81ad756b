import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions, type Lease } from '../../src/index.js';
import { statusError, throwing, watch } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';
import { deferred } from '../support/deferred.js';
import { hearAll, named } from '../support/heard.js';
import { refreshing } from '../support/refreshing.js';

const [A, B] = [bearer('token-a'), bearer('token-b')];

let latchkey: Latchkey;
beforeEach(freezeTime);
afterEach(async () => {
  vi.useRealTimers();
  await latchkey.close({ timeoutMs: 0 });
});

async function proven(options: LatchkeyOptions = {}): Promise<ReturnType<typeof hearAll>> {
  latchkey = createLatchkey({ strikes: {}, ...options });
  latchkey.capture('S', A);
  vi.setSystemTime(Date.now() + 60_000);
  await latchkey.run('S', () => 1);
  return hearAll(latchkey);
}

describe('a run whose rejection was only a strike', () => {
  it('sends once more, with the same credential, and that may be enough', async () => {
    const heard = await proven();
    const { sent, attempt } = throwing({ 'token-a': [401, 200] });
    expect(await latchkey.run('S', attempt)).toBe('ok token-a');
    expect(sent).toEqual(['token-a', 'token-a']);
    expect(named(heard, 'retried')).toEqual([{ scope: { session: 'S' }, fingerprint: A.fingerprint, from: A.fingerprint }]);
    expect(latchkey.stats()).toMatchObject({ incidents: 0, retried: 1, attempts: 3 });
  });

  it('sends twice and no more: the second rejection is a verdict', async () => {
    const heard = await proven();
    const { sent, attempt } = throwing({ 'token-a': 401 });
    await expect(latchkey.run('S', attempt)).rejects.toMatchObject({
      code: 'CREDENTIAL_REJECTED',
      status: 401,
      incident: expect.any(String),
    });
    expect(sent).toEqual(['token-a', 'token-a']);
    expect(named(heard, 'incident')).toHaveLength(1);
    expect(latchkey.canRun('S')).toBe(false);
  });

  it.each([
    ['throw', (run: Promise<unknown>) => expect(run).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED', incident: undefined })],
    ['skip', (run: Promise<unknown>) => expect(run).resolves.toBeUndefined()],
    ['park', (run: Promise<unknown>) => expect(run).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' })],
  ] as const)('where three make a verdict too, and `%s`: the run ends, the credential lives', async (whenBlocked, expectEnd) => {
    await proven({ strikes: { rejections: 3 } });
    const { sent, attempt } = throwing({ 'token-a': 401 });
    await expectEnd(latchkey.run('S', attempt, { whenBlocked }));
    expect(sent).toEqual(['token-a', 'token-a']);
    expect(latchkey.canRun('S')).toBe(true);
    expect(latchkey.stats().incidents).toBe(0);
  });

  it('with `rejected: "return"` gives back the second answer', async () => {
    await proven();
    const bodies = ['first', 'second'];
    const answer = await latchkey.run('S', () => new Response(bodies.shift(), { status: 401 }), { rejected: 'return' });
    expect(await answer.text()).toBe('second');
  });

  it('that can be made once only is not repeated, nor one that was spent on another credential', async () => {
    await proven();
    const once = throwing({ 'token-a': 401 });
    await expect(latchkey.run('S', once.attempt, { once: true })).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    expect(once.sent).toEqual(['token-a']);
    expect(latchkey.canRun('S')).toBe(true);

    // Old and unproven B dies at once; the one retry goes to A, which has one strike already.
    latchkey.capture('T', B);
    vi.setSystemTime(Date.now() + 60_000);
    await latchkey.run('S', () => 1);
    latchkey.capture('U', A);
    const { sent, attempt } = throwing({ 'token-b': 401, 'token-a': 401 });
    await expect(latchkey.run('T', attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    expect(sent).toEqual(['token-b', 'token-a']);
  });

  it('prefers a credential that has come meanwhile', async () => {
    await proven();
    const sent: string[] = [];
    await latchkey.run('S', ({ credential }) => {
      sent.push(credential.reveal());
      if (sent.length > 1) return 1;
      latchkey.capture('S', B);
      throw statusError(401);
    });
    expect(sent).toEqual(['token-a', 'token-b']);
  });
});

describe('strikes beside what else there is', () => {
  it('a canary that comes back with one sends the next: two calls meet the rejection, and nobody else', async () => {
    await proven({ strikes: { provenMs: 60_000 } });
    vi.setSystemTime(Date.now() + 20_000);
    const sent: Lease[] = [];
    const first = deferred<never>();
    const runs = Array.from({ length: 50 }, () =>
      watch(
        latchkey.run('S', (lease) => {
          sent.push(lease);
          if (sent.length === 1) return first.promise;
          throw statusError(401);
        }),
      ),
    );
    await settled();
    expect(sent).toHaveLength(1);
    first.reject(statusError(401));
    await settled();
    expect(sent).toHaveLength(2);
    expect(runs.filter(({ state }) => state === 'rejected')).toHaveLength(50);
    expect(latchkey.stats().incidents).toBe(1);
  });

  it('nothing is refreshed for one, but for the verdict', async () => {
    const { refresh, calls } = refreshing(() => B);
    await proven({ refresh });
    const script = throwing({ 'token-a': [401, 200] });
    await latchkey.run('S', script.attempt);
    expect(calls).toEqual([]);
    vi.setSystemTime(Date.now() + 11_000);
    const dead = throwing({ 'token-a': 401 });
    // Its one retry went to the strike.
    await expect(latchkey.run('S', dead.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED', status: 401 });
    expect(calls).toEqual(['token-a']);
    expect(await latchkey.run('S', dead.attempt)).toBe('ok token-b');
    expect(dead.sent).toEqual(['token-a', 'token-a', 'token-b']);
  });

  it('what a refresh has just brought is young: its first rejection does not count', async () => {
    const { refresh, calls } = refreshing(() => B);
    await proven({ refresh });
    latchkey.capture('S', A).settle(401);
    latchkey.capture('S', A).settle(401);
    // Not all of its issuer's machines know it yet.
    const { sent, attempt } = throwing({ 'token-b': [401, 200] });
    expect(await latchkey.run('S', attempt)).toBe('ok token-b');
    expect(sent).toEqual(['token-b', 'token-b']);
    expect(calls).toEqual(['token-a']);
  });
});
