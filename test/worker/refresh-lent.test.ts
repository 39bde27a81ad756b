import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { freezeTime, START, settled } from '../support/clock.js';
import { refreshing } from '../support/refreshing.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const MINUTE = 60_000;
const tick = async (ms: number): Promise<void> => {
  await vi.advanceTimersByTimeAsync(ms);
  await settled(3);
};

describe('a credential that others lend', () => {
  it('is not refreshed for whom the rule lends nothing', async () => {
    const recorded = refreshing((_, __, tried) => bearer(`new-${tried}`, { expiresAt: Date.now() + 10 * MINUTE }));
    const latchkey = createLatchkey({ refresh: recorded.refresh, fallback: (_, { session }) => session === 'friend' });
    latchkey.capture('owner', bearer('old', { expiresAt: START + 10 * MINUTE }));
    for (let i = 0; i < 30; i++) {
      void latchkey.run('stranger', () => 'ok').catch(() => {});
      await tick(MINUTE);
    }
    expect([recorded.calls, latchkey.status('stranger').state]).toEqual([[], 'blocked']);
    expect(await latchkey.run('friend', ({ credential }) => credential.reveal())).toBe('new-1');
    expect(recorded.calls).toEqual(['old']);
  });

  it('is refreshed beside the work of those who borrow it, on behalf of whoever presented it', async () => {
    const recorded = refreshing(
      () => new Promise((resolve) => setTimeout(() => resolve(bearer('new', { expiresAt: Date.now() + 600 * MINUTE })), 20_000)),
    );
    const scopes: unknown[] = [];
    const latchkey = createLatchkey({
      refresh: (lease, context) => {
        scopes.push(lease.scope);
        return recorded.refresh(lease, context);
      },
    });
    latchkey.capture('owner', bearer('old', { expiresAt: START + 60 * MINUTE }));
    let longest = 0;
    for (let i = 0; i < 130; i++) {
      const at = Date.now();
      const run = latchkey
        .run('borrower', () => 'ok')
        .then(() => {
          longest = Math.max(longest, Date.now() - at);
        });
      await tick(30_000);
      await run;
    }
    expect([longest, recorded.calls, scopes]).toEqual([0, ['old'], [{ session: 'owner' }]]);
  });
});
