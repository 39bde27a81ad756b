import { describe, expect, it } from 'vitest';
import { apiKey, bearer, createLatchkey, type Latchkey, type LatchkeyOptions, type Lease, type Scope } from '../../src/index.js';
import { type ManualClock, manualClock, START } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';
import { recordingReporter } from '../support/reporter.js';

const MINUTE = 60_000;
const KEY = apiKey('static-key');

function make(options: LatchkeyOptions = {}): { latchkey: Latchkey; clock: ManualClock } {
  const clock = manualClock();
  return { latchkey: createLatchkey({ clock, canary: 'off', ...options }), clock };
}

function leaseOf(latchkey: Latchkey, scope: Scope): Lease {
  const resolution = latchkey.resolve(scope);
  if (!resolution.ok) throw new Error(`blocked: ${resolution.reason}`);
  return resolution.lease;
}

/** When the next probe may be made, from now on. */
function nextOf(latchkey: Latchkey, scope: Scope, clock: ManualClock): number {
  const { next } = latchkey.status(scope);
  if (next === undefined) throw new Error('nothing is tried next');
  return next - clock.now();
}

/** All that can be asked of a scope says one thing. */
function expectOneAnswer(latchkey: Latchkey, scope: Scope, ok: boolean): void {
  for (let twice = 0; twice < 2; twice++) {
    expect(latchkey.canRun(scope)).toBe(ok);
    expect(latchkey.resolve(scope).ok).toBe(ok);
    expect(latchkey.explain(scope).ok).toBe(ok);
    expect(latchkey.status(scope).state === 'ready').toBe(ok);
  }
}

