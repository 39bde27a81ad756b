import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions } from '../../src/index.js';
import { throwing } from '../support/attempts.js';
import { freezeTime } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';
import { recordingReporter } from '../support/reporter.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const HOUR = 3_600_000;

function make(report: NonNullable<LatchkeyOptions['report']>) {
  const reporter = recordingReporter();
  const latchkey = createLatchkey({ reporter, report, fallback: 'none' });
  return { latchkey, reporter, heard: hearAll(latchkey) };
}

/** A credential of its own for each number, rejected when its work is done. */
async function die(latchkey: Latchkey, n: number, provider = 'p'): Promise<void> {
  const scope = { session: `s${n}`, provider };
  latchkey.capture(scope, bearer(`token-${n}`));
  await latchkey.run(scope, throwing({ [`token-${n}`]: 401 }).attempt).catch(() => {});
}

function recover(latchkey: Latchkey, n: number, provider = 'p'): void {
  latchkey.capture({ session: `s${n}`, provider }, bearer(`fresh-${n}`));
}

describe('perHour', () => {
  it('case 58: holds whatever happens, counts what it suppressed, and such an incident reports no end either', async () => {
    const { latchkey, reporter, heard } = make({ perHour: 3 });
    for (let n = 0; n < 10; n++) await die(latchkey, n, `p${n}`);
    expect(reporter.openings).toHaveLength(3);
    expect(named(heard, 'incident')).toHaveLength(10);
    expect(named(heard, 'suppressed')).toEqual(Array(7).fill({ incident: expect.any(String), why: 'per-hour' }));
    expect(latchkey.stats()).toMatchObject({ incidents: 10, reports: 3, reportsSuppressed: 7 });
    for (let n = 0; n < 10; n++) recover(latchkey, n, `p${n}`);
    expect(reporter.endings.map(({ id }) => id)).toEqual(reporter.openings.map(({ id }) => id));
    expect(named(heard, 'recovered')).toHaveLength(10);
  });

  it('case 58: in any hour, not in each hour of the clock', async () => {
    const { latchkey, reporter } = make({ perHour: 2 });
    await die(latchkey, 1, 'p1');
    await vi.advanceTimersByTimeAsync(HOUR / 2);
    await die(latchkey, 2, 'p2');
    await vi.advanceTimersByTimeAsync(HOUR / 2 - 1);
    await die(latchkey, 3, 'p3');
    expect(reporter.openings).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    await die(latchkey, 4, 'p4');
    expect(reporter.openings).toHaveLength(3);
    await die(latchkey, 5, 'p5');
    expect(reporter.openings).toHaveLength(3);
  });

  it('0 reports nothing at all', async () => {
    const { latchkey, reporter } = make({ perHour: 0 });
    for (let n = 0; n < 3; n++) await die(latchkey, n, `p${n}`);
    recover(latchkey, 0, 'p0');
    expect([reporter.openings, reporter.endings]).toEqual([[], []]);
  });
});

describe('providerWideAfter', () => {
  const wide = { providerWideAfter: { identities: 5, withinMs: 600_000 } };

  it('case 59: at most that many single reports, and one provider-wide one', async () => {
    const { latchkey, reporter, heard } = make(wide);
    for (let n = 0; n < 50; n++) await die(latchkey, n);
    expect(reporter.openings.map(({ kind }) => kind)).toEqual([...Array(5).fill('identity'), 'provider']);
    expect(reporter.openings[5]).toMatchObject({ kind: 'provider', provider: 'p', fingerprint: undefined, status: 401, end: undefined });
    expect(new Set(reporter.openings.map(({ id }) => id)).size).toBe(6);
    expect(named(heard, 'suppressed')).toEqual(Array(44).fill({ incident: expect.any(String), why: 'provider-wide' }));
    expect(latchkey.stats()).toMatchObject({ incidents: 50, reports: 6, reportsSuppressed: 44 });
  });

  it('case 59: other providers are none of it', async () => {
    const { latchkey, reporter } = make(wide);
    for (let n = 0; n < 10; n++) await die(latchkey, n);
    await die(latchkey, 100, 'q');
    expect(reporter.openings.at(-1)).toMatchObject({ kind: 'identity', provider: 'q' });
  });

  it('case 59: slowly, one outside the window of the other, they are single reports', async () => {
    const { latchkey, reporter } = make(wide);
    for (let n = 0; n < 12; n++) {
      await die(latchkey, n);
      await vi.advanceTimersByTimeAsync(120_000);
    }
    expect(reporter.openings.map(({ kind }) => kind)).toEqual(Array(12).fill('identity'));
  });

  it('case 59: one identity that comes and goes is one identity', async () => {
    const { latchkey, reporter } = make(wide);
    for (let round = 0; round < 10; round++) {
      await die(latchkey, 1);
      latchkey.forgive({ session: 's1', provider: 'p' });
    }
    expect(reporter.openings.map(({ kind }) => kind)).toEqual(Array(10).fill('identity'));
  });

  it('case 59: it ends, once, when the last of its incidents does, with their sums', async () => {
    const { latchkey, reporter } = make(wide);
    for (let n = 0; n < 8; n++) await die(latchkey, n);
    const id = reporter.openings[5]?.id;
    for (let n = 0; n < 7; n++) recover(latchkey, n);
    expect(reporter.endings.map(({ kind }) => kind)).toEqual(Array(5).fill('identity'));
    await vi.advanceTimersByTimeAsync(1_000);
    recover(latchkey, 7);
    expect(reporter.endings).toHaveLength(6);
    expect(reporter.endings[5]).toMatchObject({ id, kind: 'provider', end: 'fresh', scopeCount: 3, endedAt: expect.any(Number) });
    expect((reporter.endings[5]?.endedAt ?? 0) - (reporter.endings[5]?.openedAt ?? 0)).toBe(1_000);
  });

  it('case 59: not a second one within the window, then one again', async () => {
    const { latchkey, reporter } = make(wide);
    for (let n = 0; n < 8; n++) await die(latchkey, n);
    for (let n = 0; n < 8; n++) recover(latchkey, n);
    for (let n = 20; n < 28; n++) await die(latchkey, n);
    expect(reporter.openings.filter(({ kind }) => kind === 'provider')).toHaveLength(1);
    expect(reporter.openings).toHaveLength(6);
    await vi.advanceTimersByTimeAsync(600_000);
    for (let n = 40; n < 48; n++) await die(latchkey, n);
    expect(reporter.openings.filter(({ kind }) => kind === 'provider')).toHaveLength(2);
  });

  it('case 59: evicted, it claims no recovery', async () => {
    const { latchkey, reporter } = make({ providerWideAfter: { identities: 1, withinMs: 600_000 } });
    for (let n = 0; n < 3; n++) await die(latchkey, n);
    for (let n = 0; n < 3; n++) latchkey.evict(`s${n}`);
    expect(reporter.openings.map(({ kind }) => kind)).toEqual(['identity', 'provider']);
    expect(reporter.endings).toEqual([]);
    expect(latchkey.stats().openIncidents).toBe(0);
  });
});
