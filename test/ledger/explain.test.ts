import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions, type Scope } from '../../src/index.js';
import { type ManualClock, manualClock, START } from '../support/clock.js';

const A = bearer('value-a');
const G = bearer('value-g');

function gateway(options: LatchkeyOptions = {}): { latchkey: Latchkey; clock: ManualClock } {
  const clock = manualClock();
  return { latchkey: createLatchkey({ clock, ...options }), clock };
}

function settle(latchkey: Latchkey, scope: Scope, outcome: number | { holdMs: number }): void {
  const resolution = latchkey.resolve(scope);
  if (!resolution.ok) throw new Error('blocked');
  resolution.lease.settle(outcome);
}

describe('explain', () => {
  it('case 31: names each candidate by fingerprint, why it was passed over, since when, and what would unblock it', () => {
    const { latchkey, clock } = gateway();
    latchkey.capture('S', A);
    latchkey.capture('T', G);
    settle(latchkey, 'S', 401);
    clock.advance(1_000);
    settle(latchkey, 'S', { holdMs: 60_000 });
    const explanation = latchkey.explain('S');
    expect(explanation).toMatchObject({ scope: { session: 'S' }, ok: false, source: undefined, otherProviders: [] });
    expect(explanation.candidates).toEqual([
      {
        source: 'session',
        fingerprint: A.fingerprint,
        usable: false,
        reason: 'rejected',
        status: 401,
        since: START,
        until: undefined,
        unblock: expect.stringMatching(/fresh credential.*forgive/),
      },
      {
        source: 'global',
        fingerprint: G.fingerprint,
        usable: false,
        reason: 'held',
        status: undefined,
        since: START + 1_000,
        until: START + 61_000,
        unblock: expect.stringMatching(/end of the hold/),
      },
    ]);
    expect(String(explanation)).toContain(`session ${A.fingerprint}: rejected with 401 since 2026-01-01T00:00:00.000Z`);
    expect(String(explanation)).toContain(`global ${G.fingerprint}: held since 2026-01-01T00:00:01.000Z until 2026-01-01T00:01:01.000Z`);
    expect(String(explanation)).toContain('would unblock: ');
    expect(String(explanation).split('\n')[0]).toBe('{"session":"S"}: blocked (held)');
  });

  it('case 31: says what a scope works with, beside what was passed over', () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    latchkey.capture('T', G);
    settle(latchkey, 'S', 401);
    const explanation = latchkey.explain('S');
    expect(explanation).toMatchObject({ ok: true, source: 'global', reason: undefined });
    expect(explanation.candidates.map(({ usable, unblock }) => [usable, unblock === undefined])).toEqual([
      [false, false],
      [true, true],
    ]);
    expect(String(explanation)).toContain('works with the global credential');
    expect(String(explanation)).toContain(`global ${G.fingerprint}: usable`);
  });

  it('case 30: an expired candidate is expired since its expiry', () => {
    const { latchkey, clock } = gateway();
    const expiresAt = clock.now() + 500;
    latchkey.capture('S', bearer('short', { expiresAt }));
    clock.advance(1_000);
    expect(latchkey.explain('S')).toMatchObject({
      ok: false,
      reason: 'expired',
      candidates: [{ reason: 'expired', since: expiresAt, status: undefined, unblock: expect.stringMatching(/fresh credential/) }],
    });
  });

  it('case 28: a candidate that the fallback rule will not have lent is refused', () => {
    const { latchkey } = gateway({ fallback: () => false });
    latchkey.capture('T', G);
    expect(latchkey.explain('S')).toMatchObject({
      ok: false,
      reason: 'missing',
      candidates: [{ source: 'global', fingerprint: G.fingerprint, usable: false, reason: 'refused', since: undefined }],
    });
    expect(String(latchkey.explain('S'))).toContain('refused; would unblock: a credential of the session');
  });

  it('case 25: with nothing at all it names the providers that the session does hold', () => {
    const { latchkey } = gateway();
    latchkey.capture({ session: 'S', provider: 'P' }, A);
    latchkey.capture({ session: 'S', provider: 'Q' }, A);
    latchkey.capture('S', A);
    const explanation = latchkey.explain({ session: 'S', provider: 'R' });
    expect(explanation).toMatchObject({ ok: false, reason: 'missing', candidates: [] });
    expect([...explanation.otherProviders].sort()).toEqual(['P', 'Q', undefined]);
    expect(String(explanation)).toContain('no credential has been captured for it; would unblock: a capture');
    expect(String(explanation)).toMatch(/the session holds credentials for: .*\(no provider\)/);
    expect(latchkey.explain({ session: 'T', provider: 'R' }).otherProviders).toEqual([]);
    expect(latchkey.explain({ tenant: 'another', session: 'S', provider: 'R' }).otherProviders).toEqual([]);
  });

  it('case 24: one identity in two slots is one candidate', () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    expect(latchkey.explain('S').candidates).toHaveLength(1);
  });

  it('prints well, and compares and serialises as data', () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    const explanation = latchkey.explain('S');
    expect(inspect(explanation)).toBe(String(explanation));
    expect(Object.keys(explanation)).not.toContain('toString');
    expect(JSON.parse(JSON.stringify(explanation))).toMatchObject({ ok: true, source: 'session' });
    expect(`${explanation}${JSON.stringify(explanation)}`).not.toContain('value-a');
  });

  it('prints a time that no date can show', () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    settle(latchkey, 'S', { holdMs: 1e17 });
    expect(String(latchkey.explain('S'))).toMatch(/until 1\.?\d*e?\+?\d* ms/);
  });

  it('agrees with resolve about the reason, the closed gateway included', async () => {
    const { latchkey } = gateway();
    latchkey.capture('S', A);
    await latchkey.close();
    expect(latchkey.explain('S')).toMatchObject({ ok: false, reason: 'closed', source: undefined });
    expect(latchkey.resolve('S')).toEqual({ ok: false, reason: 'closed' });
    expect(latchkey.canRun('S')).toBe(false);
  });
});
