import * as Sentry from '@sentry/node';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type SentryReporterOptions, sentryReporter } from '../../src/adapters/sentry.js';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions } from '../../src/index.js';
import { freezeTime, type ManualClock, manualClock, START, settled } from '../support/clock.js';
import { formsOf, type StartedSentry, startSentry } from '../support/sentry-client.js';

let sentry: StartedSentry;
let clock: ManualClock;

beforeEach(async () => {
  sentry = await startSentry();
  clock = manualClock();
});
afterEach(async () => {
  vi.useRealTimers();
  await sentry.close();
});

const rejected = (status = 401) => Object.assign(new Error('unauthorized'), { status });

function gateway(options: LatchkeyOptions = {}, reporting?: SentryReporterOptions): Latchkey {
  return createLatchkey({ clock, fallback: 'none', reporter: sentryReporter(Sentry, reporting), ...options });
}

/** A worker's call that meets a 401 with whatever it is given, or is not sent at all. */
async function work(latchkey: Latchkey, session: string, provider = 'anthropic', status = 401): Promise<unknown> {
  return latchkey.run({ session, provider }, () => Promise.reject(rejected(status))).catch((error: unknown) => error);
}

describe('sentryReporter', () => {
  it('case 56: a thousand rejections of one credential make one event, and a new failure after recovery another', async () => {
    const latchkey = gateway();
    latchkey.capture({ session: 's1', provider: 'anthropic' }, bearer('token-a'));
    for (let call = 0; call < 1_000; call++) await work(latchkey, 's1');
    await sentry.flush();
    expect(sentry.errors()).toHaveLength(1);

    latchkey.capture({ session: 's1', provider: 'anthropic' }, bearer('token-b'));
    for (let call = 0; call < 10; call++) await work(latchkey, 's1');
    await sentry.flush();
    // The same words and fingerprint, back to back, with the SDK's deduplication on: only the incident's id differs.
    expect(sentry.errors()).toHaveLength(2);
    const [first, second] = sentry.errors();
    expect(second?.fingerprint).toEqual(first?.fingerprint);
    expect(second?.exception?.values[0]?.value).not.toBe(first?.exception?.values[0]?.value);
  });

  it('case 57: a rejection that the fallback absorbs, and a scope that has nothing, make no event', async () => {
    const latchkey = gateway({ fallback: 'global' });
    latchkey.capture({ session: 's1', provider: 'anthropic' }, bearer('token-a'));
    latchkey.capture({ session: 's2', provider: 'anthropic' }, bearer('token-b'));
    let calls = 0;
    const answer = await latchkey.run({ session: 's1', provider: 'anthropic' }, async () => {
      if (++calls === 1) throw rejected();
      return 'fine';
    });
    expect(answer).toBe('fine');
    await work(latchkey, 's3', 'openai');
    await sentry.flush();
    expect(sentry.errors()).toEqual([]);
  });

  it('case 57: a session that presents the dead token joins the incident', async () => {
    const latchkey = gateway();
    latchkey.capture({ session: 's1', provider: 'anthropic' }, bearer('token-a'));
    await work(latchkey, 's1');
    latchkey.capture({ session: 's2', provider: 'anthropic' }, bearer('token-a'));
    await work(latchkey, 's2');
    await sentry.flush();
    expect(sentry.errors()).toHaveLength(1);
    expect(latchkey.snapshot().incidents[0]?.scopeCount).toBe(2);
  });

  it('case 58: an incident shorter than the grace sends nothing, a longer one does, and both are counted', async () => {
    freezeTime();
    const latchkey = createLatchkey({ fallback: 'none', reporter: sentryReporter(Sentry), report: { graceMs: 5_000 } });
    latchkey.capture({ session: 's1', provider: 'anthropic' }, bearer('token-a'));
    await work(latchkey, 's1');
    await vi.advanceTimersByTimeAsync(4_999);
    latchkey.capture({ session: 's1', provider: 'anthropic' }, bearer('token-b'));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(latchkey.stats()).toMatchObject({ reports: 0, reportsSuppressed: 1 });

    await work(latchkey, 's1');
    await vi.advanceTimersByTimeAsync(5_000);
    expect(latchkey.stats()).toMatchObject({ reports: 1, reportsSuppressed: 1 });
    vi.useRealTimers();
    await sentry.flush();
    expect(sentry.errors()).toHaveLength(1);
  });

  it('case 58: no more than so many events an hour', async () => {
    const latchkey = gateway({ report: { perHour: 2 } });
    for (let n = 0; n < 5; n++) {
      latchkey.capture({ session: `s${n}`, provider: `provider-${n}` }, bearer(`token-${n}`));
      await work(latchkey, `s${n}`, `provider-${n}`);
    }
    await sentry.flush();
    expect(sentry.errors()).toHaveLength(2);
    expect(latchkey.stats()).toMatchObject({ reports: 2, reportsSuppressed: 3 });
  });

  it('case 59: a provider that rejects everybody is told as such, with a fingerprint of its own', async () => {
    const latchkey = gateway({ report: { providerWideAfter: { identities: 3, withinMs: 600_000 } } });
    for (let n = 0; n < 8; n++) {
      latchkey.capture({ session: `s${n}`, provider: 'anthropic' }, bearer(`token-${n}`));
      await work(latchkey, `s${n}`);
    }
    await sentry.flush();
    expect(sentry.errors().map((event) => event.tags?.['kind'])).toEqual(['identity', 'identity', 'identity', 'provider']);
    const wide = sentry.errors()[3];
    expect(wide?.fingerprint).toEqual(['latchkey', 'worker-auth-error', 'anthropic', '401', 'provider-wide']);
    expect(wide?.exception?.values[0]?.value).toMatch(/^Many credentials of one provider were rejected/);
    expect(wide?.contexts?.['latchkey']).not.toHaveProperty('fingerprint');
  });

  it('case 60: recovery is a breadcrumb with duration, sessions affected and calls suppressed', async () => {
    const latchkey = gateway();
    latchkey.capture({ session: 's1', provider: 'anthropic' }, bearer('token-a'));
    await work(latchkey, 's1');
    await work(latchkey, 's1');
    clock.advance(90_000);
    latchkey.capture({ session: 's1', provider: 'anthropic' }, bearer('token-b'));
    Sentry.captureException(new Error('something else, later'));
    await sentry.flush();

    const [opened, later] = sentry.errors();
    expect(sentry.errors()).toHaveLength(2);
    const crumbs = later?.breadcrumbs?.filter(({ category }) => category === 'latchkey');
    expect(crumbs).toHaveLength(1);
    expect(crumbs?.[0]).toMatchObject({ level: 'info', message: 'Background work resumed' });
    expect(crumbs?.[0]?.data).toEqual({
      provider: 'anthropic',
      status: '401',
      kind: 'identity',
      incident: opened?.contexts?.['latchkey']?.['incident'],
      end: 'fresh',
      duration_ms: 90_000,
      sessions_affected: 1,
      calls_suppressed: 1,
    });
  });

  it('case 60: an option sends the recovery as an event; eviction claims none', async () => {
    const latchkey = gateway({}, { recoveryAs: 'event', namespace: 'gateway' });
    latchkey.capture({ session: 's1', provider: 'anthropic' }, bearer('token-a'));
    await work(latchkey, 's1');
    clock.advance(1_000);
    latchkey.capture({ session: 's1', provider: 'anthropic' }, bearer('token-b'));
    await work(latchkey, 's1');
    latchkey.evict('s1');
    await sentry.flush();

    const recoveries = sentry.errors().filter(({ level }) => level === 'info');
    expect(recoveries).toHaveLength(1);
    expect(recoveries[0]?.message).toMatch(/^Background work resumed \(incident [0-9a-f]{8}\)$/);
    expect(recoveries[0]?.fingerprint).toEqual(['gateway', 'worker-auth-recovered', 'anthropic', '401']);
    expect(recoveries[0]?.contexts?.['latchkey']).toMatchObject({ duration_ms: 1_000, sessions_affected: 1, end: 'fresh' });
    expect(sentry.errors()).toHaveLength(3);
  });

  it('case 61: fixed words, fingerprint, tags, and identifiers in a context only', async () => {
    const latchkey = gateway();
    const token = bearer('secret+value/of-the-client==');
    latchkey.capture({ session: 'session-one', provider: 'anthropic' }, token);
    await work(latchkey, 'session-one');
    await sentry.flush();

    const [event] = sentry.errors();
    const id = latchkey.snapshot().incidents[0]?.id as string;
    expect(event?.level).toBe('error');
    expect(event?.fingerprint).toEqual(['latchkey', 'worker-auth-error', 'anthropic', '401']);
    expect(event?.exception?.values).toHaveLength(1);
    expect(event?.exception?.values[0]).toMatchObject({
      type: 'WorkerAuthError',
      value: `A credential was rejected: background work is paused (incident ${id.slice(0, 8)})`,
    });
    expect(event?.tags).toEqual({ provider: 'anthropic', status: '401', kind: 'identity' });
    expect(event?.contexts?.['latchkey']).toEqual({
      incident: id,
      fingerprint: token.fingerprint,
      opened_at: new Date(START).toISOString(),
      scopes: ['session session-one'],
      scope_count: 1,
      calls_suppressed: 0,
    });
    const { latchkey: _, ...otherContexts } = event?.contexts ?? {};
    expect(JSON.stringify({ ...event, contexts: otherContexts })).not.toMatch(/session-one/);
    for (const form of formsOf(token.reveal())) expect(sentry.bodies.join()).not.toContain(form);
  });

  it('case 61: a scope without provider and a rejection without status have a fingerprint too', async () => {
    const latchkey = gateway({ classify: () => ({ kind: 'rejected', reach: 'identity' }) });
    latchkey.capture('s1', bearer('token-a'));
    await latchkey.run('s1', () => Promise.reject(new Error('no'))).catch(() => undefined);
    await sentry.flush();
    expect(sentry.errors()[0]?.fingerprint).toEqual(['latchkey', 'worker-auth-error', 'unknown', 'unknown']);
  });

  it('case 61: nothing of the request in which the rejection is met', async () => {
    const latchkey = gateway();
    latchkey.capture({ session: 's1', provider: 'anthropic' }, bearer('token-a'));
    await Sentry.withIsolationScope(async (isolation) => {
      isolation.setUser({ id: 'somebody' });
      isolation.setTag('route', 'somewhere');
      isolation.setExtra('payload', 'something');
      isolation.setTransactionName('GET /somewhere');
      isolation.addEventProcessor((event) => ({ ...event, extra: { ...event.extra, processed: 'somehow' } }));
      isolation.setSDKProcessingMetadata({ normalizedRequest: { url: 'http://somewhere/', headers: { 'x-custom': 'something' } } });
      Sentry.addBreadcrumb({ message: 'some step' });
      await Sentry.startSpan({ name: 'some span' }, () => work(latchkey, 's1'));
      // The request's own events keep what is theirs.
      Sentry.captureException(new Error('of the request'));
    });
    await sentry.flush();

    const [ours, theirs] = sentry.errors();
    expect(JSON.stringify(ours)).not.toMatch(/some/);
    expect(ours).not.toHaveProperty('request');
    expect(ours).not.toHaveProperty('breadcrumbs');
    expect(theirs).toMatchObject({
      user: { id: 'somebody' },
      request: { url: 'http://somewhere/' },
      breadcrumbs: [{ message: 'some step' }],
    });
    expect(ours?.contexts?.['trace']?.['trace_id']).not.toBe(theirs?.contexts?.['trace']?.['trace_id']);
  });

  it('case 63: a reporter that throws or hangs disturbs nobody', async () => {
    for (const broken of [
      () => {
        throw new Error('the transport is gone');
      },
      () => new Promise<void>(() => {}),
    ]) {
      const reporter = sentryReporter({ ...Sentry, withIsolationScope: broken, addBreadcrumb: broken } as typeof Sentry);
      const latchkey = createLatchkey({ clock, fallback: 'none', reporter });
      latchkey.capture({ session: 's1', provider: 'anthropic' }, bearer('token-a'));
      expect(await work(latchkey, 's1')).toMatchObject({ code: 'CREDENTIAL_REJECTED' });
      latchkey.capture({ session: 's1', provider: 'anthropic' }, bearer('token-b'));
      expect(latchkey.canRun({ session: 's1', provider: 'anthropic' })).toBe(true);
      await latchkey.close({ timeoutMs: 50 });
    }
  });

  it('sends nothing before Sentry.init, and throws nothing', async () => {
    Sentry.getCurrentScope().setClient(undefined);
    const latchkey = gateway({}, { recoveryAs: 'event' });
    latchkey.capture({ session: 's1', provider: 'anthropic' }, bearer('token-a'));
    await work(latchkey, 's1');
    latchkey.capture({ session: 's1', provider: 'anthropic' }, bearer('token-b'));
    await settled();
    expect(latchkey.stats().errors).toBe(0);
    expect(sentry.bodies).toEqual([]);
  });

  it.each([
    ['an option that it does not know', () => sentryReporter(Sentry, { recoverAs: 'event' } as never), /unknown option `recoverAs`/],
    ['an empty namespace', () => sentryReporter(Sentry, { namespace: '' }), /`namespace`/],
    ['another way to tell the recovery', () => sentryReporter(Sentry, { recoveryAs: 'log' as never }), /`recoveryAs`/],
    ['a level that Sentry does not have', () => sentryReporter(Sentry, { level: 'critical' as never }), /`level`/],
    ['options that are no object', () => sentryReporter(Sentry, 'latchkey' as never), /`options`/],
    ['nothing for a namespace', () => sentryReporter(undefined as never), /`Sentry`.*`getClient`/],
    ['a namespace without a function', () => sentryReporter({ ...Sentry, captureException: undefined } as never), /`captureException`/],
    ['a namespace without scopes', () => sentryReporter({ ...Sentry, Scope: undefined } as never), /`Scope`/],
  ])('refuses %s', (_what, make, message) => {
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
  });
});
