import { describe, expect, it } from 'vitest';
import { bearer, type Credential, createLatchkey } from '../../src/index.js';
import { createTimeline } from '../../src/operator/timeline.js';
import { statusError, throwing } from '../support/attempts.js';
import { manualClock, START, settled } from '../support/clock.js';
import { coordinatedStore } from '../support/coordinated.js';
import { type Deferred, deferred } from '../support/deferred.js';
import { secretsIn } from '../support/secret-forms.js';

const SECRET = 'timeline-secret/+=%';
const A = bearer(SECRET);
const B = bearer('timeline-other-secret');
const S = { session: 's', provider: 'p' };

describe('a timeline', () => {
  it('tells an incident from its beginning to its end, oldest first', async () => {
    const clock = manualClock();
    const latchkey = createLatchkey({ clock, canary: 'off' });
    const timeline = createTimeline(latchkey, { clock });
    const { attempt } = throwing({ [SECRET]: 401 });
    latchkey.capture(S, A);
    clock.advance(1_000);
    await expect(latchkey.run(S, attempt)).rejects.toThrow();
    clock.advance(1_000);
    latchkey.capture(S, B);
    const incident = expect.stringMatching(/^[0-9a-f-]{36}$/);
    const about = { scope: S, fingerprint: A.fingerprint };
    expect(timeline.entries()).toEqual([
      { id: 1, at: START, event: 'captured', ...about, note: 'usable' },
      { id: 2, at: START + 1_000, event: 'rejected', ...about, status: 401 },
      { id: 3, at: START + 1_000, event: 'incident', scope: { provider: 'p' }, fingerprint: A.fingerprint, status: 401, incident },
      { id: 4, at: START + 1_000, event: 'blocked', ...about, status: 401, incident },
      { id: 5, at: START + 2_000, event: 'captured', scope: S, fingerprint: B.fingerprint, note: 'usable' },
      { id: 6, at: START + 2_000, event: 'resumed', scope: S, incident, end: 'fresh' },
      {
        ...{ id: 7, at: START + 2_000, event: 'recovered', scope: { provider: 'p' }, fingerprint: A.fingerprint },
        ...{ status: 401, incident, end: 'fresh', note: 'scopes: 1, calls not sent: 0' },
      },
    ]);
  });

  it('tells everything else that its events bring, in a few words', () => {
    const clock = manualClock();
    const latchkey = createLatchkey({ clock });
    const timeline = createTimeline(latchkey, { clock });
    const told = (): object[] => timeline.entries().map(({ id: _id, at: _at, scope: _scope, fingerprint: _fingerprint, ...rest }) => rest);
    const leases = [1, 2, 3, 4].map(() => {
      latchkey.capture({ session: 's' }, A);
      const found = latchkey.resolve('s');
      return found.ok ? found.lease : undefined;
    });
    leases[0]?.settle({ status: 403, headers: { 'www-authenticate': 'Bearer error="insufficient_scope"' } });
    leases[1]?.settle(403);
    leases[3]?.settle({ holdMs: 60_000, reason: SECRET });
    leases[3]?.settle(401);
    leases[2]?.settle(401);
    latchkey.capture({ session: 't' }, A);
    latchkey.pin({ purpose: 'x' }, B);
    latchkey.evict('s');
    expect(told()).toEqual([
      { event: 'captured', note: 'usable' },
      { event: 'denied', status: 403 },
      { event: 'rejected', status: 403, note: 'for this scope only' },
      { event: 'incident', status: 403, incident: expect.any(String) },
      { event: 'blocked', status: 403, incident: expect.any(String) },
      { event: 'held', note: 'until 2026-01-01T00:01:00.000Z' },
      { event: 'rejected', status: 401 },
      { event: 'rejected', status: 401, note: 'late: changed nothing' },
      { event: 'captured', note: 'not usable' },
      { event: 'captured', note: 'usable, pinned' },
      { event: 'evicted', note: 'asked' },
      { event: 'resumed', incident: expect.any(String), end: 'evicted' },
    ]);
    expect(timeline.entries().find(({ event }) => event === 'evicted')?.scope).toEqual({ session: 's' });
  });

  it('tells that the store is down, and where a function failed, and no message of either', () => {
    const clock = manualClock();
    const failing = new Error(`${SECRET}: no`);
    let tell = (_error: Error | undefined): void => {};
    const store = coordinatedStore({ claim: async () => undefined, release: () => {} } as never);
    const { attach } = store;
    const latchkey = createLatchkey({
      clock,
      store: {
        attach(context) {
          tell = (error) => context.emitter.emit('store', () => ({ state: error === undefined ? 'up' : 'down', error }));
          return attach(context);
        },
      },
    });
    const timeline = createTimeline(latchkey, { clock });
    tell(failing);
    tell(undefined);
    latchkey.on('captured', () => {
      throw failing;
    });
    latchkey.capture(S, A);
    expect(timeline.entries().map(({ event, note }) => `${event} ${note}`)).toEqual([
      'store down',
      'store up',
      'captured usable',
      'error listener',
    ]);
    expect(secretsIn(JSON.stringify(timeline.entries()), [SECRET])).toEqual([]);
  });

  it('tells how a credential is refreshed, from the first try to the last, and not twice what blocks and holds tell', async () => {
    const clock = manualClock();
    const tries: Deferred<Credential | undefined>[] = [];
    const refresh = (): Promise<Credential | undefined> => {
      tries.push(deferred());
      return (tries.at(-1) as (typeof tries)[number]).promise;
    };
    const latchkey = createLatchkey({ clock, canary: 'off', refresh, probe: 'off' });
    latchkey.capture(S, bearer(SECRET, { expiresAt: START + 1_000 }));
    const T = { session: 't', provider: 'q' };
    latchkey.capture(T, A);
    clock.advance(1_000);
    const timeline = createTimeline(latchkey, { clock });
    const told = (): string[] => timeline.entries().map(({ event, status, note }) => [event, status, note].filter(Boolean).join(' '));
    const run = latchkey.run(S, async () => 'done').catch((error: { code: string }) => error.code);
    await settled();
    expect(told()).toEqual(['status refreshing, was ready']);
    clock.advance(6 * 60_000);
    tries[0]?.reject(Object.assign(new Error(SECRET), { code: `${SECRET} is no code` }));
    await expect(run).resolves.toBe('AUTH_RETRYING');
    const next = 'next try at 2026-01-01T00:16:01.000Z';
    expect(told().filter((line) => /^(status|refresh)/.test(line))).toEqual([
      'status refreshing, was ready',
      `refreshFailed for now, ${next}`,
      `status auth retrying, was refreshing, ${next}`,
    ]);
    const failed = timeline.entries().find(({ event }) => event === 'refreshFailed');
    expect(failed).toMatchObject({ scope: S, fingerprint: bearer(SECRET).fingerprint });
    const before = told().length;
    latchkey.capture(S, B);
    expect(told().slice(before)).toEqual(expect.arrayContaining(['captured usable', 'status ready, was auth retrying']));

    const later = told().length;
    const other = latchkey.run(T, throwing({ [SECRET]: 401 }).attempt).catch((error: Error) => error);
    await settled();
    tries[1]?.resolve(B);
    await expect(other).resolves.toContain('ok');
    expect(told().slice(later)).toEqual([
      'rejected 401',
      'status refreshing, was ready',
      'captured usable, refreshed',
      'status ready, was refreshing',
      `refreshed in place of ${A.fingerprint}`,
    ]);

    const end = told().length;
    const last = latchkey.run(T, throwing({ 'timeline-other-secret': 401 }).attempt).catch((error: { code: string }) => error.code);
    await settled();
    tries[2]?.reject({ status: 400, error: 'invalid_grant' });
    await expect(last).resolves.toBe('CREDENTIAL_REJECTED');
    expect(told().slice(end)).toEqual(
      expect.arrayContaining(['refreshFailed 400 for good, invalid_grant', 'status blocked, was refreshing']),
    );
    expect(secretsIn(JSON.stringify(timeline.entries()), [SECRET])).toEqual([]);
  });

  it('tells a block that no refresh has to do with by its own entry alone', async () => {
    const latchkey = createLatchkey({ clock: manualClock() });
    const timeline = createTimeline(latchkey);
    latchkey.capture(S, A).settle(401);
    await latchkey.run(S, async () => 'never').catch(() => {});
    await latchkey.run('missing', async () => 'never').catch(() => {});
    expect(timeline.entries().map(({ event }) => event)).toEqual(['captured', 'rejected', 'incident', 'blocked']);
  });

  it('tells a rejection that does not count yet', async () => {
    const clock = manualClock();
    const latchkey = createLatchkey({ clock, strikes: {} });
    const timeline = createTimeline(latchkey, { clock });
    latchkey.capture(S, A);
    const found = latchkey.resolve(S);
    if (!found.ok) throw new Error('blocked');
    found.lease.settle(401);
    expect(timeline.entries().at(-1)).toMatchObject({ event: 'rejected', status: 401, note: 'a strike: does not count yet' });
  });

  it('keeps the latest, counts on, and tells its own listeners until they stop', () => {
    const clock = manualClock();
    const latchkey = createLatchkey({ clock });
    const timeline = createTimeline(latchkey, { clock, limit: 3 });
    const heard: number[] = [];
    const hear = ({ id }: { id: number }): void => void heard.push(id);
    const offs = [timeline.onEntry(hear), timeline.onEntry(hear)];
    for (let number = 1; number <= 5; number++) {
      if (number === 3) offs[0]?.();
      if (number === 5) offs[1]?.();
      latchkey.capture(`s-${number}`, bearer(`fresh-${number}`));
    }
    expect(timeline.entries().map(({ id }) => id)).toEqual([3, 4, 5]);
    expect(heard).toEqual([1, 1, 2, 2, 3, 4]);
    const before = timeline.entries();
    latchkey.capture('s-6', bearer('fresh-6'));
    expect(before.map(({ id }) => id)).toEqual([3, 4, 5]);
  });

  it('keeps 500 unless it is told otherwise', () => {
    const latchkey = createLatchkey();
    const timeline = createTimeline(latchkey);
    for (let number = 1; number <= 501; number++) latchkey.capture(`s-${number}`, bearer(`fresh-${number}`));
    const entries = timeline.entries();
    expect([entries.length, entries[0]?.id]).toEqual([500, 2]);
    expect(Math.abs((entries[0]?.at ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  it('hears nothing once it is closed, and keeps what it has', () => {
    const latchkey = createLatchkey();
    const timeline = createTimeline(latchkey);
    latchkey.capture('s', A);
    timeline.close();
    latchkey.capture('t', B);
    expect(timeline.entries()).toHaveLength(1);
  });

  it('holds no value of a credential, however an upstream answers with it', async () => {
    const latchkey = createLatchkey({ canary: 'off' });
    const timeline = createTimeline(latchkey);
    for (const scope of [S, { ...S, session: 't' }]) {
      latchkey.capture(scope, A);
      const echo = Object.assign(statusError(401, { 'www-authenticate': SECRET }), { body: SECRET, message: SECRET });
      await expect(latchkey.run(scope, () => Promise.reject(echo))).rejects.toThrow();
    }
    expect(timeline.entries().length).toBeGreaterThan(5);
    expect(secretsIn(JSON.stringify(timeline.entries()), [SECRET])).toEqual([]);
  });
});
