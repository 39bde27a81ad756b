import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { watch } from '../support/attempts.js';
import { freezeTime, START, settled } from '../support/clock.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const HOLD_MS = 20_000;

describe('run: parked behind a hold', () => {
  it('its end wakes them in the order of arrival, 25 every 10 ms', async () => {
    const latchkey = createLatchkey({ canary: 'off' });
    latchkey.capture('s', bearer('token-a')).settle({ holdMs: HOLD_MS });
    const sent: { run: number; at: number }[] = [];
    const runs = Array.from({ length: 60 }, (_, run) =>
      watch(latchkey.run('s', () => void sent.push({ run, at: Date.now() - START }), { whenBlocked: 'park' })),
    );
    await settled();
    await vi.advanceTimersByTimeAsync(HOLD_MS - 1);
    expect(sent).toEqual([]);
    for (let ms = 0; ms < 100; ms++) await vi.advanceTimersByTimeAsync(1);
    expect(sent.map(({ run }) => run)).toEqual(Array.from({ length: 60 }, (_, run) => run));
    const first = sent[0]?.at ?? 0;
    expect(first - HOLD_MS).toBeLessThanOrEqual(1);
    expect(sent.map(({ at }) => at - first)).toEqual(Array.from({ length: 60 }, (_, run) => 10 * Math.floor(run / 25)));
    expect(runs.every(({ state }) => state === 'resolved')).toBe(true);
    expect(latchkey.stats()).toMatchObject({ waiting: 0, running: 0 });
  });
});
