import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createIdleLoop, createLatchkey, type Latchkey, type Lease } from '../../src/index.js';
import { statusError } from '../support/attempts.js';
import { freezeTime } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';
import { recordingReporter } from '../support/reporter.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const EVERY_MS = 30_000;

/** A gateway whose three kinds of background work go through every session at each tick. */
function gateway(sessions: readonly string[]) {
  const reporter = recordingReporter();
  const latchkey = createLatchkey({ reporter, tenancy: 'multi' });
  const alive = new Set<string>();
  const calls: { value: string; status: number }[] = [];
  const provider = async (lease: Lease) => {
    const value = lease.credential.reveal();
    const status = alive.has(value) ? 200 : 401;
    calls.push({ value, status });
    if (status === 401) throw statusError(401);
    return 'done';
  };
  const work = ['distil', 'curate', 'warm'].flatMap((purpose) => sessions.map((session) => ({ session, purpose })));
  const scope = ({ session, purpose }: { session: string; purpose: string }) => ({ tenant: session, session, provider: 'llm', purpose });
  const loop = createIdleLoop(latchkey, { everyMs: EVERY_MS, items: () => work, scope, task: (_, { run }) => run(provider) });
  const present = (session: string, value: string) =>
    latchkey.capture({ tenant: session, session, provider: 'llm' }, bearer(value)).settle(alive.has(value) ? 200 : 401);
  return { latchkey, reporter, alive, calls, loop, present };
}

const failures = (calls: { value: string; status: number }[]) => calls.filter(({ status }) => status === 401);

async function ticks(count: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(count * EVERY_MS);
}

describe('noise', () => {
  it('case 56: a thousand ticks with a dead token: one 401, one report, and after fresh auth one recovery', async () => {
    const { latchkey, reporter, alive, calls, loop, present } = gateway(['ada']);
    alive.add('token-1');
    present('ada', 'token-1');
    loop.start();
    await ticks(3);
    expect(calls).toHaveLength(9);
    alive.delete('token-1');
    await ticks(1_000);
    expect(failures(calls)).toHaveLength(1);
    expect(reporter.openings).toHaveLength(1);
    expect(reporter.openings[0]).toMatchObject({ provider: 'llm', status: 401, fingerprint: bearer('token-1').fingerprint });
    expect(latchkey.stats()).toMatchObject({ incidents: 1, reports: 1, openIncidents: 1 });

    alive.add('token-2');
    present('ada', 'token-2');
    expect(reporter.endings).toEqual([expect.objectContaining({ id: reporter.openings[0]?.id, end: 'fresh', scopeCount: 3 })]);
    // One tick made the one call and met the block with the two others; all later ones met it with three.
    expect(reporter.endings[0]?.suppressed).toBe(999 * 3 + 2);
    await ticks(1);
    expect(failures(calls)).toHaveLength(1);
    expect(calls.slice(-3).map(({ value }) => value)).toEqual(['token-2', 'token-2', 'token-2']);

    alive.delete('token-2');
    await ticks(100);
    expect(failures(calls)).toHaveLength(2);
    expect(reporter.openings).toHaveLength(2);
    expect(reporter.openings[1]?.id).not.toBe(reporter.openings[0]?.id);
    await loop.stop();
  });

  it('a client that keeps sending its dead token re-arms nothing', async () => {
    const { latchkey, reporter, alive, calls, loop, present } = gateway(['ada']);
    alive.add('token-1');
    present('ada', 'token-1');
    loop.start();
    await ticks(1);
    alive.delete('token-1');
    await ticks(1);
    const heard = hearAll(latchkey);
    for (let i = 0; i < 50; i++) {
      present('ada', 'token-1');
      await ticks(1);
    }
    expect(failures(calls)).toHaveLength(1);
    expect(reporter.openings).toHaveLength(1);
    expect(reporter.endings).toEqual([]);
    expect(named(heard, 'captured')).toEqual([]);
    expect(named(heard, 'blocked')).toEqual([]);
    await loop.stop();
  });

  it('a client that alternates two dead tokens makes one 401 for each of them, and one incident', async () => {
    const { latchkey, reporter, alive, calls, loop } = gateway(['ada']);
    const capture = (value: string) => latchkey.capture({ tenant: 'ada', session: 'ada', provider: 'llm' }, bearer(value));
    alive.add('token-1');
    capture('token-1');
    loop.start();
    await ticks(1);
    alive.clear();
    await ticks(1);
    for (let i = 0; i < 50; i++) {
      capture(i % 2 === 0 ? 'token-2' : 'token-1');
      await ticks(1);
    }
    expect(failures(calls).map(({ value }) => value)).toEqual(['token-1', 'token-2']);
    expect(latchkey.stats().openIncidents).toBe(1);
    // The second token was fresh when it came, so the first incident ended there.
    expect(reporter.openings).toHaveLength(2);
    expect(reporter.endings).toHaveLength(1);
    await loop.stop();
  });

  it('nineteen users whose tokens die one after the other: a 401 and a report each, nobody spends another one’s', async () => {
    const users = Array.from({ length: 19 }, (_, i) => `user-${i}`);
    const { latchkey, reporter, alive, calls, loop, present } = gateway(users);
    for (const user of users) {
      alive.add(`token-of-${user}`);
      present(user, `token-of-${user}`);
    }
    loop.start();
    await ticks(1);
    for (const user of users) {
      alive.delete(`token-of-${user}`);
      await ticks(10);
    }
    expect(failures(calls).map(({ value }) => value)).toEqual(users.map((user) => `token-of-${user}`));
    expect(reporter.openings).toHaveLength(19);
    for (const user of users) {
      alive.add(`fresh-of-${user}`);
      present(user, `fresh-of-${user}`);
    }
    expect(reporter.endings).toHaveLength(19);
    calls.length = 0;
    await ticks(1);
    expect(calls).toHaveLength(19 * 3);
    expect(failures(calls)).toEqual([]);
    expect(latchkey.stats()).toMatchObject({ borrowed: 0, openIncidents: 0, waiting: 0, running: 0 });
    await loop.stop();
  });

  it('case 56: a thousand rejections that were out together are one report as well', async () => {
    const reporter = recordingReporter();
    const latchkey: Latchkey = createLatchkey({ reporter, canary: 'off' });
    latchkey.capture('s', bearer('token-a'));
    const attempt = async () => {
      throw statusError(401);
    };
    await Promise.allSettled(Array.from({ length: 1_000 }, () => latchkey.run('s', attempt)));
    expect(latchkey.stats()).toMatchObject({ rejected: 1_000, incidents: 1, reports: 1 });
    expect(reporter.openings).toHaveLength(1);
  });
});
