import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Lease } from '../../src/index.js';
import { answering } from '../support/answering.js';
import { freezeTime } from '../support/clock.js';
import { recordingReporter } from '../support/reporter.js';

describe('once: the attempt cannot be made again', () => {
  beforeEach(freezeTime);
  afterEach(() => void vi.useRealTimers());

  it('gives the rejection back without a retry, though another credential is there by then', async () => {
    const reporter = recordingReporter();
    const latchkey = createLatchkey({ reporter });
    latchkey.capture('s', bearer('stale'));
    const { attempt, sent } = answering({ stale: 401 });
    const whileOut = (lease: Lease): Response => {
      latchkey.capture('s', bearer('fresh'));
      return attempt(lease);
    };
    const response = await latchkey.run('s', whileOut, { once: true, rejected: 'return', whenBlocked: 'park' });
    expect(response?.status).toBe(401);
    expect(sent).toEqual(['stale']);
    // The verdict is recorded: the next run sends the other one.
    await latchkey.run('s', attempt);
    expect(sent).toEqual(['stale', 'fresh']);
    expect(reporter.openings).toEqual([]);
  });

  it('throws CREDENTIAL_REJECTED where a rejection is thrown, and never parks after it was sent', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('dead'));
    const { attempt, sent } = answering({ dead: 401 });
    await expect(latchkey.run('s', attempt, { once: true, whenBlocked: 'park' })).rejects.toMatchObject({
      code: 'CREDENTIAL_REJECTED',
      status: 401,
    });
    expect(sent).toEqual(['dead']);
  });

  it('parks before it is sent, since nothing is used up yet', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('dead')).settle(401);
    const { attempt, sent } = answering();
    const run = latchkey.run('s', attempt, { once: true, whenBlocked: 'park' });
    await vi.advanceTimersByTimeAsync(10);
    latchkey.capture('s', bearer('fresh'));
    await vi.advanceTimersByTimeAsync(1_000);
    expect((await run)?.status).toBe(200);
    expect(sent).toEqual(['fresh']);
  });

  it('repeats nothing that failed for a reason that passes', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('fine'));
    const { attempt, sent } = answering({ fine: 503 });
    const response = await latchkey.run('s', attempt, { once: true, transient: { retries: 3 } });
    expect(response?.status).toBe(503);
    expect(sent).toEqual(['fine']);
  });

  it('says that it was rejected, not that it was skipped, when it was made', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('stale'));
    const whileOut = (): Response => {
      latchkey.capture('s', bearer('fresh'));
      return new Response(null, { status: 401 });
    };
    await expect(latchkey.run('s', whileOut, { once: true, whenBlocked: 'skip' })).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    expect(latchkey.stats()).toMatchObject({ skipped: 0 });
    latchkey.evict('s');
    expect(await latchkey.run('s', whileOut, { once: true, whenBlocked: 'skip' })).toBeUndefined();
  });

  it('must be a boolean', async () => {
    const latchkey = createLatchkey();
    await expect(latchkey.run('s', () => 1, { once: 'yes' as never })).rejects.toThrow('run: `once` must be a boolean');
  });
});