describe('a rejected API key', () => {
  it('may be put to the test after 15 minutes and up to a tenth, and asking for that changes nothing', () => {
    const { latchkey, clock } = make();
    latchkey.capture('S', KEY);
    leaseOf(latchkey, 'S').settle(401);
    expectOneAnswer(latchkey, 'S', false);
    const due = START + nextOf(latchkey, 'S', clock);
    expect(due).toBeGreaterThanOrEqual(START + 15 * MINUTE);
    expect(due).toBeLessThan(START + 16.5 * MINUTE);
    expect(latchkey.status('S')).toEqual({ state: 'blocked', reason: 'rejected', since: START, next: due });
    expect(latchkey.resolve('S')).toEqual({ ok: false, reason: 'rejected', status: 401, since: START, until: due });
    clock.advance(due - START - 1);
    expectOneAnswer(latchkey, 'S', false);
    clock.advance(1);
    expectOneAnswer(latchkey, 'S', true);
    expect(latchkey.status('S')).toEqual({ state: 'ready', reason: undefined, since: undefined, next: undefined });
    expect(leaseOf(latchkey, 'S')).toMatchObject({ probe: true, source: 'session', credential: KEY });
    expect(leaseOf(latchkey, 'S').usable()).toBe(true);
    // A client that presents it has no better news.
    expect(latchkey.capture('S', KEY).usable).toBe(false);
  });

  it('explain says when, and what the scope would do then', () => {
    const { latchkey, clock } = make();
    latchkey.capture('S', KEY);
    leaseOf(latchkey, 'S').settle(401);
    const pause = nextOf(latchkey, 'S', clock);
    const at = new Date(START + pause).toISOString();
    expect(latchkey.explain('S').candidates).toEqual([
      {
        source: 'session',
        fingerprint: KEY.fingerprint,
        usable: false,
        reason: 'rejected',
        status: 401,
        since: START,
        until: START + pause,
        unblock: `the next probe at ${at}, a fresh credential, a later success with this one, or forgive()`,
      },
    ]);
    expect(String(latchkey.explain('S'))).toBe(
      `{"session":"S"}: blocked (rejected)\n  session ${KEY.fingerprint}: rejected with 401 since 2026-01-01T00:00:00.000Z; would unblock: the next probe at ${at}, a fresh credential, a later success with this one, or forgive()`,
    );
    clock.advance(pause);
    expect(latchkey.explain('S').candidates).toMatchObject([
      { usable: false, until: undefined, unblock: /^the next call, which is a probe, / },
    ]);
    expect(String(latchkey.explain('S')).split('\n')[0]).toBe('{"session":"S"}: puts the session credential to the test');
  });

  it('each probe that fails doubles the pause, up to 6 hours; a success frees everybody who holds it', () => {
    const { latchkey, clock } = make();
    for (const session of ['S', 'T', 'U']) latchkey.capture(session, KEY);
    leaseOf(latchkey, 'S').settle(401);
    const first = nextOf(latchkey, 'S', clock);
    const pauses: number[] = [];
    for (let i = 0; i < 8; i++) {
      clock.advance(nextOf(latchkey, 'S', clock));
      // Whoever makes it, it is one identity's.
      leaseOf(latchkey, ['S', 'T', 'U'][i % 3] as string).settle(401);
      for (const session of ['S', 'T', 'U']) expectOneAnswer(latchkey, session, false);
      pauses.push(nextOf(latchkey, 'S', clock) / first);
    }
    expect(pauses.map((pause) => Number(pause.toFixed(3)))).toEqual([2, 4, 8, 16, 24, 24, 24, 24]);
    clock.advance(24 * first);
    expect(leaseOf(latchkey, 'T').settle(200)).toMatchObject({ state: 'accepted' });
    for (const session of ['S', 'T', 'U']) expect(leaseOf(latchkey, session).probe).toBe(false);
    // What is rejected again begins anew.
    leaseOf(latchkey, 'S').settle(401);
    expect(nextOf(latchkey, 'S', clock)).toBe(first);
  });

  it('a rejection of something that was no probe puts it off, and does not double it', () => {
    const { latchkey, clock } = make();
    const capture = latchkey.capture('S', KEY);
    capture.settle(401);
    const pause = nextOf(latchkey, 'S', clock);
    clock.advance(pause - 1);
    latchkey.capture('S', KEY).settle(401);
    expect(nextOf(latchkey, 'S', clock)).toBe(pause);
  });

  it.each<[string, (latchkey: Latchkey) => void]>([
    ['a fresh credential', (latchkey) => void latchkey.capture('S', bearer('fresh'))],
    ['forgive', (latchkey) => latchkey.forgive('S')],
    ["a client's own success with it", (latchkey) => void latchkey.capture('S', KEY).settle(200)],
  ])('%s ends the wait at once, and a probe that is out changes nothing then', (_, end) => {
    const { latchkey, clock } = make({ fallback: 'none' });
    latchkey.capture('S', KEY);
    leaseOf(latchkey, 'S').settle(401);
    clock.advance(nextOf(latchkey, 'S', clock));
    const probe = leaseOf(latchkey, 'S');
    end(latchkey);
    expectOneAnswer(latchkey, 'S', true);
    expect(leaseOf(latchkey, 'S').probe).toBe(false);
    probe.settle(401);
    expectOneAnswer(latchkey, 'S', true);
  });

  it('rejected for one scope only, it is put to the test for that one', () => {
    const { latchkey, clock } = make();
    latchkey.capture('S', KEY);
    latchkey.capture('T', KEY);
    leaseOf(latchkey, 'S').settle(403);
    expectOneAnswer(latchkey, 'S', false);
    const pause = nextOf(latchkey, 'S', clock);
    expect(leaseOf(latchkey, 'T').probe).toBe(false);
    clock.advance(pause);
    expect(leaseOf(latchkey, 'S').probe).toBe(true);
    leaseOf(latchkey, 'S').settle(403);
    expect(Math.abs(nextOf(latchkey, 'S', clock) - 2 * pause)).toBeLessThanOrEqual(1);
    clock.advance(2 * pause);
    leaseOf(latchkey, 'S').settle(200);
    expect(leaseOf(latchkey, 'S').probe).toBe(false);
  });

  it('not while it is held, nor once it has expired, nor for work that needs it longer', async () => {
    const { latchkey, clock } = make({ probe: { afterMs: MINUTE } });
    latchkey.capture('S', apiKey('key', { expiresAt: START + 60 * MINUTE }));
    latchkey.capture('T', apiKey('key'));
    leaseOf(latchkey, 'S').settle(403);
    leaseOf(latchkey, 'T').settle({ holdMs: 10 * MINUTE });
    clock.advance(2 * MINUTE);
    expectOneAnswer(latchkey, 'S', false);
    expect(latchkey.status('S').next).toBe(START + 10 * MINUTE);
    clock.advance(8 * MINUTE);
    expectOneAnswer(latchkey, 'S', true);
    await expect(latchkey.run('S', () => 1, { minTtlMs: 51 * MINUTE })).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    clock.advance(50 * MINUTE);
    expectOneAnswer(latchkey, 'S', false);
    expect(latchkey.status('S').next).toBeUndefined();
  });

  it('what is usable comes first: a probe is made only where there is nothing else', () => {
    const { latchkey, clock } = make();
    latchkey.capture('S', KEY).settle(401);
    latchkey.capture('T', bearer('good'));
    clock.advance(60 * MINUTE);
    expect(leaseOf(latchkey, 'S')).toMatchObject({ source: 'global', probe: false });
  });

  it('a key that may not be lent is not put to the test by a session that would borrow it', () => {
    const { latchkey, clock } = make({ fallback: () => false });
    latchkey.capture('S', KEY).settle(401);
    clock.advance(60 * MINUTE);
    expectOneAnswer(latchkey, 'T', false);
    expect(String(latchkey.explain('T'))).not.toContain('probe');
    expectOneAnswer(latchkey, 'S', true);
  });
});

