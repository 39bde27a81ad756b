import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type Scope } from '../../src/index.js';
import { manualClock } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';

const A = bearer('value-a');
const B = bearer('value-b');

function gateway(sessions = 100): Latchkey {
  return createLatchkey({ clock: manualClock(), limits: { sessions } });
}

function valueFor(latchkey: Latchkey, scope: Scope): string | undefined {
  const resolution = latchkey.resolve(scope);
  return resolution.ok ? resolution.lease.credential.reveal() : undefined;
}

describe('a provisional capture', () => {
  it('case 17: is invisible to workers, also in the global slot, until it is committed', () => {
    const latchkey = gateway();
    const heard = hearAll(latchkey);
    const capture = latchkey.capture('S', A, { provisional: true });
    expect(capture).toMatchObject({ changed: false, usable: true });
    for (const scope of ['S', 'T', {}]) expect(latchkey.resolve(scope)).toEqual({ ok: false, reason: 'missing' });
    expect(latchkey.snapshot()).toMatchObject({ slots: [], verdicts: [] });
    expect(latchkey.stats()).toMatchObject({ sessions: 0, identities: 0 });
    expect(heard).toEqual([]);

    capture.commit();
    expect(capture).toMatchObject({ changed: true, usable: true });
    for (const scope of ['S', 'T', {}]) expect(valueFor(latchkey, scope)).toBe('value-a');
    expect(named(heard, 'captured')).toEqual([{ scope: { session: 'S' }, fingerprint: A.fingerprint, usable: true, pinned: false }]);
  });

  it('case 17: a second commit, a discard after it, and either on a plain capture do nothing', () => {
    const latchkey = gateway();
    const capture = latchkey.capture('S', A, { provisional: true });
    capture.commit();
    latchkey.capture('S', B);
    capture.commit();
    capture.discard();
    expect(valueFor(latchkey, 'S')).toBe('value-b');
    const plain = latchkey.capture('T', A);
    plain.commit();
    plain.discard();
    expect(valueFor(latchkey, 'T')).toBe('value-a');
  });

  it('case 17: discarded, it installs nothing, and a commit after that neither', () => {
    const latchkey = gateway();
    const capture = latchkey.capture('S', A, { provisional: true });
    capture.discard();
    capture.commit();
    expect(latchkey.resolve('S')).toEqual({ ok: false, reason: 'missing' });
    expect(latchkey.stats().identities).toBe(0);
  });

  it.each<[string, (latchkey: Latchkey) => void]>([
    ['the session was evicted', (latchkey) => latchkey.evict({ tenant: 't', session: 'S' })],
    ['the tenant was evicted', (latchkey) => latchkey.evict({ tenant: 't' })],
    [
      'the session fell to the limit',
      (latchkey) => {
        latchkey.capture({ tenant: 't', session: 'S' }, B);
        for (const session of ['T', 'U', 'V']) latchkey.capture({ tenant: 'u', session }, B);
      },
    ],
  ])('case 17: a commit after %s installs nothing', (_, evict) => {
    const latchkey = gateway(3);
    const capture = latchkey.capture({ tenant: 't', session: 'S' }, A, { provisional: true });
    evict(latchkey);
    capture.commit();
    expect(capture.changed).toBe(false);
    expect(latchkey.resolve({ tenant: 't', session: 'S' })).toEqual({ ok: false, reason: 'missing' });
    expect(latchkey.snapshot().slots.filter((slot) => slot.fingerprint === A.fingerprint)).toEqual([]);
  });

  it('case 17: an eviction of one session drops nothing of another, and nothing that comes after it', () => {
    const latchkey = gateway();
    const other = latchkey.capture('T', A, { provisional: true });
    const ofAnotherTenant = latchkey.capture({ tenant: 't', session: 'S' }, A, { provisional: true });
    latchkey.evict('S');
    const later = latchkey.capture('S', B, { provisional: true });
    for (const capture of [other, ofAnotherTenant, later]) capture.commit();
    expect(valueFor(latchkey, 'T')).toBe('value-a');
    expect(valueFor(latchkey, { tenant: 't', session: 'S' })).toBe('value-a');
    expect(valueFor(latchkey, 'S')).toBe('value-b');
  });

  it('case 17: commit keeps the arrival’s place: an older turn that commits late does not overwrite a newer one', () => {
    const latchkey = gateway();
    const older = latchkey.capture('S', A, { provisional: true });
    const newer = latchkey.capture('S', B, { provisional: true });
    newer.commit();
    older.commit();
    expect(older.changed).toBe(false);
    expect(valueFor(latchkey, 'S')).toBe('value-b');
    expect(valueFor(latchkey, {})).toBe('value-b');
  });

  it('case 17: in order of arrival the newer one wins', () => {
    const latchkey = gateway();
    const older = latchkey.capture('S', A, { provisional: true });
    const newer = latchkey.capture('S', B, { provisional: true });
    older.commit();
    newer.commit();
    expect(valueFor(latchkey, 'S')).toBe('value-b');
  });

  it('case 17: a late commit fills its own session’s slot without taking the global one from a newer session', () => {
    const latchkey = gateway();
    const older = latchkey.capture('S', A, { provisional: true });
    latchkey.capture('T', B);
    older.commit();
    expect(valueFor(latchkey, 'S')).toBe('value-a');
    expect(valueFor(latchkey, {})).toBe('value-b');
  });

  it('case 17: settle judges the identity before any commit, and an uncommitted rejection is remembered', () => {
    const latchkey = gateway();
    latchkey.capture('T', A);
    const provisional = latchkey.capture('S', A, { provisional: true });
    expect(provisional.settle(401)).toMatchObject({ state: 'rejected', status: 401 });
    expect(provisional.usable).toBe(false);
    expect(latchkey.canRun('T')).toBe(false);
    const unknown = latchkey.capture('S', B, { provisional: true });
    expect(unknown.settle(401).state).toBe('rejected');
    unknown.discard();
    expect(latchkey.stats()).toMatchObject({ incidents: 0, tombstones: 1 });
    expect(latchkey.capture('S', B).usable).toBe(false);
  });

  it('case 17: a success that is settled first and committed then counts for the slot', () => {
    const latchkey = gateway();
    const capture = latchkey.capture('S', A, { provisional: true });
    expect(capture.settle(200).state).toBe('accepted');
    expect(latchkey.canRun('S')).toBe(false);
    capture.commit();
    expect(latchkey.canRun('S')).toBe(true);
    expect(latchkey.snapshot().verdicts).toMatchObject([{ fingerprint: A.fingerprint, verdict: { state: 'accepted' } }]);
  });

  it('case 17: what it settles after its session was evicted creates nothing', () => {
    const latchkey = gateway();
    const capture = latchkey.capture('S', A, { provisional: true });
    latchkey.evict('S');
    expect(capture.settle(401)).toEqual({ state: 'unproven' });
    expect(latchkey.stats().identities).toBe(0);
  });

  it('is not usable if it is past its expiry', () => {
    const clock = manualClock();
    const latchkey = createLatchkey({ clock });
    const capture = latchkey.capture('S', bearer('soon', { expiresAt: clock.now() + 10 }), { provisional: true });
    expect(capture.usable).toBe(true);
    clock.advance(10);
    expect(capture.usable).toBe(false);
    capture.commit();
    expect(latchkey.resolve('S')).toMatchObject({ ok: false, reason: 'expired' });
  });

  it('committed late, it leaves the expiry hint of a newer presentation of the same credential', () => {
    const clock = manualClock();
    const latchkey = createLatchkey({ clock });
    const older = latchkey.capture('S', bearer('value-a', { expiresAt: clock.now() + 1_000 }), { provisional: true });
    latchkey.capture('S', bearer('value-a', { expiresAt: clock.now() + 3_600_000 }));
    older.commit();
    clock.advance(2_000);
    expect(valueFor(latchkey, 'S')).toBe('value-a');
    // And a newer presentation's hint counts, though it is the shorter one.
    latchkey.capture('S', bearer('value-a', { expiresAt: clock.now() + 10 }));
    clock.advance(10);
    expect(latchkey.resolve('S')).toMatchObject({ ok: false, reason: 'expired' });
  });

  it('is not usable any more once its session was evicted, whatever is learnt of the same credential after that', () => {
    const latchkey = gateway();
    const capture = latchkey.capture('S', A);
    expect(capture.usable).toBe(true);
    latchkey.evict('S');
    expect(capture.usable).toBe(false);
    expect(latchkey.canRun('S')).toBe(false);
    latchkey.capture('T', A).settle(401);
    expect(capture.usable).toBe(false);
  });

  it('case 65: installs nothing once Latchkey is closed', async () => {
    const latchkey = gateway();
    const capture = latchkey.capture('S', A, { provisional: true });
    await latchkey.close();
    capture.commit();
    expect(capture).toMatchObject({ changed: false, usable: false });
    expect(capture.settle(401)).toEqual({ state: 'unproven' });
    expect(latchkey.snapshot()).toMatchObject({ slots: [], verdicts: [] });
    const late = latchkey.capture('S', A);
    late.commit();
    late.discard();
    expect(late).toMatchObject({ changed: false, usable: false });
    expect(late.settle(200)).toEqual({ state: 'unproven' });
    expect(latchkey.pin({}, A)).toBeTypeOf('function');
    expect(latchkey.snapshot().slots).toEqual([]);
  });
});
