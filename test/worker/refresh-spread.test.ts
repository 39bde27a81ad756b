import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { freezeTime, START } from '../support/clock.js';

const TOKENS = 1_000;
const HOUR_MS = 3_600_000;
const ADVISORY_MS = 300_000;
const JITTER_MS = 150_000;
const TENTHS = 10;
/** Four standard deviations about a tenth of them. */
const [LEAST, MOST] = [60, 140];

const SESSIONS = Array.from({ length: TOKENS }, (_, index) => `session-${index}`);

/** A process that has all the tokens, of one expiry each, and notes when it refreshes whose. */
function startProcess(): { latchkey: Latchkey; refreshedAt: Map<string, number>; work: () => Promise<unknown> } {
  const refreshedAt = new Map<string, number>();
  const latchkey = createLatchkey({
    refresh: ({ scope }) => {
      const session = String(scope.session);
      if (refreshedAt.has(session)) throw new Error(`${session} is refreshed twice`);
      refreshedAt.set(session, Date.now());
      return bearer(`${session}-token-2`, { expiresAt: Date.now() + 2 * HOUR_MS });
    },
  });
  for (const session of SESSIONS) latchkey.capture(session, bearer(`${session}-token-1`, { expiresAt: START + HOUR_MS }));
  return { latchkey, refreshedAt, work: () => Promise.all(SESSIONS.map((session) => latchkey.run(session, () => 'done'))) };
}

describe('refreshing a thousand tokens that expire at once', () => {
  beforeEach(() => freezeTime());
  afterEach(() => void vi.useRealTimers());

  it('is spread evenly over the jitter, and every process has the same moment for each', async () => {
    const processes = [startProcess(), startProcess()];
    const [one, other] = processes as [(typeof processes)[0], (typeof processes)[0]];
    const work = async (): Promise<number> => {
      for (const { work } of processes) await work();
      return one.refreshedAt.size;
    };
    vi.setSystemTime(START + HOUR_MS - ADVISORY_MS - 1);
    expect(await work()).toBe(0);

    const perTenth: number[] = [];
    for (let tenth = 1; tenth <= TENTHS; tenth++) {
      vi.setSystemTime(START + HOUR_MS - ADVISORY_MS + (tenth * JITTER_MS) / TENTHS);
      const before = one.refreshedAt.size;
      perTenth.push((await work()) - before);
    }
    expect(perTenth.reduce((sum, count) => sum + count, 0)).toBe(TOKENS);
    for (const count of perTenth) {
      expect(count).toBeGreaterThanOrEqual(LEAST);
      expect(count).toBeLessThanOrEqual(MOST);
    }
    expect([...other.refreshedAt].sort()).toEqual([...one.refreshedAt].sort());

    vi.setSystemTime(START + HOUR_MS + 1);
    expect(await work()).toBe(TOKENS);
    for (const { latchkey } of processes) {
      expect(latchkey.stats()).toMatchObject({ refreshes: TOKENS, refreshed: TOKENS, openIncidents: 0, refreshing: 0 });
      await latchkey.close();
    }
  });
});
