import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Lease } from '../../src/index.js';
import { statusError } from '../support/attempts.js';
import { freezeTime, START, settled } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';
import { refreshing } from '../support/refreshing.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const MINUTE = 60_000;
const tick = async (ms: number): Promise<void> => {
  await vi.advanceTimersByTimeAsync(ms);
  await settled(3);
};
const reveal = (lease: Lease): string => lease.credential.reveal();

describe('a session that presents an old token for the first time after it was refreshed', () => {
  it('is given what came of it when it is over, without another refresh', async () => {
    const recorded = refreshing((_, __, tried) => bearer(`new-${tried}`, { expiresAt: Date.now() + 600 * MINUTE }));
    const latchkey = createLatchkey({ refresh: recorded.refresh });
    const heard = hearAll(latchkey);
    const old = bearer('old', { expiresAt: START + 60 * MINUTE });
    latchkey.capture('a', old);
    await tick(61 * MINUTE);
    await latchkey.run('a', () => 'ok');
    for (let i = 0; i < 5; i++) {
      latchkey.capture(`b${i}`, old);
      expect(await latchkey.run(`b${i}`, reveal)).toBe('new-1');
      await settled();
      const resolved = latchkey.resolve(`b${i}`);
      expect(resolved.ok && [resolved.lease.source, reveal(resolved.lease)]).toEqual(['session', 'new-1']);
    }
    expect(recorded.calls).toEqual(['old']);
    expect(named(heard, 'refreshed')).toHaveLength(6);
  });

  it('does not end another’s, at an issuer that keeps one access token alive', async () => {
    let live = 'old';
    const recorded = refreshing((_, __, tried) => {
      live = `new-${tried}`;
      return bearer(live);
    });
    const latchkey = createLatchkey({ refresh: recorded.refresh, fallback: 'none' });
    const call = (lease: Lease): string => {
      if (reveal(lease) !== live) throw statusError(401);
      return 'ok';
    };
    latchkey.capture('a', bearer('old'));
    live = 'revoked';
    await latchkey.run('a', call);
    latchkey.capture('b', bearer('old'));
    for (let i = 0; i < 20; i++) {
      expect(await latchkey.run('a', call)).toBe('ok');
      await tick(15_000);
      expect(await latchkey.run('b', call)).toBe('ok');
      await tick(15_000);
    }
    expect(recorded.calls).toEqual(['old']);
  });

  it('has it refreshed where what came of it is dead, and where another tenant has refreshed it', async () => {
    const recorded = refreshing((lease, __, tried) => bearer(`new-${lease.scope.tenant}-${tried}`));
    const latchkey = createLatchkey({ refresh: recorded.refresh, fallback: 'none' });
    const dead = new Set(['old']);
    const call = (lease: Lease): string => {
      if (dead.has(reveal(lease))) throw statusError(401);
      return reveal(lease);
    };
    latchkey.capture({ tenant: 't', session: 'a' }, bearer('old'));
    expect(await latchkey.run({ tenant: 't', session: 'a' }, call)).toBe('new-t-1');
    latchkey.capture({ tenant: 'u', session: 'a' }, bearer('old'));
    expect(await latchkey.run({ tenant: 'u', session: 'a' }, call)).toBe('new-u-2');
    dead.add('new-t-1');
    expect(await latchkey.run({ tenant: 't', session: 'a' }, call)).toBe('new-t-3');
    latchkey.capture({ tenant: 't', session: 'b' }, bearer('old'));
    expect(await latchkey.run({ tenant: 't', session: 'b' }, call)).toBe('new-t-3');
    expect(recorded.calls).toEqual(['old', 'old', 'new-t-1']);
  });

  it('is given the last of its line that somebody works with, where the one behind that is dead', async () => {
    const recorded = refreshing((_, __, tried) => bearer(`new-${tried}`, { expiresAt: Date.now() + 60 * MINUTE }));
    const latchkey = createLatchkey({ refresh: recorded.refresh, fallback: 'none', expiry: { jitterMs: 0 } });
    const call = (lease: Lease): string => {
      if (reveal(lease) === 'new-2') throw statusError(401);
      return reveal(lease);
    };
    const old = bearer('old', { expiresAt: START + MINUTE });
    latchkey.capture('a', old);
    await tick(2 * MINUTE);
    expect(await latchkey.run('a', call)).toBe('new-1');
    await tick(56 * MINUTE);
    expect(await latchkey.run('a', call)).toBe('new-1');
    await settled();
    await expect(latchkey.run('a', call)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    latchkey.capture('c', bearer('new-1', { expiresAt: Date.now() + 30 * MINUTE }));
    latchkey.capture('b', old);
    expect(await latchkey.run('b', call)).toBe('new-1');
    expect(recorded.calls).toEqual(['old', 'new-1']);
  });
});