describe('whom nobody presents again', () => {
  it('a pin, and work of no session, whatever the scheme; not a bearer token of a session', () => {
    const { latchkey, clock } = make();
    latchkey.capture('S', bearer('session-token')).settle(401);
    latchkey.pin({ provider: 'P' }, bearer('pinned-token'));
    leaseOf(latchkey, { provider: 'P', session: 'S' }).settle(401);
    clock.advance(60 * MINUTE);
    expectOneAnswer(latchkey, 'S', false);
    expect(latchkey.status('S').next).toBeUndefined();
    expect(leaseOf(latchkey, {})).toMatchObject({ probe: true, source: 'global' });
    expect(leaseOf(latchkey, { provider: 'P', session: 'S' })).toMatchObject({ probe: true, source: 'pinned' });
  });

  it('`sessionTokens` has them too, and `off` has none', () => {
    for (const [probe, ok] of [[{ sessionTokens: true }, true] as const, ['off', false] as const]) {
      const { latchkey, clock } = make({ probe });
      latchkey.capture('S', bearer('session-token')).settle(401);
      latchkey.capture('T', KEY).settle(401);
      clock.advance(600 * MINUTE);
      expectOneAnswer(latchkey, 'S', ok);
      expectOneAnswer(latchkey, 'T', ok);
    }
  });
});

describe('an incident of a key that may be put to the test', () => {
  it('goes on when that is due, whatever happens beside it, and ends with the success', async () => {
    const reporter = recordingReporter();
    const { latchkey, clock } = make({ reporter, fallback: 'none' });
    const heard = hearAll(latchkey);
    latchkey.capture('S', KEY);
    leaseOf(latchkey, 'S').settle(401);
    for (let i = 0; i < 3; i++) {
      clock.advance(nextOf(latchkey, 'S', clock));
      // Changes that concern everybody.
      latchkey.capture('T', bearer(`other-${i}`)).settle(200);
      latchkey.capture('T', bearer(`other-${i}`)).settle({ holdMs: 1 });
      leaseOf(latchkey, 'S').settle(401);
    }
    expect(named(heard, 'resumed')).toEqual([]);
    expect(latchkey.stats().openIncidents).toBe(1);
    clock.advance(nextOf(latchkey, 'S', clock));
    leaseOf(latchkey, 'S').settle(200);
    await latchkey.close();
    expect(reporter.openings).toHaveLength(1);
    expect(reporter.endings).toEqual([expect.objectContaining({ end: 'proof' })]);
  });
});
