import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { apiKey, bearer, createLatchkey, type Lease } from '../../src/index.js';
import { statusError, throwing } from '../support/attempts.js';
import { freezeTime } from '../support/clock.js';
import { deferred } from '../support/deferred.js';
import { hearAll, named } from '../support/heard.js';
import { recordingReporter } from '../support/reporter.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const make = (options = {}) => {
  const reporter = recordingReporter();
  return { reporter, latchkey: createLatchkey({ reporter, ...options }) };
};

describe('run: the one auth retry', () => {
  it('case 34: 401 while B arrived in flight is exactly two calls, no incident and no report', async () => {
    const { latchkey, reporter } = make();
    const [a, b] = [bearer('token-a'), bearer('token-b')];
    latchkey.capture('s', a);
    const heard = hearAll(latchkey);
    const gate = deferred();
    const sent: string[] = [];
    const run = latchkey.run('s', async (lease, { attempt }) => {
      sent.push(`${attempt} ${lease.credential.reveal()}`);
      if (attempt > 1) return 'done';
      await gate.promise;
      throw statusError(401);
    });
    latchkey.capture('s', b);
    gate.resolve();
    await expect(run).resolves.toBe('done');
    expect(sent).toEqual(['1 token-a', '2 token-b']);
    expect(latchkey.canRun('s')).toBe(true);
    expect(named(heard, 'retried')).toEqual([{ scope: { session: 's' }, fingerprint: b.fingerprint, from: a.fingerprint }]);
    expect(named(heard, 'incident')).toEqual([]);
    expect(reporter.openings).toEqual([]);
    expect(latchkey.stats()).toMatchObject({ retried: 1, attempts: 2, incidents: 0, running: 0 });
  });

  it('case 35: 401, then the global is another identity: two calls', async () => {
    const { latchkey, reporter } = make();
    latchkey.capture('s', bearer('token-a'));
    latchkey.capture('other', bearer('token-g'));
    const { attempt, sent } = throwing({ 'token-a': 401 });
    await expect(latchkey.run('s', attempt)).resolves.toBe('ok token-g');
    expect(sent).toEqual(['token-a', 'token-g']);
    expect(latchkey.stats()).toMatchObject({ borrowed: 1 });
    expect(reporter.openings).toEqual([]);
  });

  it.each(['throw', 'park', 'skip'] as const)(
    'case 35: 401 again is no third call, also if C and D arrive meanwhile (%s)',
    async (whenBlocked) => {
      const { latchkey, reporter } = make();
      latchkey.capture('other', bearer('token-g'));
      latchkey.capture('s', bearer('token-a'));
      latchkey.capture('other', bearer('token-g2'));
      const sent: string[] = [];
      const late = ['token-c', 'token-d'];
      const run = latchkey.run(
        's',
        (lease: Lease) => {
          sent.push(lease.credential.reveal());
          // Each time another credential is there before the answer is.
          if (sent.length > 1) for (const value of late) latchkey.capture('s', bearer(value));
          throw statusError(401);
        },
        { whenBlocked },
      );
      if (whenBlocked === 'skip') await expect(run).resolves.toBeUndefined();
      else await expect(run).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
      expect(sent).toEqual(['token-a', 'token-g2']);
      expect(latchkey.canRun('s')).toBe(true);
      expect(reporter.openings).toEqual([]);
      expect(latchkey.stats()).toMatchObject({ waiting: 0, running: 0 });
    },
  );

  it.each(['throw', 'park'] as const)(
    'case 35: both rejected is one incident, that of the credential that completed the block (%s)',
    async (whenBlocked) => {
      const { latchkey, reporter } = make();
      const g = bearer('token-g');
      latchkey.capture('s', bearer('token-a'));
      latchkey.capture('other', g);
      const { attempt, sent } = throwing({ 'token-a': 401, 'token-g': 401 });
      await expect(latchkey.run('s', attempt, { whenBlocked })).rejects.toMatchObject({
        code: 'CREDENTIAL_REJECTED',
        fingerprint: g.fingerprint,
      });
      expect(sent).toEqual(['token-a', 'token-g']);
      expect(reporter.openings).toHaveLength(1);
      expect(reporter.openings[0]).toMatchObject({ fingerprint: g.fingerprint, status: 401, scopeCount: 1 });
      expect(latchkey.canRun('other')).toBe(false);
    },
  );

  it('case 36: 429 first, the token dies during back-off, then 401 with B there: the auth retry is still allowed', async () => {
    const { latchkey } = make();
    latchkey.capture('other', bearer('token-b'));
    latchkey.capture('s', bearer('token-a'));
    latchkey.capture('other', bearer('token-b2'));
    const { attempt, sent } = throwing({ 'token-a': [429, 401] });
    const run = latchkey.run('s', attempt, { transient: { retries: 2 } });
    await vi.advanceTimersByTimeAsync(2_000);
    await expect(run).resolves.toBe('ok token-b2');
    expect(sent).toEqual(['token-a', 'token-a', 'token-b2']);
    expect(latchkey.stats()).toMatchObject({ retried: 1 });
  });

  it('case 36: a token rejected elsewhere during back-off is not sent again', async () => {
    const { latchkey } = make();
    const clients = latchkey.capture('s', bearer('token-a'));
    const { attempt, sent } = throwing({ 'token-a': 503 });
    const run = latchkey.run('s', attempt, { transient: { retries: 3 } }).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(10);
    expect(sent).toEqual(['token-a']);
    latchkey.capture('s', bearer('token-a')).settle(401);
    expect(clients.usable).toBe(false);
    await vi.advanceTimersByTimeAsync(60_000);
    await expect(run).resolves.toMatchObject({ code: 'CREDENTIAL_REJECTED', status: 401 });
    expect(sent).toEqual(['token-a']);
  });

  it('case 36: rejected elsewhere during back-off with B there: B is sent, and that is not the auth retry', async () => {
    const { latchkey } = make();
    latchkey.capture('s', bearer('token-a'));
    const { attempt, sent } = throwing({ 'token-a': 503, 'token-b': 401 });
    const run = latchkey.run('s', attempt, { transient: { retries: 3 } });
    await vi.advanceTimersByTimeAsync(10);
    latchkey.capture('s', bearer('token-b'));
    latchkey.capture('other', bearer('token-g'));
    await vi.advanceTimersByTimeAsync(60_000);
    await expect(run).resolves.toBe('ok token-g');
    expect(sent).toEqual(['token-a', 'token-b', 'token-g']);
  });

  it('case 37: after the auth retry, a transient retry keeps using B', async () => {
    const { latchkey } = make();
    latchkey.capture('s', bearer('token-a'));
    latchkey.capture('other', bearer('token-b'));
    const { attempt, sent } = throwing({ 'token-a': 401, 'token-b': [503, 503, 200] });
    const run = latchkey.run('s', attempt, { transient: { retries: 3, minMs: 100 } });
    await vi.advanceTimersByTimeAsync(5_000);
    await expect(run).resolves.toBe('ok token-b');
    expect(sent).toEqual(['token-a', 'token-b', 'token-b', 'token-b']);
  });

  it('case 37: B rejected after the auth retry and a back-off: no further one', async () => {
    const { latchkey } = make();
    latchkey.capture('s', bearer('token-a'));
    latchkey.capture('other', bearer('token-b'));
    const { attempt, sent } = throwing({ 'token-a': 401, 'token-b': [503, 401] });
    const run = latchkey.run('s', attempt, { transient: { retries: 3, minMs: 100 } }).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(50);
    latchkey.capture('s', bearer('token-b'));
    latchkey.capture('other', bearer('token-c'));
    await vi.advanceTimersByTimeAsync(5_000);
    await expect(run).resolves.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    expect(sent).toEqual(['token-a', 'token-b', 'token-b']);
  });

  it('case 38: the same value under another scheme counts as changed', async () => {
    const { latchkey } = make();
    latchkey.capture('s', bearer('one-value'));
    latchkey.capture('other', apiKey('one-value'));
    const sent: Record<string, string>[] = [];
    await latchkey.run('s', (lease) => {
      sent.push(lease.headers());
      if (sent.length === 1) throw statusError(401);
    });
    expect(sent).toEqual([{ authorization: 'Bearer one-value' }, { 'x-api-key': 'one-value' }]);
  });

  it('case 39: ten parallel runs on one dead credential: one incident, one report, one call', async () => {
    const { latchkey, reporter } = make();
    latchkey.capture('s', bearer('token-a'));
    const gate = deferred();
    let sent = 0;
    const runs = Array.from({ length: 10 }, () =>
      latchkey.run('s', async () => {
        sent++;
        await gate.promise;
        throw statusError(401);
      }),
    );
    gate.resolve();
    const outcomes = await Promise.allSettled(runs);
    expect(outcomes.every((one) => one.status === 'rejected' && (one.reason as { code: string }).code === 'CREDENTIAL_REJECTED')).toBe(
      true,
    );
    expect(sent).toBe(1);
    expect(reporter.openings).toHaveLength(1);
    expect(latchkey.stats()).toMatchObject({ incidents: 1, reports: 1, running: 0, waiting: 0 });
  });

  it('case 39: with the canary off all that were out meet it, and those not yet started are not sent', async () => {
    const { latchkey, reporter } = make({ canary: 'off' });
    latchkey.capture('s', bearer('token-a'));
    const gate = deferred();
    let sent = 0;
    const attempt = async () => {
      sent++;
      await gate.promise;
      throw statusError(401);
    };
    const out = Array.from({ length: 10 }, () => latchkey.run('s', attempt));
    gate.resolve();
    await Promise.allSettled(out);
    const late = await Promise.allSettled(Array.from({ length: 10 }, () => latchkey.run('s', attempt)));
    expect(late.every((one) => one.status === 'rejected')).toBe(true);
    expect(sent).toBe(10);
    expect(reporter.openings).toHaveLength(1);
    expect(latchkey.stats()).toMatchObject({ incidents: 1, rejected: 10 });
  });

  it('sends the same identity again only when a call sent after the rejection has proven it', async () => {
    const { latchkey } = make();
    latchkey.capture('s', bearer('token-a'));
    const { attempt, sent } = throwing({ 'token-a': [401, 200] });
    const run = latchkey.run('s', attempt, { whenBlocked: 'park' });
    await vi.advanceTimersByTimeAsync(0);
    const proof = latchkey.capture('s', bearer('token-a'));
    expect(proof.usable).toBe(false);
    proof.settle(200);
    await expect(run).resolves.toBe('ok token-a');
    expect(sent).toEqual(['token-a', 'token-a']);
  });

  it('does not take a proof by a call sent before its rejection, nor a forgiveness, for one', async () => {
    for (const revive of ['proof', 'forgive'] as const) {
      const { latchkey } = make();
      const credential = bearer('token-a');
      latchkey.capture('s', credential);
      const gate = deferred();
      let calls = 0;
      const run = latchkey.run('s', async () => {
        calls++;
        await gate.promise;
        throw statusError(401);
      });
      const between = latchkey.capture('s', credential);
      latchkey.on('rejected', () => (revive === 'proof' ? between.settle(200) : latchkey.forgive(credential.fingerprint)));
      gate.resolve();
      await expect(run).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
      expect(calls).toBe(1);
      expect(latchkey.canRun('s')).toBe(true);
    }
  });

  it("does not borrow with `fallback: 'none'`, also not for the retry", async () => {
    const { latchkey } = make();
    latchkey.capture('s', bearer('token-a'));
    latchkey.capture('other', bearer('token-g'));
    const { attempt, sent } = throwing({ 'token-a': 401 });
    await expect(latchkey.run('s', attempt, { fallback: 'none' })).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    expect(sent).toEqual(['token-a']);
    await expect(latchkey.run('cold', attempt, { fallback: 'none' })).rejects.toMatchObject({ code: 'CREDENTIAL_MISSING' });
    await expect(latchkey.run('s', attempt)).resolves.toBe('ok token-g');
  });
});
