import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { throwing } from '../support/attempts.js';
import { freezeTime } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';
import { recordingReporter } from '../support/reporter.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const GRACE = 30_000;

function make() {
  const reporter = recordingReporter();
  const latchkey = createLatchkey({ reporter, report: { graceMs: GRACE } });
  return { latchkey, reporter, heard: hearAll(latchkey) };
}

async function fail(latchkey: Latchkey, session: string, ...dead: string[]): Promise<void> {
  const { attempt } = throwing(Object.fromEntries(dead.map((value) => [value, 401])));
  await latchkey.run(session, attempt).catch(() => {});
}

describe('graceMs', () => {
  it('case 58: an incident shorter than it reports nothing, and is counted as suppressed', async () => {
    const { latchkey, reporter, heard } = make();
    latchkey.capture('s', bearer('token-a'));
    await fail(latchkey, 's', 'token-a');
    await vi.advanceTimersByTimeAsync(GRACE - 1);
    latchkey.capture('s', bearer('token-b'));
    await vi.advanceTimersByTimeAsync(10 * GRACE);
    expect(reporter.openings).toEqual([]);
    expect(reporter.endings).toEqual([]);
    expect(named(heard, 'suppressed')).toEqual([{ incident: expect.any(String), why: 'grace' }]);
    expect(named(heard, 'incident')).toHaveLength(1);
    expect(named(heard, 'recovered')).toHaveLength(1);
    expect(latchkey.stats()).toMatchObject({ reports: 0, reportsSuppressed: 1, incidents: 1 });
  });

  it('case 58: the opening of a longer one is held back until then, and has what happened meanwhile', async () => {
    const { latchkey, reporter } = make();
    latchkey.capture('s', bearer('token-a'));
    await fail(latchkey, 's', 'token-a');
    for (let i = 0; i < 3; i++) await fail(latchkey, 's', 'token-a');
    await vi.advanceTimersByTimeAsync(GRACE - 1);
    expect(reporter.openings).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(reporter.openings).toEqual([expect.objectContaining({ suppressed: 3, scopeCount: 1 })]);
    latchkey.capture('s', bearer('token-b'));
    expect(reporter.endings).toHaveLength(1);
    expect(latchkey.stats()).toMatchObject({ reports: 1, reportsSuppressed: 0 });
  });

  it('absorbed by a fallback that dies within the grace: the same incident, one report', async () => {
    const { latchkey, reporter, heard } = make();
    latchkey.capture('s', bearer('token-a'));
    await fail(latchkey, 's', 'token-a');
    await vi.advanceTimersByTimeAsync(10_000);
    latchkey.capture('other', bearer('token-g'));
    expect(latchkey.canRun('s')).toBe(true);
    await vi.advanceTimersByTimeAsync(10_000);
    await fail(latchkey, 's', 'token-g');
    await vi.advanceTimersByTimeAsync(10_000);
    expect(named(heard, 'incident')).toHaveLength(1);
    expect(reporter.openings).toEqual([expect.objectContaining({ fingerprint: bearer('token-a').fingerprint })]);
    expect(reporter.endings).toEqual([]);
    latchkey.capture('s', bearer('token-b'));
    expect(reporter.endings).toEqual([expect.objectContaining({ id: reporter.openings[0]?.id, end: 'fresh' })]);
    expect(latchkey.stats()).toMatchObject({ incidents: 1, reports: 1, openIncidents: 0 });
  });

  it('absorbed by a fallback that holds: nothing is reported, and it ends as `fallback`', async () => {
    const { latchkey, reporter, heard } = make();
    latchkey.capture('s', bearer('token-a'));
    await fail(latchkey, 's', 'token-a');
    latchkey.capture('other', bearer('token-g'));
    expect(named(heard, 'resumed')).toHaveLength(1);
    expect(latchkey.stats().openIncidents).toBe(1);
    await vi.advanceTimersByTimeAsync(GRACE);
    expect(latchkey.stats().openIncidents).toBe(0);
    expect(named(heard, 'resumed')).toHaveLength(1);
    expect(named(heard, 'recovered')).toEqual([{ incident: expect.objectContaining({ end: 'fallback' }) }]);
    expect(reporter.openings).toEqual([]);
    expect(latchkey.stats()).toMatchObject({ reportsSuppressed: 1 });
  });

  it('absorbed after it was reported: it ends once the fallback has held for the grace', async () => {
    const { latchkey, reporter } = make();
    latchkey.capture('s', bearer('token-a'));
    await fail(latchkey, 's', 'token-a');
    await vi.advanceTimersByTimeAsync(GRACE);
    latchkey.capture('other', bearer('token-g'));
    await vi.advanceTimersByTimeAsync(GRACE - 1);
    expect(reporter.endings).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(reporter.endings).toEqual([expect.objectContaining({ end: 'fallback' })]);
  });

  it('of two scopes only one absorbed: the incident goes on', async () => {
    const { latchkey, reporter } = make();
    const scopes = ['s', 'own'];
    for (const session of scopes) latchkey.capture(session, bearer('token-a'));
    await fail(latchkey, 's', 'token-a');
    await latchkey.run('own', () => 1, { fallback: 'none' }).catch(() => {});
    latchkey.capture('other', bearer('token-g'));
    await vi.advanceTimersByTimeAsync(GRACE);
    expect(reporter.openings).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(GRACE);
    expect(reporter.endings).toEqual([]);
    latchkey.capture('own', bearer('token-b'));
    await vi.advanceTimersByTimeAsync(GRACE);
    expect(reporter.endings).toHaveLength(1);
    expect(latchkey.stats().openIncidents).toBe(0);
  });

  it('close within the grace reports nothing', async () => {
    const { latchkey, reporter } = make();
    latchkey.capture('s', bearer('token-a'));
    await fail(latchkey, 's', 'token-a');
    await latchkey.close();
    await vi.advanceTimersByTimeAsync(GRACE);
    expect(reporter.openings).toEqual([]);
  });
});
