import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions, type Scope } from '../../src/index.js';
import { answering } from '../support/answering.js';
import { manualClock } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';

const PIN = bearer('pin-value');
const USER = bearer('user-value');
const P = { provider: 'P' };
const SP = { session: 'S', provider: 'P' };

const gateway = (options: LatchkeyOptions = {}): Latchkey => createLatchkey({ clock: manualClock(), ...options });

function valueFor(latchkey: Latchkey, scope: Scope): string | undefined {
  const resolution = latchkey.resolve(scope);
  return resolution.ok ? resolution.lease.credential.reveal() : undefined;
}

function reject(latchkey: Latchkey, scope: Scope, status = 401): void {
  const resolution = latchkey.resolve(scope);
  if (!resolution.ok) throw new Error('blocked');
  resolution.lease.settle(status);
}

describe('pins', () => {
  it('case 29: a pin is asked first, and no client displaces it', () => {
    const latchkey = gateway();
    latchkey.capture(SP, USER);
    const heard = hearAll(latchkey);
    latchkey.pin(P, PIN);
    for (let again = 0; again < 5; again++) latchkey.capture(SP, bearer(`user-${again}`)).settle(200);
    expect(latchkey.resolve(SP)).toMatchObject({ ok: true, lease: { source: 'pinned' } });
    expect(valueFor(latchkey, SP)).toBe('pin-value');
    expect(valueFor(latchkey, { session: 'unheard of', provider: 'P' })).toBe('pin-value');
    expect(valueFor(latchkey, P)).toBe('pin-value');
    expect(named(heard, 'captured')[0]).toEqual({ scope: P, fingerprint: PIN.fingerprint, usable: true, pinned: true });
  });

  it('case 29: it serves its own tenant, provider and purpose only', () => {
    const latchkey = gateway();
    latchkey.pin({ tenant: 't', provider: 'P', purpose: 'warming' }, PIN);
    expect(valueFor(latchkey, { tenant: 't', provider: 'P', purpose: 'warming' })).toBe('pin-value');
    for (const scope of [
      { tenant: 't', provider: 'P' },
      { tenant: 't', provider: 'P', purpose: 'curation' },
      { tenant: 't', provider: 'Q', purpose: 'warming' },
      { tenant: 'u', provider: 'P', purpose: 'warming' },
      { provider: 'P', purpose: 'warming' },
    ]) {
      expect(latchkey.canRun(scope)).toBe(false);
    }
  });

  it('case 29: a pin for a purpose goes before one for any', () => {
    const latchkey = gateway();
    latchkey.pin(P, PIN);
    const unpin = latchkey.pin({ ...P, purpose: 'warming' }, bearer('pin-warming'));
    expect(valueFor(latchkey, { ...SP, purpose: 'warming' })).toBe('pin-warming');
    expect(valueFor(latchkey, { ...SP, purpose: 'curation' })).toBe('pin-value');
    unpin();
    expect(valueFor(latchkey, { ...SP, purpose: 'warming' })).toBe('pin-value');
  });

  it('case 29: no limit and no eviction drops it', () => {
    const latchkey = gateway({ limits: { sessions: 1, identities: 1 } });
    latchkey.pin(P, PIN);
    for (let index = 0; index < 50; index++) latchkey.capture({ session: `s${index}`, provider: 'P' }, bearer(`u${index}`)).settle(401);
    latchkey.evict('s49');
    latchkey.pin({ tenant: 't', provider: 'P' }, PIN);
    latchkey.evict({ tenant: 't' });
    expect(valueFor(latchkey, P)).toBe('pin-value');
    expect(valueFor(latchkey, { tenant: 't', provider: 'P' })).toBe('pin-value');
  });

  it('case 29: rejected, its scope is blocked and no user’s key is used', async () => {
    const latchkey = gateway();
    latchkey.pin(P, PIN);
    latchkey.capture(SP, USER);
    const upstream = answering({ 'pin-value': 401 });
    await expect(latchkey.run(SP, upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED', fingerprint: PIN.fingerprint });
    await expect(latchkey.run(SP, upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    expect(upstream.sent).toEqual(['pin-value']);
    expect(latchkey.explain(SP).candidates).toMatchObject([{ source: 'pinned', fingerprint: PIN.fingerprint, reason: 'rejected' }]);
    expect(latchkey.capture(SP, bearer('fresh')).usable).toBe(true);
    expect(latchkey.canRun(SP)).toBe(false);
  });

  it('case 29: pinning again, the same value too, allows one call', async () => {
    const latchkey = gateway();
    latchkey.pin(P, PIN);
    const upstream = answering({ 'pin-value': 401 });
    await latchkey.run(SP, upstream.attempt).catch(() => {});
    latchkey.pin(P, PIN);
    expect(latchkey.canRun(SP)).toBe(true);
    expect(latchkey.stats().openIncidents).toBe(0);
    const runs = [latchkey.run(SP, upstream.attempt), latchkey.run(P, upstream.attempt), latchkey.run(SP, upstream.attempt)];
    for (const run of runs) await expect(run).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    expect(upstream.sent).toEqual(['pin-value', 'pin-value']);
    latchkey.pin(P, bearer('pin-2'));
    expect(valueFor(latchkey, SP)).toBe('pin-2');
  });

  it('case 29: a call that was sent before the second pinning does not count against it', () => {
    const latchkey = gateway();
    latchkey.pin(P, PIN);
    const resolution = latchkey.resolve(P);
    latchkey.pin(P, PIN);
    if (!resolution.ok) throw new Error('blocked');
    resolution.lease.settle(401);
    expect(latchkey.canRun(P)).toBe(true);
  });

  it('unpinned, the scope has what clients presented; an old unpin takes no newer pin away', () => {
    const latchkey = gateway();
    latchkey.capture(SP, USER);
    const first = latchkey.pin(P, PIN);
    const second = latchkey.pin(P, bearer('pin-2'));
    first();
    expect(valueFor(latchkey, SP)).toBe('pin-2');
    second();
    second();
    expect(valueFor(latchkey, SP)).toBe('user-value');
    expect(
      latchkey
        .snapshot()
        .slots.map(({ slot }) => slot)
        .sort(),
    ).toEqual(['global', 'session']);
  });

  it('ends the incident of the scopes that it frees, and so does unpinning', () => {
    const latchkey = gateway();
    latchkey.capture(SP, USER);
    reject(latchkey, SP);
    expect(latchkey.stats().openIncidents).toBe(1);
    const unpin = latchkey.pin(P, PIN);
    expect(latchkey.stats().openIncidents).toBe(0);
    reject(latchkey, SP);
    expect(latchkey.stats().openIncidents).toBe(1);
    latchkey.capture(SP, bearer('fresh'));
    expect(latchkey.stats().openIncidents).toBe(1);
    unpin();
    expect(latchkey.stats().openIncidents).toBe(0);
    expect(valueFor(latchkey, SP)).toBe('fresh');
  });

  it('is in the snapshot with its purpose', () => {
    const latchkey = gateway();
    latchkey.pin({ tenant: 't', provider: 'P', purpose: 'warming' }, PIN);
    expect(latchkey.snapshot().slots).toEqual([
      {
        slot: 'pinned',
        scope: { tenant: 't', provider: 'P', purpose: 'warming' },
        fingerprint: PIN.fingerprint,
        status: { state: 'ready', reason: undefined, since: undefined, next: undefined },
      },
    ]);
  });

  it('past its expiry it is expired, and nothing else is used', () => {
    const clock = manualClock();
    const latchkey = createLatchkey({ clock });
    latchkey.capture(SP, USER);
    latchkey.pin(P, bearer('pin-short', { expiresAt: clock.now() + 10 }));
    expect(valueFor(latchkey, SP)).toBe('pin-short');
    clock.advance(10);
    expect(latchkey.resolve(SP)).toMatchObject({ ok: false, reason: 'expired' });
  });
});
