import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { statusError, watch } from '../support/attempts.js';
import { manualClock, settled } from '../support/clock.js';

const BROKEN = new Error('the clock is broken');

function breakableClock(): { broken: boolean; now(): number } {
  const { now } = manualClock();
  return {
    broken: false,
    now() {
      if (this.broken) throw BROKEN;
      return now();
    },
  };
}

let unhandled: unknown[];
const note = (reason: unknown): void => void unhandled.push(reason);
beforeEach(() => {
  unhandled = [];
  process.on('unhandledRejection', note);
});
afterEach(() => void process.off('unhandledRejection', note));

describe("a clock of the user's that throws", () => {
  it.each<[string, () => unknown]>([
    ['succeeds', () => 'ok'],
    ['is rejected', () => Promise.reject(statusError(401))],
    ['answers 401', () => new Response(null, { status: 401 })],
  ])('while an attempt is out that %s: the run rejects with its error, and nothing goes unhandled', async (_, answer) => {
    const clock = breakableClock();
    const latchkey = createLatchkey({ clock });
    latchkey.capture('s', bearer('token-a'));
    const run = watch(
      latchkey.run('s', async () => {
        clock.broken = true;
        return answer();
      }),
    );
    await settled();
    expect(run).toMatchObject({ state: 'rejected', reason: BROKEN });
    expect(unhandled).toEqual([]);
    expect(latchkey.stats()).toMatchObject({ running: 0, waiting: 0 });

    clock.broken = false;
    await expect(latchkey.run('s', () => 'next')).resolves.toBe('next');
    const closing = watch(latchkey.close());
    await settled();
    expect(closing.state).toBe('resolved');
  });

  it.each([{}, { timeoutMs: 1_000 }])(
    'before the first attempt: the run rejects with its error and leaves nothing behind (%j)',
    async (options) => {
      const clock = breakableClock();
      const latchkey = createLatchkey({ clock });
      latchkey.capture('s', bearer('token-a'));
      clock.broken = true;
      await expect(latchkey.run('s', () => 'ok', options)).rejects.toBe(BROKEN);
      expect(latchkey.stats()).toMatchObject({ running: 0, attempts: 0 });
      clock.broken = false;
      await expect(latchkey.run('s', () => 'ok')).resolves.toBe('ok');
    },
  );
});
