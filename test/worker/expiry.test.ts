import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions, type Lease } from '../../src/index.js';
import { answering } from '../support/answering.js';
import { statusError } from '../support/attempts.js';
import { freezeTime, START } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';
import { jwtUntil } from '../support/jwt.js';
import { recordingReporter } from '../support/reporter.js';
import { scriptedUpstream, type Upstream } from '../support/upstream.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SCOPE = { session: 's', provider: 'p' };

let latchkey: Latchkey;
beforeEach(freezeTime);
afterEach(async () => {
  vi.useRealTimers();
  await latchkey.close({ timeoutMs: 0 });
});

function make(options: LatchkeyOptions = {}): Latchkey {
  latchkey = createLatchkey({ expiry: {}, canary: 'off', ...options });
  return latchkey;
}

describe('a credential that has expired', () => {
  it('costs no call, from the mandatory window on, and says so', async () => {
    make();
    latchkey.capture(SCOPE, bearer(jwtUntil(START + HOUR)));
    const upstream = answering();
    vi.setSystemTime(START + HOUR - 5_001);
    await latchkey.run(SCOPE, upstream.attempt);
    vi.setSystemTime(START + HOUR - 5_000);
    await expect(latchkey.run(SCOPE, upstream.attempt)).rejects.toMatchObject({
      code: 'CREDENTIAL_EXPIRED',
      message: 'the credential is expired, nothing was sent',
      since: START + HOUR - 5_000,
      incident: undefined,
    });
    expect(await latchkey.run(SCOPE, upstream.attempt, { whenBlocked: 'skip' })).toBeUndefined();
    expect(latchkey.resolve(SCOPE)).toMatchObject({ ok: false, reason: 'expired', since: START + HOUR - 5_000 });
    expect(upstream.sent).toHaveLength(1);
  });

  it('is no incident if something fresh comes within the grace, whoever asks meanwhile', async () => {
    const reporter = recordingReporter();
    make({ reporter });
    latchkey.capture(SCOPE, bearer(jwtUntil(START + HOUR)));
    vi.setSystemTime(START + HOUR + 5 * MINUTE - 5_001);
    for (let i = 0; i < 10; i++) await latchkey.run(SCOPE, () => 1, { whenBlocked: 'skip' });
    latchkey.capture(SCOPE, bearer(jwtUntil(START + 2 * HOUR)));
    vi.setSystemTime(START + HOUR + 10 * MINUTE);
    await latchkey.run(SCOPE, () => 1, { whenBlocked: 'skip' });
    await latchkey.close();
    expect(latchkey.stats()).toMatchObject({ incidents: 0, skipped: 10 });
    expect(reporter.openings).toEqual([]);
  });

  it('is one when work meets it after the grace: one report without a status, and one when fresh auth comes', async () => {
    const reporter = recordingReporter();
    make({ reporter, expiry: { graceMs: MINUTE, mandatoryMs: 0 } });
    const heard = hearAll(latchkey);
    const dead = bearer(jwtUntil(START + HOUR));
    latchkey.capture(SCOPE, dead);
    vi.setSystemTime(START + HOUR + MINUTE - 1);
    await latchkey.run(SCOPE, () => 1, { whenBlocked: 'skip' });
    expect(named(heard, 'incident')).toEqual([]);
    vi.setSystemTime(START + HOUR + MINUTE);
    for (let i = 0; i < 10; i++) await latchkey.run(SCOPE, () => 1, { whenBlocked: 'skip' });
    latchkey.capture(SCOPE, bearer(jwtUntil(START + 3 * HOUR)));
    await latchkey.close();
    expect(named(heard, 'incident')).toHaveLength(1);
    expect(reporter.openings).toEqual([
      expect.objectContaining({ fingerprint: dead.fingerprint, provider: 'p', status: undefined, openedAt: START + HOUR + MINUTE }),
    ]);
    expect(reporter.endings).toEqual([expect.objectContaining({ end: 'fresh', suppressed: 10 })]);
  });

  it('is none without the option, however long it lasts', async () => {
    make({ expiry: undefined });
    latchkey.capture(SCOPE, bearer('token', { expiresAt: START + HOUR }));
    vi.setSystemTime(START + 48 * HOUR);
    await latchkey.run(SCOPE, () => 1, { whenBlocked: 'skip' });
    expect(latchkey.stats().incidents).toBe(0);
  });

  it('works again when a client shows that it does', async () => {
    make();
    const token = bearer(jwtUntil(START + HOUR));
    latchkey.capture(SCOPE, token);
    vi.setSystemTime(START + 2 * HOUR);
    const parked = latchkey.run(SCOPE, ({ credential }) => credential.fingerprint, { whenBlocked: 'park' });
    latchkey.capture(SCOPE, token).settle(200);
    expect(await parked).toBe(token.fingerprint);
  });

  it('does not by a client’s request that was on its way before, and ended after it', () => {
    make();
    const token = bearer(jwtUntil(START + HOUR));
    vi.setSystemTime(START + HOUR - MINUTE);
    const capture = latchkey.capture(SCOPE, token);
    const provisional = latchkey.capture(SCOPE, token, { provisional: true });
    vi.setSystemTime(START + 2 * HOUR);
    for (const each of [capture, provisional]) {
      each.settle(200);
      expect(latchkey.resolve(SCOPE)).toMatchObject({ ok: false, reason: 'expired' });
    }
  });

  it.each<[string, (settled: (lease: Lease) => void) => unknown]>([
    ['a lease', (settled) => settled(leaseOf(latchkey))],
    ['a run', (settled) => latchkey.run(SCOPE, settled)],
  ])('works again by the call of %s that was sent after the end that is known now', async (_, send) => {
    make();
    latchkey.capture(SCOPE, bearer('token', { expiresAt: START + 2 * HOUR }));
    vi.setSystemTime(START + HOUR - MINUTE);
    const before = leaseOf(latchkey);
    vi.setSystemTime(START + HOUR + MINUTE);
    const works: boolean[] = [];
    await send((after) => {
      latchkey.capture(SCOPE, bearer('token', { expiresAt: START + HOUR }));
      for (const lease of [before, after]) {
        lease.settle(200);
        works.push(latchkey.canRun(SCOPE));
      }
    });
    expect(works).toEqual([false, true]);
  });
});

