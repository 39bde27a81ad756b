import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, isLatchkeyError, type Latchkey, type LatchkeyOptions, type Scope } from '../../src/index.js';
import { throwing } from '../support/attempts.js';
import { freezeTime, START } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';
import { recordingReporter } from '../support/reporter.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

function make(options: LatchkeyOptions = {}) {
  const reporter = recordingReporter();
  const latchkey = createLatchkey({ reporter, ...options });
  return { latchkey, reporter, heard: hearAll(latchkey) };
}

/** Work with a scope's credential that is answered 401; its error. */
async function work(latchkey: Latchkey, scope: Scope, dead: string[]): Promise<{ code: string; incident: string | undefined } | undefined> {
  const { attempt } = throwing(Object.fromEntries(dead.map((value) => [value, 401])));
  return latchkey.run(scope, attempt).then(
    () => undefined,
    (error: unknown) => {
      if (!isLatchkeyError(error)) throw error;
      return { code: error.code, incident: error.incident };
    },
  );
}

describe('incidents', () => {
  it('case 56: a thousand rejections of one credential are one report, with a count', async () => {
    const { latchkey, reporter, heard } = make();
    latchkey.capture('s', bearer('token-a'));
    for (let i = 0; i < 1_000; i++) await work(latchkey, 's', ['token-a']);
    expect(reporter.openings).toHaveLength(1);
    expect(reporter.openings[0]).toEqual({
      id: expect.any(String),
      kind: 'identity',
      provider: undefined,
      fingerprint: bearer('token-a').fingerprint,
      status: 401,
      openedAt: START,
      endedAt: undefined,
      end: undefined,
      scopes: [{ session: 's' }],
      scopeCount: 1,
      suppressed: 0,
    });
    expect(latchkey.snapshot().incidents).toEqual([{ ...reporter.openings[0], suppressed: 999 }]);
    expect(named(heard, 'incident')).toHaveLength(1);
    expect(named(heard, 'blocked')).toHaveLength(1);
    expect(latchkey.stats()).toMatchObject({ incidents: 1, reports: 1, openIncidents: 1 });
  });

  it('case 56, 60: recovery is told once, with duration, scopes and calls suppressed', async () => {
    const { latchkey, reporter, heard } = make();
    latchkey.capture('s', bearer('token-a'));
    for (let i = 0; i < 5; i++) await work(latchkey, 's', ['token-a']);
    await vi.advanceTimersByTimeAsync(90_000);
    latchkey.capture('s', bearer('token-b'));
    latchkey.capture('s', bearer('token-b'));
    expect(reporter.endings).toEqual([{ ...reporter.openings[0], endedAt: START + 90_000, end: 'fresh', suppressed: 4 }]);
    expect(named(heard, 'recovered')).toEqual([{ incident: reporter.endings[0] }]);
    expect(named(heard, 'resumed')).toEqual([{ scope: { session: 's' }, incident: reporter.openings[0]?.id, end: 'fresh' }]);
    expect(latchkey.stats()).toMatchObject({ openIncidents: 0 });
  });

  it('case 56: a new failure after the recovery is a new report', async () => {
    const { latchkey, reporter } = make();
    for (const value of ['token-a', 'token-b', 'token-c']) {
      latchkey.capture('s', bearer(value));
      await work(latchkey, 's', [value]);
    }
    expect(new Set(reporter.openings.map(({ id }) => id)).size).toBe(3);
    expect(reporter.endings).toHaveLength(2);
  });

  it('also when the same credential dies again after a proof', async () => {
    const { latchkey, reporter } = make();
    latchkey.capture('s', bearer('token-a'));
    await work(latchkey, 's', ['token-a']);
    latchkey.capture('s', bearer('token-a')).settle(200);
    expect(reporter.endings).toEqual([expect.objectContaining({ end: 'proof' })]);
    await work(latchkey, 's', ['token-a']);
    expect(reporter.openings).toHaveLength(2);
  });

  it('one incident for all the sessions that hold the credential; it ends with the last', async () => {
    const { latchkey, reporter } = make({ fallback: 'none' });
    for (const session of ['s1', 's2', 's3']) latchkey.capture(session, bearer('token-a'));
    const errors = [];
    for (const session of ['s1', 's2', 's3']) errors.push(await work(latchkey, session, ['token-a']));
    expect(new Set(errors.map((error) => error?.incident)).size).toBe(1);
    latchkey.capture('s1', bearer('token-1'));
    latchkey.capture('s3', bearer('token-3'));
    expect(reporter.endings).toEqual([]);
    latchkey.capture('s2', bearer('token-2'));
    expect(reporter.openings).toHaveLength(1);
    expect(reporter.endings).toEqual([
      expect.objectContaining({ scopeCount: 3, scopes: [{ session: 's1' }, { session: 's2' }, { session: 's3' }], suppressed: 2 }),
    ]);
  });

  it('names a thousand scopes and counts the rest', async () => {
    const { latchkey } = make({ fallback: 'none' });
    for (let i = 0; i < 1_005; i++) {
      latchkey.capture(`s${i}`, bearer('token-a'));
      await work(latchkey, `s${i}`, ['token-a']);
    }
    const [incident] = latchkey.snapshot().incidents;
    expect(incident).toMatchObject({ scopeCount: 1_005 });
    expect(incident?.scopes).toHaveLength(1_000);
  });

  it('case 57: a rejection that the fallback absorbs: no incident and no report', async () => {
    const { latchkey, reporter, heard } = make();
    latchkey.capture('s', bearer('token-a'));
    latchkey.capture('other', bearer('token-g'));
    await expect(work(latchkey, 's', ['token-a'])).resolves.toBeUndefined();
    expect(named(heard, 'incident')).toEqual([]);
    expect(reporter.openings).toEqual([]);
  });

  it('case 57: missing scopes: never a report; nor held and expired ones', async () => {
    const { latchkey, reporter } = make();
    await work(latchkey, 'missing', []);
    latchkey.capture({ session: 's', provider: 'held' }, bearer('token-h')).settle(402);
    latchkey.capture({ session: 's', provider: 'expired' }, bearer('token-e', { expiresAt: START }));
    expect(await work(latchkey, { session: 's', provider: 'held' }, [])).toEqual({ code: 'CREDENTIAL_HELD', incident: undefined });
    expect(await work(latchkey, { session: 's', provider: 'expired' }, [])).toEqual({ code: 'CREDENTIAL_EXPIRED', incident: undefined });
    expect(reporter.openings).toEqual([]);
    expect(latchkey.stats().incidents).toBe(0);
  });

  it('case 57: a session that presents a token already known to be dead joins the open incident when it wants to work', async () => {
    const { latchkey, reporter } = make({ fallback: 'none' });
    latchkey.capture('s1', bearer('token-a'));
    const first = await work(latchkey, 's1', ['token-a']);
    latchkey.capture('s2', bearer('token-a'));
    expect(latchkey.snapshot().incidents[0]?.scopeCount).toBe(1);
    const second = await work(latchkey, 's2', ['token-a']);
    expect(second?.incident).toBe(first?.incident);
    expect(latchkey.snapshot().incidents[0]?.scopeCount).toBe(2);
    expect(reporter.openings).toHaveLength(1);
  });

  it('case 57: or opens one then, if there is none', async () => {
    const { latchkey, reporter } = make({ fallback: 'none' });
    latchkey.capture('s1', bearer('token-a')).settle(401);
    latchkey.capture('s2', bearer('token-a'));
    expect(reporter.openings).toEqual([]);
    await work(latchkey, 's2', ['token-a']);
    expect(reporter.openings).toEqual([expect.objectContaining({ scopes: [{ session: 's2' }] })]);
  });

  it('dead to dead stays the one incident, also when the client alternates', async () => {
    const { latchkey, reporter } = make({ fallback: 'none' });
    latchkey.capture('s', bearer('token-a'));
    await work(latchkey, 's', ['token-a']);
    latchkey.capture('elsewhere', bearer('token-b')).settle(401);
    for (let i = 0; i < 20; i++) {
      latchkey.capture('s', bearer(i % 2 === 0 ? 'token-b' : 'token-a'));
      await work(latchkey, 's', ['token-a', 'token-b']);
    }
    expect(reporter.openings).toHaveLength(1);
    expect(reporter.endings).toEqual([]);
    expect(latchkey.stats()).toMatchObject({ incidents: 1, openIncidents: 1, attempts: 1 });
  });

  it('case 60: evicted: no recovery is claimed', async () => {
    const { latchkey, reporter, heard } = make({ fallback: 'none' });
    latchkey.capture('s', bearer('token-a'));
    await work(latchkey, 's', ['token-a']);
    latchkey.evict('s');
    expect(named(heard, 'resumed')).toEqual([{ scope: { session: 's' }, incident: reporter.openings[0]?.id, end: 'evicted' }]);
    expect(named(heard, 'recovered')).toEqual([]);
    expect(reporter.endings).toEqual([]);
    expect(latchkey.stats().openIncidents).toBe(0);
  });

  it('one scope evicted and the other recovered is a recovery', async () => {
    const { latchkey, reporter } = make({ fallback: 'none' });
    for (const session of ['s1', 's2']) {
      latchkey.capture(session, bearer('token-a'));
      await work(latchkey, session, ['token-a']);
    }
    latchkey.capture('s1', bearer('token-b'));
    latchkey.evict('s2');
    expect(reporter.endings).toEqual([expect.objectContaining({ end: 'fresh', scopeCount: 2 })]);
  });

  it('ends with `fallback` when a global credential comes, and with `proof` when it is forgiven', async () => {
    const { latchkey, reporter } = make();
    latchkey.capture('s', bearer('token-a'));
    await work(latchkey, 's', ['token-a']);
    latchkey.capture('other', bearer('token-g'));
    expect(reporter.endings.at(-1)).toMatchObject({ end: 'fallback' });
    latchkey.evict('other');
    await work(latchkey, 's', ['token-a']);
    latchkey.forgive('s');
    expect(reporter.endings.at(-1)).toMatchObject({ end: 'proof' });
    expect(reporter.endings).toHaveLength(2);
  });

  it('a scope whose loan is evicted meets a block of its own again', async () => {
    const { latchkey, reporter } = make();
    latchkey.capture('other', bearer('token-g'));
    await work(latchkey, 'cold', ['token-g']);
    expect(reporter.openings).toHaveLength(1);
    latchkey.evict('other');
    // Nothing is left that could block it: it never had a credential of its own.
    expect(latchkey.stats().openIncidents).toBe(0);
    expect(await work(latchkey, 'cold', ['token-g'])).toEqual({ code: 'CREDENTIAL_MISSING', incident: undefined });
    expect(reporter.endings).toEqual([]);
  });

  it('a listener that brings fresh auth at the news of an incident: no report without an end', async () => {
    const { latchkey, reporter, heard } = make();
    latchkey.on('incident', () => latchkey.capture('s', bearer('token-b')));
    latchkey.capture('s', bearer('token-a'));
    await work(latchkey, 's', ['token-a']);
    expect(reporter.openings.length).toBe(reporter.endings.length);
    expect(named(heard, 'recovered')).toHaveLength(1);
    expect(latchkey.stats().openIncidents).toBe(0);
  });

  it('a report that its reporter answers with fresh auth is ended too', async () => {
    const told: string[] = [];
    const latchkey = createLatchkey({
      reporter: {
        opened: () => {
          told.push('opened');
          latchkey.capture('s', bearer('token-b'));
        },
        ended: () => void told.push('ended'),
      },
    });
    latchkey.capture('s', bearer('token-a'));
    await work(latchkey, 's', ['token-a']);
    expect(told).toEqual(['opened', 'ended']);
  });
});
