import { describe, expect, it } from 'vitest';
import { bearer, type Credential, type Latchkey, type LatchkeyOptions } from '../../src/index.js';
import { statusError } from '../support/attempts.js';
import { frozenFleet, pass } from '../support/frozen-fleet.js';
import { endpointDown, invalidGrant } from '../support/refreshing.js';

const OLD = 'token-0';
const MINUTE = 60_000;
const TRY_MS = 400;

describe('who waits for another process’s refresh', () => {
  const world = frozenFleet();

  function work(latchkey: Latchkey, session: string): Promise<string> {
    const attempt = latchkey.run(session, async ({ credential }) => {
      if (credential.reveal() === OLD) throw statusError(401);
      return credential.reveal();
    });
    return attempt.catch((error: { code: string }) => error.code);
  }

  /** One process refreshes, and another one's work waits for that. */
  async function waiting(bring: () => Credential | undefined | Error, tryMs = TRY_MS) {
    let tries = 0;
    const refresh: LatchkeyOptions['refresh'] = async () => {
      tries++;
      await new Promise((resolve) => setTimeout(resolve, tryMs));
      const brought = bring();
      if (brought instanceof Error) throw brought;
      return brought;
    };
    const [holder, other] = [world.fleet.add({ fallback: 'none', refresh }), world.fleet.add({ fallback: 'none', refresh })];
    await world.fleet.ready();
    holder.latchkey.capture('S0', bearer(OLD));
    other.latchkey.capture('S1', bearer(OLD));
    await pass(100);
    void work(holder.latchkey, 'S0');
    await pass(100);
    const began = Date.now();
    const ended: [string, number][] = [];
    void work(other.latchkey, 'S1').then((end) => ended.push([end, Date.now() - began]));
    await pass(50);
    expect(tries).toBe(1);
    return { holder, other, ended, tries: () => tries };
  }

  it('fails fast when that has failed and pauses', async () => {
    const { other, ended, tries } = await waiting(() => endpointDown());
    await pass(3_000);
    expect(ended).toEqual([['AUTH_RETRYING', expect.any(Number)]]);
    expect([other.latchkey.status('S1').state, tries()]).toEqual(['refreshing', 1]);
  });

  it('goes on waiting for as long as the try is out', async () => {
    const { ended, tries } = await waiting(() => bearer('token-1'), 20_000);
    await pass(15_000);
    expect(ended).toEqual([]);
    await pass(10_000);
    expect(ended).toEqual([['token-1', expect.any(Number)]]);
    expect(tries()).toBe(1);
  });

  it.each<[string, () => Credential | undefined | Error, string]>([
    ['was refused', invalidGrant, 'CREDENTIAL_REJECTED'],
    ['brought nothing', () => undefined, 'CREDENTIAL_REJECTED'],
    ['brought a token', () => bearer('token-1'), 'token-1'],
  ])('hears within moments that it %s, though the messages were lost', async (_, bring, end) => {
    const { other, ended, tries } = await waiting(bring);
    other.carrier.auto = false;
    await pass(TRY_MS);
    while (other.carrier.pending.length > 0) other.carrier.drop();
    other.carrier.auto = true;
    await pass(6_000);
    expect(ended).toEqual([[end, expect.any(Number)]]);
    expect(tries()).toBe(1);
  });

  it('does not ask again where that it brought nothing is all that arrived', async () => {
    const { other, ended, tries } = await waiting(() => undefined);
    other.carrier.auto = false;
    await pass(TRY_MS);
    const lost = other.carrier.pending.filter(({ kind }) => kind === 'message').length;
    while (other.carrier.pending.length > 0) {
      if (other.carrier.pending[0]?.kind === 'message') other.carrier.drop();
      else other.carrier.deliver();
    }
    await pass(100);
    expect([lost > 0, ended, tries()]).toEqual([true, [['CREDENTIAL_REJECTED', expect.any(Number)]], 1]);
    other.carrier.auto = true;
    expect(other.latchkey.status('S1')).toMatchObject({ state: 'blocked', next: expect.any(Number) });
  });

  it('is asked for at once where a third process forgives while it pauses', async () => {
    let isUp = false;
    const { holder, tries } = await waiting(() => (isUp ? bearer('token-1') : endpointDown()));
    await pass(6 * MINUTE);
    void work(holder.latchkey, 'S0');
    await pass(1_000);
    expect(holder.latchkey.status('S0').state).toBe('auth_retrying');
    isUp = true;
    const operator = world.fleet.add({ fallback: 'none' });
    await operator.latchkey.ready();
    await operator.latchkey.load(['S0']);
    const before = tries();
    operator.latchkey.forgive('S0');
    await pass(1_000);
    expect(holder.latchkey.stats().refreshing).toBe(0);
    const run = work(holder.latchkey, 'S0');
    await pass(1_000);
    expect(await run).toBe('token-1');
    expect(tries() - before).toBe(1);
  });

  it('is left to itself by whoever forgives while its try is out', async () => {
    const { holder, ended, tries } = await waiting(() => bearer('token-1'), 5_000);
    const operator = world.fleet.add({ fallback: 'none' });
    await operator.latchkey.ready();
    await operator.latchkey.load(['S0']);
    operator.latchkey.forgive('S0');
    await pass(1_000);
    expect(holder.latchkey.stats().refreshing).toBe(1);
    await pass(9_000);
    expect([ended.length, tries()]).toEqual([1, 1]);
  });
});
