import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { freezeTime } from '../support/clock.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

/** How many of five calls that begin together do not wait for another. */
function begunAtOnce(latchkey: Latchkey, session: string): number {
  let begun = 0;
  for (let i = 0; i < 5; i++) {
    void latchkey.run(session, () => {
      begun++;
      return new Promise(() => {});
    });
  }
  return begun;
}

describe('which credentials are tried first', () => {
  it('a proof counts for `proofMs`: then the next call is a canary again', async () => {
    for (const [age, expected] of [
      [0, 5],
      [5_000, 5],
      [5_001, 1],
    ] as const) {
      const latchkey = createLatchkey({ proofMs: 5_000 });
      latchkey.capture('s', bearer('token-a'));
      await latchkey.run('s', () => 'proof');
      await vi.advanceTimersByTimeAsync(age);
      expect(begunAtOnce(latchkey, 's')).toBe(expected);
    }
  });

  it("its owner's proof does not speak for a borrower", async () => {
    const latchkey = createLatchkey();
    latchkey.capture('owner', bearer('token-g'));
    await latchkey.run('owner', () => 'proof');
    expect(begunAtOnce(latchkey, 'owner')).toBe(5);
    expect(begunAtOnce(latchkey, 'cold')).toBe(1);
  });

  it("with `canary: 'borrowed'` only a borrowed one is, with `'off'` none", () => {
    for (const [canary, own, borrowed] of [
      ['doubtful', 1, 0],
      ['borrowed', 5, 1],
      ['off', 5, 5],
    ] as const) {
      const latchkey = createLatchkey({ canary });
      latchkey.capture('owner', bearer('token-g'));
      expect(begunAtOnce(latchkey, 'owner')).toBe(own);
      expect(begunAtOnce(latchkey, 'cold')).toBe(borrowed);
    }
  });
});
