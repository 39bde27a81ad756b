import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Emitter } from '../src/events.js';
import { bearer, createLatchkey, type LatchkeyEventName, type LatchkeyOptions } from '../src/index.js';
import { statusError, throwing } from './support/attempts.js';
import { freezeTime, START, settled } from './support/clock.js';
import { hearAll, named } from './support/heard.js';
import { recordingReporter } from './support/reporter.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const [A, B, G] = [bearer('token-a'), bearer('token-b'), bearer('token-g')];
const SCOPE = { tenant: 't', session: 's', provider: 'p', purpose: 'distil' };
const SLOT = { tenant: 't', session: 's', provider: 'p' };

function make(options: LatchkeyOptions = {}) {
  const latchkey = createLatchkey(options);
  return { latchkey, heard: hearAll(latchkey) };
}

describe('events: payloads', () => {
  it('captured: what the slot points at now, pins too; nothing for what changes nothing', () => {
    const { latchkey, heard } = make();
    latchkey.capture(SLOT, A);
    latchkey.capture(SLOT, A);
    latchkey.capture(SLOT, A).settle(401);
    latchkey.capture(SLOT, A);
    latchkey.pin({ tenant: 't', provider: 'p' }, G);
    expect(named(heard, 'captured')).toEqual([
      { scope: SLOT, fingerprint: A.fingerprint, usable: true, pinned: false },
      { scope: { tenant: 't', provider: 'p' }, fingerprint: G.fingerprint, usable: true, pinned: true },
    ]);
  });

  it('accepted, rejected, denied, held: one call each', async () => {
    const { latchkey, heard } = make({ canary: 'off' });
    latchkey.capture(SLOT, A);
    const about = { scope: SCOPE, fingerprint: A.fingerprint };
    await latchkey.run(SCOPE, () => 1);
    await latchkey
      .run(SCOPE, () => Promise.reject(statusError(403, { 'www-authenticate': 'Bearer error="insufficient_scope"' })))
      .catch(() => {});
    await latchkey.run(SCOPE, () => Promise.reject(statusError(403))).catch(() => {});
    latchkey.capture(SLOT, A).settle(401);
    const { settle } = { settle: latchkey.capture(SLOT, A) };
    settle.settle({ holdMs: 5_000, reason: 'quota' });
    expect(named(heard, 'accepted')).toEqual([about]);
    expect(named(heard, 'denied')).toEqual([{ ...about, status: 403 }]);
    expect(named(heard, 'rejected')).toEqual([
      { ...about, status: 403, reach: 'scope', late: false, strike: false },
      { scope: SLOT, fingerprint: A.fingerprint, status: 401, reach: 'identity', late: false, strike: false },
    ]);
    expect(named(heard, 'held')).toEqual([{ scope: SLOT, fingerprint: A.fingerprint, until: START + 5_000, reason: 'quota' }]);
  });

  it('rejected: says when it came too late to change anything', () => {
    const { latchkey, heard } = make();
    const early = latchkey.capture(SLOT, A);
    latchkey.capture(SLOT, A).settle(200);
    early.settle(401);
    expect(named(heard, 'rejected')).toEqual([
      { scope: SLOT, fingerprint: A.fingerprint, status: 401, reach: 'identity', late: true, strike: false },
    ]);
    expect(latchkey.stats()).toMatchObject({ late: 1, rejected: 1 });
  });

  it('borrowed, retried', async () => {
    const { latchkey, heard } = make();
    latchkey.capture(SLOT, A);
    latchkey.capture({ ...SLOT, session: 'other' }, G);
    await latchkey.run(SCOPE, throwing({ 'token-a': 401 }).attempt);
    expect(named(heard, 'borrowed')).toEqual([{ scope: SCOPE, fingerprint: G.fingerprint }]);
    expect(named(heard, 'retried')).toEqual([{ scope: SCOPE, fingerprint: G.fingerprint, from: A.fingerprint }]);
  });

  it('incident, blocked, skipped, parked, resumed, recovered', async () => {
    const { latchkey, heard } = make();
    latchkey.capture(SLOT, A);
    await latchkey.run(SCOPE, throwing({ 'token-a': 401 }).attempt).catch(() => {});
    await latchkey.run(SCOPE, () => 1, { whenBlocked: 'skip' });
    const parked = latchkey.run(SCOPE, () => 1, { whenBlocked: 'park' });
    await settled();
    latchkey.capture(SLOT, B);
    await parked;
    const [{ incident }] = named(heard, 'incident') as [{ incident: { id: string } }];
    expect(incident).toEqual({
      id: expect.any(String),
      kind: 'identity',
      provider: 'p',
      fingerprint: A.fingerprint,
      status: 401,
      openedAt: START,
      endedAt: undefined,
      end: undefined,
      scopes: [SCOPE],
      scopeCount: 1,
      suppressed: 0,
    });
    expect(named(heard, 'blocked')).toEqual([{ scope: SCOPE, fingerprint: A.fingerprint, incident: incident.id, status: 401 }]);
    expect(named(heard, 'skipped')).toEqual([{ scope: SCOPE, reason: 'rejected' }]);
    expect(named(heard, 'parked')).toEqual([{ scope: SCOPE, reason: 'rejected' }]);
    expect(named(heard, 'resumed')).toEqual([{ scope: SCOPE, incident: incident.id, end: 'fresh' }]);
    expect(named(heard, 'recovered')).toEqual([{ incident: { ...incident, endedAt: START, end: 'fresh', suppressed: 2 } }]);
  });

  it('suppressed, evicted, error', async () => {
    const { latchkey, heard } = make({
      report: { perHour: 0 },
      reporter: recordingReporter(),
      limits: { sessions: 1 },
      classify: () => {
        throw new RangeError('the rule has a fault');
      },
    });
    latchkey.capture('s1', A);
    await latchkey.run('s1', throwing({ 'token-a': 401 }).attempt).catch(() => {});
    latchkey.capture('s2', B);
    latchkey.evict('s2');
    const [{ incident }] = named(heard, 'incident') as [{ incident: { id: string } }];
    expect(named(heard, 'suppressed')).toEqual([{ incident: incident.id, why: 'per-hour' }]);
    expect(named(heard, 'evicted')).toEqual([
      { tenant: undefined, session: 's1', why: 'limit' },
      { tenant: undefined, session: 's2', why: 'asked' },
    ]);
    expect(named(heard, 'error')).toEqual([{ origin: 'classify', error: expect.objectContaining({ message: 'the rule has a fault' }) }]);
  });

  it('none of them holds the value of a credential', async () => {
    const { latchkey, heard } = make({ fallback: 'none' });
    latchkey.capture(SLOT, A);
    await latchkey.run(SCOPE, () => Promise.reject(Object.assign(statusError(401), { message: 'token-a' }))).catch(() => {});
    latchkey.capture(SLOT, B);
    expect(heard.length).toBeGreaterThan(5);
    expect(JSON.stringify(heard)).not.toMatch(/token-[ab]/);
  });
});

