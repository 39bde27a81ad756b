import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions, type Scope } from '../../src/index.js';
import { throwing } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';
import { recordingReporter } from '../support/reporter.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

function make(options: LatchkeyOptions = {}) {
  const reporter = recordingReporter();
  const latchkey = createLatchkey({ reporter, canary: 'off', ...options });
  return { latchkey, reporter, heard: hearAll(latchkey) };
}

async function fail(latchkey: Latchkey, scope: Scope, dead: string): Promise<void> {
  await latchkey.run(scope, throwing({ [dead]: 401 }).attempt).catch(() => {});
}

const skip = (latchkey: Latchkey, scope: Scope) => latchkey.run(scope, () => 1, { whenBlocked: 'skip' });

/** No report is held back. */
const EVERY = { perHour: 1_000, providerWideAfter: { identities: 1_000_000, withinMs: 1_000 } };

describe('an incident that a fallback absorbed', () => {
  it('is told after all if its scope is blocked again before the absorption has held for the grace', async () => {
    const { latchkey, reporter } = make({ report: { graceMs: 30_000 } });
    latchkey.capture('s', bearer('token-a'));
    await fail(latchkey, 's', 'token-a');
    await vi.advanceTimersByTimeAsync(15_000);
    const fallback = latchkey.capture('other', bearer('token-g'));
    await vi.advanceTimersByTimeAsync(16_000);
    expect(reporter.openings).toEqual([]);
    // Found out by its client: no work of `s` has met that yet when the absorption's grace is over.
    fallback.settle(401);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(latchkey.stats().openIncidents).toBe(1);
    for (let i = 0; i < 3; i++) await fail(latchkey, 's', 'token-a');
    await vi.advanceTimersByTimeAsync(30_000);
    expect(reporter.openings).toEqual([expect.objectContaining({ fingerprint: bearer('token-a').fingerprint })]);
    expect(reporter.endings).toEqual([]);
    latchkey.capture('s', bearer('token-b'));
    expect(reporter.endings).toEqual([expect.objectContaining({ id: reporter.openings[0]?.id, end: 'fresh' })]);
  });
});

describe('more blocked scopes than `limits.sessions`', () => {
  const SESSIONS = 10;
  const PURPOSES = ['distil', 'warm', 'index'];

  async function crowd() {
    const made = make({ fallback: 'none', limits: { sessions: SESSIONS }, report: EVERY });
    for (let s = 0; s < SESSIONS; s++) made.latchkey.capture(`s${s}`, bearer(`token-${s}`)).settle(401);
    for (let round = 0; round < 20; round++)
      for (let s = 0; s < SESSIONS; s++) for (const purpose of PURPOSES) await skip(made.latchkey, { session: `s${s}`, purpose });
    return made;
  }

  it('no storm: one opening for each credential, and nothing ends while it is blocked', async () => {
    const { latchkey, reporter, heard } = await crowd();
    expect(reporter.openings).toHaveLength(SESSIONS);
    expect(new Set(reporter.openings.map(({ fingerprint }) => fingerprint)).size).toBe(SESSIONS);
    expect(reporter.endings).toEqual([]);
    expect(named(heard, 'recovered')).toEqual([]);
    expect(named(heard, 'resumed')).toEqual([]);
    expect(named(heard, 'blocked').length).toBeLessThanOrEqual(SESSIONS * PURPOSES.length);
    expect(latchkey.stats()).toMatchObject({ openIncidents: SESSIONS, incidents: SESSIONS });
  });

  it('every call that was not sent is counted all the same', async () => {
    const { latchkey } = await crowd();
    const counted = latchkey.snapshot().incidents.reduce((sum, { suppressed }) => sum + suppressed, 0);
    expect(counted).toBe(20 * SESSIONS * PURPOSES.length);
  });

  it('each still ends once, with fresh auth', async () => {
    const { latchkey, reporter } = await crowd();
    for (let s = 0; s < SESSIONS; s++) latchkey.capture(`s${s}`, bearer(`fresh-${s}`));
    expect(reporter.endings.map(({ end }) => end)).toEqual(Array.from({ length: SESSIONS }, () => 'fresh'));
    expect(latchkey.stats().openIncidents).toBe(0);
  });

  it('more dead credentials than that: those beyond go untold, and push none out', async () => {
    const { latchkey, reporter } = make({ fallback: 'none', limits: { sessions: 2 }, report: EVERY });
    const providers = ['p', 'q', 'r', 't', 'u'];
    for (const provider of providers) latchkey.capture({ session: 's', provider }, bearer(`token-${provider}`)).settle(401);
    for (let round = 0; round < 5; round++) for (const provider of providers) await skip(latchkey, { session: 's', provider });
    expect(reporter.openings.map(({ provider }) => provider)).toEqual(['p', 'q']);
    expect(reporter.endings).toEqual([]);
    // One that has ended makes room.
    latchkey.capture({ session: 's', provider: 'p' }, bearer('fresh'));
    await skip(latchkey, { session: 's', provider: 'r' });
    expect(reporter.endings.map(({ provider }) => provider)).toEqual(['p']);
    expect(reporter.openings.map(({ provider }) => provider)).toEqual(['p', 'q', 'r']);
  });
});

describe('a scope whose work is accepted', () => {
  it('leaves its incident, also if a rule of the user that lends now lets it go on', async () => {
    let lends = false;
    const { latchkey, reporter, heard } = make({ fallback: () => lends });
    latchkey.capture('other', bearer('token-g'));
    latchkey.capture('s', bearer('token-a'));
    latchkey.capture('other', bearer('token-g2'));
    await fail(latchkey, 's', 'token-a');
    expect(latchkey.stats().openIncidents).toBe(1);
    lends = true;
    for (let i = 0; i < 3; i++) await expect(latchkey.run('s', throwing({}).attempt)).resolves.toBe('ok token-g2');
    expect(latchkey.stats().openIncidents).toBe(0);
    expect(reporter.endings).toEqual([expect.objectContaining({ id: reporter.openings[0]?.id, end: 'fallback' })]);
    expect(named(heard, 'resumed')).toHaveLength(1);
  });
});

describe('after close', () => {
  it('forgiveness, and whatever else frees a scope, reports nothing', async () => {
    const { latchkey, reporter, heard } = make();
    latchkey.capture('s', bearer('token-a'));
    await fail(latchkey, 's', 'token-a');
    await latchkey.close();
    const before = heard.length;
    latchkey.forgive('s');
    latchkey.forgive(bearer('token-a').fingerprint);
    await settled();
    expect(reporter.openings).toHaveLength(1);
    expect(reporter.endings).toEqual([]);
    expect(heard.slice(before)).toEqual([]);
  });
});
