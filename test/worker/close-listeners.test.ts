import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { statusError, watch } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

/** A run that pauses before its retry, and what its attempt's signal sets off when it is broken off. */
function pausing(latchkey: Latchkey, onAbort: () => void) {
  return watch(
    latchkey.run(
      's',
      (_, { signal }) => {
        signal.addEventListener('abort', onAbort);
        throw statusError(503);
      },
      { transient: { retries: 1, minMs: 10_000 } },
    ),
  );
}

describe('close: whoever hears of it while it ends', () => {
  it('a listener to `parked` that closes: the run is broken off at once', async () => {
    const latchkey = createLatchkey();
    let closing: ReturnType<typeof watch<void>> | undefined;
    latchkey.on('parked', () => {
      closing = watch(latchkey.close({ timeoutMs: 2_000 }));
    });
    const run = watch(latchkey.run('s', () => 1, { whenBlocked: 'park' }));
    await settled();
    expect(run.reason).toMatchObject({ code: 'CLOSED' });
    expect(closing?.state).toBe('resolved');
    expect(latchkey.stats()).toMatchObject({ waiting: 0, running: 0 });
  });

  it('case 65: an abort listener finds it closed: it can send nothing, and capture nothing', async () => {
    const latchkey = createLatchkey({ canary: 'off' });
    latchkey.capture('s', bearer('token-a'));
    const heard = hearAll(latchkey);
    let sent = 0;
    let nested: ReturnType<typeof watch<number>> | undefined;
    const run = pausing(latchkey, () => {
      nested = watch(latchkey.run('s', () => ++sent));
      latchkey.capture('late', bearer('token-late'));
    });
    await settled();
    const closing = watch(latchkey.close({ timeoutMs: 500 }));
    await settled();
    expect(closing.state).toBe('resolved');
    expect(run.reason).toMatchObject({ code: 'CLOSED' });
    expect(nested?.reason).toMatchObject({ code: 'CLOSED' });
    expect(sent).toBe(0);
    expect(latchkey.stats().captures).toBe(1);
    expect(named(heard, 'captured')).toEqual([]);
  });

  it('a second close gives the same promise, also while the first one is at it', async () => {
    const latchkey = createLatchkey({ canary: 'off' });
    latchkey.capture('s', bearer('token-a'));
    const again: Promise<void>[] = [];
    pausing(latchkey, () => void again.push(latchkey.close()));
    await settled();
    const closing = latchkey.close({ timeoutMs: 500 });
    expect(latchkey.close()).toBe(closing);
    await closing;
    expect(again).toHaveLength(1);
    expect(again[0]).toBe(closing);
    expect(latchkey.close()).toBe(closing);
  });
});