describe('events: telling', () => {
  it('what a listener causes is told after what it is hearing, to every listener', async () => {
    const latchkey = createLatchkey();
    const order: string[] = [];
    latchkey.on('rejected', () => {
      order.push('first hears rejected');
      latchkey.capture('s', B);
    });
    latchkey.on('rejected', () => void order.push('second hears rejected'));
    latchkey.on('captured', () => void order.push('captured'));
    latchkey.capture('s', A);
    await latchkey.run('s', throwing({ 'token-a': 401 }).attempt);
    expect(order).toEqual(['captured', 'first hears rejected', 'second hears rejected', 'captured']);
  });

  it('what a pin resumes is told after the pin', async () => {
    const { latchkey, heard } = make();
    latchkey.capture({}, A).settle(401);
    await latchkey.run({}, () => 1, { whenBlocked: 'skip' });
    heard.length = 0;
    latchkey.pin({}, B);
    expect(heard.map(({ name }) => name)).toEqual(['captured', 'resumed', 'recovered']);
  });

  it('a run goes on in the order: rejected, incident, blocked; captured, resumed, recovered', async () => {
    const { latchkey, heard } = make();
    latchkey.capture('s', A);
    await latchkey.run('s', throwing({ 'token-a': 401 }).attempt).catch(() => {});
    latchkey.capture('s', B);
    expect(heard.map(({ name }) => name)).toEqual(['captured', 'rejected', 'incident', 'blocked', 'captured', 'resumed', 'recovered']);
  });

  it('`on` returns how to stop, once for each time it was called', () => {
    const latchkey = createLatchkey();
    let told = 0;
    const listener = () => void told++;
    const off = latchkey.on('captured', listener);
    const offToo = latchkey.on('captured', listener);
    latchkey.capture('s1', A);
    expect(told).toBe(2);
    off();
    off();
    latchkey.capture('s2', A);
    expect(told).toBe(3);
    offToo();
    latchkey.capture('s3', A);
    expect(told).toBe(3);
  });

  it('refuses a name that is no event, and a listener that is no function', () => {
    const latchkey = createLatchkey();
    expect(() => latchkey.on('capture' as never, () => {})).toThrow(/`capture`/);
    expect(() => latchkey.on('toString' as never, () => {})).toThrow(TypeError);
    expect(() => latchkey.on('captured', null as never)).toThrow(TypeError);
  });

  it('a listener that throws or rejects is told as an error, and disturbs nobody', async () => {
    const latchkey = createLatchkey();
    const [thrown, rejected] = [new Error('thrown'), new Error('rejected')];
    const errors: unknown[] = [];
    let told = 0;
    latchkey.on('captured', () => {
      throw thrown;
    });
    latchkey.on('captured', () => Promise.reject(rejected));
    latchkey.on('captured', () => told++);
    latchkey.on('error', (event) => errors.push(event));
    expect(latchkey.capture('s', A).usable).toBe(true);
    await settled();
    expect(told).toBe(1);
    expect(errors).toEqual([
      { origin: 'listener', error: thrown },
      { origin: 'listener', error: rejected },
    ]);
    expect(latchkey.stats().errors).toBe(2);
  });

  it('a listener to `error` that throws is counted and not told of itself', () => {
    const latchkey = createLatchkey({
      fallback: () => {
        throw new Error('rule');
      },
    });
    latchkey.on('error', () => {
      throw new Error('listener');
    });
    latchkey.capture('other', A);
    expect(latchkey.canRun('cold')).toBe(false);
    expect(latchkey.stats().errors).toBe(2);
  });

  it('the channel `latchkey:NAME` gets the same payload', () => {
    const latchkey = createLatchkey();
    const published: unknown[] = [];
    const listened: unknown[] = [];
    const onMessage = (message: unknown, name: unknown) => void published.push([name, message]);
    subscribe('latchkey:captured', onMessage);
    try {
      latchkey.capture('s1', A);
      latchkey.on('captured', (event) => listened.push(event));
      latchkey.capture('s2', A);
    } finally {
      unsubscribe('latchkey:captured', onMessage);
    }
    latchkey.capture('s3', A);
    expect(published).toEqual([
      ['latchkey:captured', { scope: { session: 's1' }, fingerprint: A.fingerprint, usable: true, pinned: false }],
      ['latchkey:captured', listened[0]],
    ]);
    expect((published[1] as unknown[])[1]).toBe(listened[0]);
  });

  it('is free when unheard: no payload is built', () => {
    const emitter = new Emitter();
    const build = vi.fn(() => ({ incident: 'id', why: 'grace' }) as const);
    const emit = () => emitter.emit('suppressed', build);
    emit();
    expect(build).not.toHaveBeenCalled();
    const off = emitter.on('suppressed', () => {});
    emit();
    expect(build).toHaveBeenCalledTimes(1);
    off();
    emit();
    expect(build).toHaveBeenCalledTimes(1);
    const names: LatchkeyEventName[] = ['captured', 'suppressed'];
    expect(names.map((name) => emitter.heard(name))).toEqual([false, false]);
  });
});
