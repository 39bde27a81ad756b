import { expect, it } from 'vitest';
import { bearer, type Credential, type LatchkeyOptions } from '../../../src/index.js';
import { throwing } from '../../support/attempts.js';
import type { Start } from './contract.js';
import { leaseFor } from './fleet.js';

const A = bearer('value-a');
const B = bearer('value-b');
const C = bearer('value-c');

/** Whose answer is the test's, and how often it was asked. */
function refreshing(answer: () => Promise<Credential | undefined>): { readonly options: LatchkeyOptions; readonly calls: string[] } {
  const calls: string[] = [];
  const refresh = async (lease: { readonly credential: Credential }): Promise<Credential | undefined> => {
    calls.push(lease.credential.reveal());
    return answer();
  };
  return { options: { refresh }, calls };
}

export function describeRefreshing(start: Start): void {
  it('one refresh serves all sessions that hold the token, wherever they are known', async () => {
    const { options, calls } = refreshing(async () => B);
    const fleet = await start({ ...options, fallback: 'none' });
    const sessions = ['S0', 'S1', 'S2', 'S3'];
    for (const [index, session] of sessions.entries()) fleet.hands[index]?.capture(session, A);
    await fleet.arrived();
    const upstream = throwing({ 'value-a': 401 });
    const runs = sessions.map((session, index) => fleet.hands[index]?.run(session, upstream.attempt));
    expect(await Promise.all(runs)).toEqual(sessions.map(() => 'ok value-b'));
    expect(calls).toEqual(['value-a']);
    await fleet.load(...sessions);
    await fleet.shows(...sessions.map((session) => [session, 'value-b'] as const));
    for (const latchkey of fleet.latchkeys) expect(latchkey.stats().openIncidents).toBe(0);
  });

  it('clients that go on presenting the old token displace nothing, until the new one is dead', async () => {
    const { options } = refreshing(async () => B);
    const fleet = await start(options);
    await fleet.load('S');
    fleet.hands[0].capture('S', A);
    await fleet.agree();
    const upstream = throwing({ 'value-a': 401 });
    expect(await fleet.hands[1].run('S', upstream.attempt)).toBe('ok value-b');
    for (const latchkey of fleet.hands) latchkey.capture('S', A);
    await fleet.shows(['S', 'value-b'], [{}, 'value-b']);
    leaseFor(fleet.hands[2], 'S').settle(401);
    await fleet.agree();
    fleet.hands[3].forgive(A.fingerprint);
    await fleet.agree();
    fleet.hands[0].capture('S', A);
    await fleet.shows(['S', 'value-a']);
  });

  it('a login that comes while it is out counts for more', async () => {
    let login = (): void => {};
    const { options } = refreshing(async () => {
      // Of one millisecond's calls in two processes the numbers do not say which came last.
      const began = Date.now();
      while (Date.now() <= began + 1) await new Promise(setImmediate);
      login();
      return B;
    });
    const fleet = await start(options);
    await fleet.load('S');
    fleet.hands[0].capture('S', A);
    await fleet.agree();
    login = () => void fleet.hands[2].capture('S', C);
    const upstream = throwing({ 'value-a': 401 });
    await fleet.hands[1].run('S', upstream.attempt);
    await fleet.shows(['S', 'value-c'], [{}, 'value-c']);
  });

  it('what is refused is asked for once, by nobody again, until it is forgiven', async () => {
    const { options, calls } = refreshing(async () => {
      throw Object.assign(new Error('refused'), { status: 400, error: 'invalid_grant' });
    });
    const fleet = await start(options);
    await fleet.load('S');
    fleet.hands[0].capture('S', A);
    await fleet.agree();
    const upstream = throwing({ 'value-a': 401 });
    const runs = fleet.hands.map((latchkey) => latchkey.run('S', upstream.attempt).catch((error: { code: string }) => error.code));
    expect(await Promise.all(runs)).toEqual(Array(4).fill('CREDENTIAL_REJECTED'));
    await fleet.agree();
    for (const latchkey of fleet.hands) expect(await latchkey.run('S', upstream.attempt, { whenBlocked: 'skip' })).toBeUndefined();
    expect(calls).toHaveLength(1);
    fleet.hands[2].forgive('S');
    await fleet.shows(['S', 'value-a']);
    await fleet.hands[3].run('S', upstream.attempt).catch(() => {});
    expect(calls).toHaveLength(2);
  });

  it('a pin is refreshed like any other, and taken away by whoever pinned it', async () => {
    const { options, calls } = refreshing(async () => B);
    const fleet = await start(options);
    await fleet.load('S');
    const unpin = fleet.hands[0].pin({}, A);
    await fleet.shows(['S', 'value-a']);
    const upstream = throwing({ 'value-a': 401 });
    expect(await fleet.hands[1].run('S', upstream.attempt)).toBe('ok value-b');
    await fleet.shows(['S', 'value-b']);
    expect(calls).toEqual(['value-a']);
    unpin();
    await fleet.shows(['S', 'missing']);
  });
}