describe('a header that says when it expires', () => {
  const header = { 'X-Token-Expires-In': '600' };
  const answer = (status: number): Response => new Response(null, { status, headers: header });

  it.each<[string, (gateway: Latchkey) => unknown]>([
    ['a response that an attempt returned', (gateway) => gateway.run(SCOPE, () => answer(200))],
    ['one that was checked', (gateway) => gateway.run(SCOPE, async (_, { check }) => void (await check(answer(200))))],
    ['one that is no success', (gateway) => gateway.run(SCOPE, () => answer(404))],
    ['an error that was thrown', (gateway) => gateway.run(SCOPE, () => Promise.reject(statusError(503, header))).catch(() => {})],
    ['an outcome that a lease was given', (gateway) => leaseOf(gateway).settle({ status: 200, headers: header })],
    ["a client's own", (gateway) => gateway.capture(SCOPE, bearer('opaque')).settle(answer(200))],
  ])('is read of %s', async (_, call) => {
    make({ expiry: { header: 'x-token-expires-in', mandatoryMs: 0 } });
    latchkey.capture(SCOPE, bearer('opaque'));
    await call(latchkey);
    vi.setSystemTime(START + 10 * MINUTE - 1);
    expect(latchkey.canRun(SCOPE)).toBe(true);
    vi.setSystemTime(START + 10 * MINUTE);
    expect(latchkey.resolve(SCOPE)).toMatchObject({ ok: false, reason: 'expired', since: START + 10 * MINUTE });
  });

  it('is not read of a call that was not made, and not after the end', async () => {
    make({ expiry: { header: 'x-token-expires-in' } });
    latchkey.capture(SCOPE, bearer('opaque'));
    await latchkey.run(SCOPE, (_, { unused }) => {
      unused();
      return answer(200);
    });
    const lease = leaseOf(latchkey);
    await latchkey.close();
    lease.settle({ status: 200, headers: header });
    expect(lease.usable()).toBe(true);
    vi.setSystemTime(START + HOUR);
    expect(lease.usable()).toBe(true);
  });
});

function leaseOf(gateway: Latchkey): Lease {
  const resolution = gateway.resolve(SCOPE);
  if (!resolution.ok) throw new Error('blocked');
  return resolution.lease;
}

describe('an upstream whose clock is wrong, over real HTTP', () => {
  let upstream: Upstream;
  afterEach(() => upstream.close());

  it.each([
    ['an hour ahead', HOUR],
    ['an hour behind', -HOUR],
    ['right', 0],
  ])('%s: tokens are given up when it says so', async (_, aheadMs) => {
    vi.useRealTimers();
    let now = START;
    upstream = await scriptedUpstream(() => ({ status: 200, headers: { date: new Date(now + aheadMs).toUTCString() } }));
    make({ clock: { now: () => now } });
    latchkey.capture(SCOPE, bearer(jwtUntil(now + aheadMs + 2 * HOUR)));
    const send = (lease: Lease): Promise<Response> => fetch(upstream.url, { headers: lease.headers() });
    for (let i = 0; i < 3; i++) await latchkey.run(SCOPE, send);
    // What was heard more than an hour ago would count no more.
    now = START + 50 * MINUTE;
    for (let i = 0; i < 3; i++) await latchkey.run(SCOPE, send);
    now = START + 100 * MINUTE;
    for (let i = 0; i < 3; i++) await latchkey.run(SCOPE, send);
    now = START + 2 * HOUR - 7_000;
    await latchkey.run(SCOPE, send);
    now = START + 2 * HOUR;
    await expect(latchkey.run(SCOPE, send)).rejects.toMatchObject({ code: 'CREDENTIAL_EXPIRED' });
    expect(upstream.requests).toHaveLength(10);
  });
});
