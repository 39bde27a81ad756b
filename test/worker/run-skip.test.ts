import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { throwing } from '../support/attempts.js';
import { manualClock } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';
import { recordingReporter } from '../support/reporter.js';

const SKIP = { whenBlocked: 'skip' } as const;

describe('run: skipped', () => {
  it('case 47: undefined, counted, and nothing is called', async () => {
    const latchkey = createLatchkey({ clock: manualClock() });
    latchkey.capture('s', bearer('token-a')).settle(401);
    const heard = hearAll(latchkey);
    const { attempt, sent } = throwing({});
    await expect(latchkey.run('s', attempt, SKIP)).resolves.toBeUndefined();
    expect(sent).toEqual([]);
    expect(named(heard, 'skipped')).toEqual([{ scope: { session: 's' }, reason: 'rejected' }]);
    expect(latchkey.stats()).toMatchObject({ runs: 1, skipped: 1, attempts: 0, running: 0 });
  });

  it('case 47: undefined also for a rejection that the run met itself', async () => {
    const latchkey = createLatchkey({ clock: manualClock() });
    latchkey.capture('s', bearer('token-a'));
    const { attempt, sent } = throwing({ 'token-a': 401 });
    await expect(latchkey.run('s', attempt, SKIP)).resolves.toBeUndefined();
    expect(sent).toEqual(['token-a']);
    expect(latchkey.stats()).toMatchObject({ skipped: 1, rejected: 1, openIncidents: 1 });
  });

  it('case 47: the answer of that rejection is drained, since nobody gets it', async () => {
    const latchkey = createLatchkey({ clock: manualClock() });
    latchkey.capture('s', bearer('token-a'));
    const response = new Response('expired', { status: 401 });
    await expect(latchkey.run('s', () => response, SKIP)).resolves.toBeUndefined();
    expect(response.bodyUsed).toBe(true);
  });

  it('case 47: each reason is told as it is', async () => {
    const clock = manualClock();
    const latchkey = createLatchkey({ clock });
    latchkey.capture({ session: 'held', provider: 'p' }, bearer('token-h')).settle({ holdMs: 1_000 });
    latchkey.capture({ session: 'expired', provider: 'q' }, bearer('token-e', { expiresAt: clock.now() + 1 }));
    clock.advance(1);
    const heard = hearAll(latchkey);
    await latchkey.run({ session: 'held', provider: 'p' }, () => 1, SKIP);
    await latchkey.run({ session: 'expired', provider: 'q' }, () => 1, SKIP);
    await latchkey.run('missing', () => 1, SKIP);
    expect(named(heard, 'skipped').map((event) => (event as { reason: string }).reason)).toEqual(['held', 'expired', 'missing']);
    expect(latchkey.stats()).toMatchObject({ skipped: 3, incidents: 0 });
  });

  it('case 47: cheap: a thousand skipped runs make no call, no event but their own, one incident and one report', async () => {
    const reporter = recordingReporter();
    const latchkey = createLatchkey({ clock: manualClock(), reporter });
    latchkey.capture('s', bearer('token-a')).settle(401);
    const heard = hearAll(latchkey);
    for (let i = 0; i < 1_000; i++) await latchkey.run('s', () => 1, SKIP);
    expect(new Set(heard.map(({ name }) => name))).toEqual(new Set(['incident', 'blocked', 'skipped']));
    expect(named(heard, 'blocked')).toHaveLength(1);
    expect(reporter.openings).toHaveLength(1);
    expect(latchkey.stats()).toMatchObject({ skipped: 1_000, attempts: 0, incidents: 1, waiting: 0 });
    latchkey.capture('s', bearer('token-b'));
    expect(reporter.endings).toEqual([expect.objectContaining({ suppressed: 1_000, scopeCount: 1, end: 'fresh' })]);
  });

  it('an error of the attempt that is no rejection is not skipped', async () => {
    const latchkey = createLatchkey({ clock: manualClock() });
    latchkey.capture('s', bearer('token-a'));
    await expect(latchkey.run('s', () => Promise.reject(new RangeError('own')), SKIP)).rejects.toThrow(RangeError);
  });
});
