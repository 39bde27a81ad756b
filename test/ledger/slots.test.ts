import { describe, expect, it } from 'vitest';
import { apiKey, bearer, createLatchkey, type Latchkey, type LatchkeyOptions, type Scope } from '../../src/index.js';
import { answering } from '../support/answering.js';
import { type ManualClock, manualClock } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';

const A = bearer('value-a');
const B = bearer('value-b');

function gateway(options: LatchkeyOptions = {}): { latchkey: Latchkey; clock: ManualClock } {
  const clock = manualClock();
  return { latchkey: createLatchkey({ clock, ...options }), clock };
}

/** The value that a scope's work would be done with. */
function valueFor(latchkey: Latchkey, scope: Scope): string | undefined {
  const resolution = latchkey.resolve(scope);
  return resolution.ok ? resolution.lease.credential.reveal() : undefined;
}

function reject(latchkey: Latchkey, scope: Scope, status = 401): void {
  const resolution = latchkey.resolve(scope);
  if (!resolution.ok) throw new Error(`nothing to reject: ${resolution.reason}`);
  resolution.lease.settle(status);
}

describe('slots', () => {
  it('case 7: a new session is not stale, and neither is one that nobody has heard of', () => {
    const { latchkey } = gateway();
    const capture = latchkey.capture('S', A);
    expect(capture).toMatchObject({ changed: true, usable: true });
    expect(latchkey.canRun('S')).toBe(true);
    expect(latchkey.resolve('unheard of')).toMatchObject({ ok: true, lease: { source: 'global' } });
  });

  it('case 7: rejecting twice is the same as once', () => {
    const once = gateway();
    const twice = gateway();
    for (const { latchkey } of [once, twice]) latchkey.capture('S', A);
    const lease = (latchkey: Latchkey) => {
      const resolution = latchkey.resolve('S');
      if (!resolution.ok) throw new Error('blocked');
      return resolution.lease;
    };
    const first = lease(once.latchkey);
    first.settle(401);
    const second = lease(twice.latchkey);
    second.settle(401);
    twice.clock.advance(5_000);
    second.settle(401);
    expect(twice.latchkey.resolve('S')).toEqual(once.latchkey.resolve('S'));
    expect(twice.latchkey.snapshot().verdicts).toEqual(once.latchkey.snapshot().verdicts);
    expect(twice.latchkey.stats().openIncidents).toBe(1);
    expect(twice.latchkey.stats().incidents).toBe(1);
  });

  it('case 7: rejecting S1’s credential leaves the other one of S2 usable', () => {
    const { latchkey } = gateway();
    latchkey.capture('S1', A);
    latchkey.capture('S2', B);
    reject(latchkey, 'S1');
    expect(valueFor(latchkey, 'S2')).toBe('value-b');
    expect(latchkey.resolve('S2')).toMatchObject({ ok: true, lease: { source: 'session' } });
  });

  it('case 8: rejecting A for P leaves Q of the same session usable, with other bytes and with the same', () => {
    const { latchkey } = gateway();
    latchkey.capture({ session: 'S', provider: 'P' }, A);
    latchkey.capture({ session: 'S', provider: 'Q' }, A);
    latchkey.capture({ session: 'S', provider: 'R' }, B);
    reject(latchkey, { session: 'S', provider: 'P' });
    expect(latchkey.canRun({ session: 'S', provider: 'P' })).toBe(false);
    expect(valueFor(latchkey, { session: 'S', provider: 'Q' })).toBe('value-a');
    expect(valueFor(latchkey, { session: 'S', provider: 'R' })).toBe('value-b');
  });

  it('case 8: two names are one provider when `canonicalProvider` says so, everywhere', async () => {
    const { latchkey } = gateway({ canonicalProvider: (name) => (name === 'amazon-bedrock' ? 'bedrock' : name) });
    const long = { session: 'S', provider: 'amazon-bedrock' };
    const short = { session: 'S', provider: 'bedrock' };
    latchkey.capture(long, A);
    expect(valueFor(latchkey, short)).toBe('value-a');
    reject(latchkey, short);
    expect(latchkey.canRun(long)).toBe(false);
    expect(latchkey.explain(long).scope.provider).toBe('bedrock');
    latchkey.forgive(long);
    expect(latchkey.canRun(short)).toBe(true);
    const unpin = latchkey.pin({ provider: 'amazon-bedrock' }, B);
    expect(valueFor(latchkey, short)).toBe('value-b');
    unpin();
    expect(await latchkey.run(long, (lease) => lease.scope.provider)).toBe('bedrock');
    expect(latchkey.snapshot().slots.map((slot) => slot.scope.provider)).toEqual(['bedrock', 'bedrock']);
  });

  it('case 8: without it they are two', () => {
    const { latchkey } = gateway();
    latchkey.capture({ session: 'S', provider: 'amazon-bedrock' }, A);
    expect(latchkey.canRun({ session: 'S', provider: 'bedrock' })).toBe(false);
  });

  it('case 9: a 401 met by one of two sessions with the same token blocks the other without a request', async () => {
    const { latchkey } = gateway();
    const upstream = answering({ 'value-a': 401 });
    latchkey.capture('S1', A);
    latchkey.capture('S2', A);
    await expect(latchkey.run('S1', upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED', status: 401 });
    await expect(latchkey.run('S2', upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED', status: 401 });
    expect(upstream.sent).toEqual(['value-a']);
  });

  it('case 9: a 403 does not block the other session', async () => {
    const { latchkey } = gateway();
    latchkey.capture('S1', A);
    latchkey.capture('S2', A);
    await expect(latchkey.run('S1', answering({ 'value-a': 403 }).attempt)).rejects.toMatchObject({
      code: 'CREDENTIAL_REJECTED',
      status: 403,
    });
    expect(latchkey.canRun('S1')).toBe(false);
    const other = answering();
    await latchkey.run('S2', other.attempt);
    expect(other.sent).toEqual(['value-a']);
    expect(latchkey.canRun('S1')).toBe(false);
  });

  it('case 9: a 403 with a purpose does not even block the other purposes of the session', () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    reject(latchkey, { session: 'S', purpose: 'warming' }, 403);
    expect(latchkey.canRun({ session: 'S', purpose: 'warming' })).toBe(false);
    expect(latchkey.canRun({ session: 'S', purpose: 'distillation' })).toBe(true);
    expect(latchkey.canRun('S')).toBe(true);
  });

  it('case 10: capturing B clears nothing and needs to: S resolves B, and A stays rejected', () => {
    const { latchkey, clock } = gateway();
    latchkey.capture('S', A);
    latchkey.capture('T', A);
    reject(latchkey, 'S');
    const before = latchkey.snapshot().verdicts;
    clock.advance(1_000);
    expect(latchkey.capture('S', B)).toMatchObject({ changed: true, usable: true });
    expect(latchkey.resolve('S')).toMatchObject({ ok: true, lease: { source: 'session' } });
    expect(valueFor(latchkey, 'S')).toBe('value-b');
    expect(latchkey.snapshot().verdicts).toEqual(before);
    expect(latchkey.explain('T').candidates[0]).toMatchObject({ fingerprint: A.fingerprint, usable: false, reason: 'rejected' });
  });

  it('case 10: the same value under another scheme is another identity, and so fresh', () => {
    const { latchkey } = gateway();
    latchkey.capture('S', bearer('same'));
    reject(latchkey, 'S');
    expect(latchkey.capture('S', apiKey('same'))).toMatchObject({ changed: true, usable: true });
    expect(latchkey.resolve('S')).toMatchObject({ ok: true });
  });

  it('case 11: capturing A again after its rejection is not fresh, once or 50 times', async () => {
    const { latchkey, clock } = gateway();
    latchkey.capture('S', A);
    reject(latchkey, 'S');
    const blocked = latchkey.resolve('S');
    const heard = hearAll(latchkey);
    const upstream = answering();
    let woken = false;
    const { signal } = new AbortController();
    void latchkey.whenRunnable('S', { signal }).then(
      () => (woken = true),
      () => {},
    );
    for (let again = 0; again < 50; again++) {
      clock.advance(1_000);
      expect(latchkey.capture('S', A)).toMatchObject({ changed: false, usable: false });
    }
    await expect(latchkey.run('S', upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    expect(upstream.sent).toEqual([]);
    expect(latchkey.resolve('S')).toEqual(blocked);
    expect(woken).toBe(false);
    expect(heard).toEqual([]);
    await latchkey.close();
  });

  it('case 11: capturing live A again changes nothing, wakes nobody and makes no event storm', async () => {
    const { latchkey, clock } = gateway();
    latchkey.capture('S', A);
    const heard = hearAll(latchkey);
    for (let again = 0; again < 50; again++) {
      clock.advance(1_000);
      expect(latchkey.capture('S', A)).toMatchObject({ changed: false, usable: true });
    }
    expect(heard).toEqual([]);
    let woken = false;
    // Waits for a provider that the captures have nothing to do with.
    const waiting = latchkey.whenRunnable({ session: 'S', provider: 'Q' }).then(() => (woken = true));
    waiting.catch(() => {});
    latchkey.capture('S', A);
    await new Promise(setImmediate);
    expect(woken).toBe(false);
    await latchkey.close();
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('case 12: a dead credential from a second device leaves the live one', () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    reject(latchkey, 'S');
    latchkey.capture('S', B);
    const heard = hearAll(latchkey);
    expect(latchkey.capture('S', A)).toMatchObject({ changed: false, usable: false });
    expect(valueFor(latchkey, 'S')).toBe('value-b');
    expect(valueFor(latchkey, {})).toBe('value-b');
    expect(named(heard, 'captured')).toEqual([]);
  });

  it('case 12: so does one that is past its expiry', () => {
    const { latchkey, clock } = gateway();
    latchkey.capture('S', B);
    expect(latchkey.capture('S', bearer('stale', { expiresAt: clock.now() }))).toMatchObject({ changed: false, usable: false });
    expect(valueFor(latchkey, 'S')).toBe('value-b');
    expect(valueFor(latchkey, {})).toBe('value-b');
  });

  it('case 12: a credential with a 403 mark fills its slot all the same', () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    reject(latchkey, 'S', 403);
    latchkey.capture('S', B);
    expect(latchkey.capture('S', A)).toMatchObject({ changed: true, usable: false });
    // Its own slot and the global one both hold A, which this scope may not use.
    expect(latchkey.canRun('S')).toBe(false);
    expect(valueFor(latchkey, {})).toBe('value-a');
  });

  it('case 12: presented again while it is dead, a credential earns no newer place', () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    reject(latchkey, 'S');
    const arrived = latchkey.capture('S', B, { provisional: true });
    latchkey.capture('S', A);
    arrived.commit();
    expect(arrived.changed).toBe(true);
    expect(valueFor(latchkey, 'S')).toBe('value-b');
    expect(valueFor(latchkey, {})).toBe('value-b');
  });

  it('case 12: presented again while it is alive, it does', () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    const arrived = latchkey.capture('S', B, { provisional: true });
    latchkey.capture('S', A);
    arrived.commit();
    expect(valueFor(latchkey, 'S')).toBe('value-a');
  });

  it('a dead credential takes a place that nothing alive holds, and gives it to anything alive, however old', () => {
    const { latchkey } = gateway();
    latchkey.capture('T', A).settle(401);
    const older = latchkey.capture('S', B, { provisional: true });
    expect(latchkey.capture('S', A)).toMatchObject({ changed: true, usable: false });
    older.commit();
    expect(older).toMatchObject({ changed: true, usable: true });
    expect(valueFor(latchkey, 'S')).toBe('value-b');
  });
});
