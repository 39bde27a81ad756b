import { describe, expect, it } from 'vitest';
import { apiKey, bearer, createLatchkey, type Latchkey, type LatchkeyOptions, type Lease } from '../../src/index.js';
import { type ManualClock, manualClock } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';

const A = bearer('token-a');

function make(options: LatchkeyOptions = {}): { latchkey: Latchkey; clock: ManualClock } {
  const clock = manualClock();
  return { latchkey: createLatchkey({ clock, canary: 'off', strikes: {}, ...options }), clock };
}

function leaseOf(latchkey: Latchkey, scope = 'S'): Lease {
  const resolution = latchkey.resolve(scope);
  if (!resolution.ok) throw new Error('blocked');
  return resolution.lease;
}

/** Known for long, and proven a moment ago. */
function proven(options: LatchkeyOptions = {}): ReturnType<typeof make> {
  const made = make(options);
  made.latchkey.capture('S', A);
  made.clock.advance(60_000);
  leaseOf(made.latchkey).settle(200);
  return made;
}

describe('strikes: a credential that was proven a moment ago', () => {
  it('the first rejection is told as a strike, and changes nothing', () => {
    const { latchkey } = proven();
    const heard = hearAll(latchkey);
    expect(leaseOf(latchkey).settle(401)).toMatchObject({ state: 'accepted' });
    expect(latchkey.canRun('S')).toBe(true);
    expect(named(heard, 'rejected')).toEqual([expect.objectContaining({ strike: true, late: false, status: 401 })]);
    expect(named(heard, 'incident')).toEqual([]);
    expect(latchkey.stats()).toMatchObject({ rejected: 1, late: 0, incidents: 0 });
  });

  it('the second within the time is a verdict', () => {
    const { latchkey, clock } = proven();
    const heard = hearAll(latchkey);
    leaseOf(latchkey).settle(401);
    clock.advance(10_000);
    expect(leaseOf(latchkey).settle(401)).toMatchObject({ state: 'rejected' });
    expect(latchkey.canRun('S')).toBe(false);
    expect(named(heard, 'rejected')).toMatchObject([{ strike: true }, { strike: false }]);
    expect(latchkey.stats().incidents).toBe(1);
  });

  it.each<[string, (step: (status: number, pauseMs?: number) => void) => void, boolean]>([
    ['one in three outcomes', (step) => [401, 200, 200, 401, 200, 200, 401].forEach((status) => void step(status)), true],
    ['two in three outcomes', (step) => [401, 200, 401].forEach((status) => void step(status)), false],
    [
      'two that are too far apart',
      (step) => {
        step(401);
        step(401, 10_001);
      },
      true,
    ],
    ['one, too long after the proof', (step) => void step(401, 30_001), false],
    ['one that is for one scope only', (step) => void step(403), false],
  ])('%s: usable is then %s', (_, play, usable) => {
    const { latchkey, clock } = proven();
    play((status, pauseMs = 0) => {
      clock.advance(pauseMs);
      leaseOf(latchkey).settle(status);
    });
    expect(latchkey.canRun('S')).toBe(usable);
  });

  it('a rejection that comes late is late, and no strike', () => {
    const { latchkey } = proven();
    const heard = hearAll(latchkey);
    const slow = [leaseOf(latchkey), leaseOf(latchkey), leaseOf(latchkey)];
    leaseOf(latchkey).settle(200);
    for (const lease of slow) lease.settle(401);
    expect(named(heard, 'rejected')).toMatchObject(slow.map(() => ({ strike: false, late: true })));
    leaseOf(latchkey).settle(401);
    expect(latchkey.canRun('S')).toBe(true);
  });

  it("a client's own rejection counts with the workers'", () => {
    const { latchkey } = proven();
    expect(latchkey.capture('S', A).settle(401)).toMatchObject({ state: 'accepted' });
    leaseOf(latchkey).settle(401);
    expect(latchkey.canRun('S')).toBe(false);
  });

  it('forgiven, it has no strikes, and no proof either', () => {
    const { latchkey } = proven();
    leaseOf(latchkey).settle(401);
    latchkey.forgive('S');
    leaseOf(latchkey).settle(200);
    leaseOf(latchkey).settle(401);
    expect(latchkey.canRun('S')).toBe(true);
    latchkey.forgive('S');
    leaseOf(latchkey).settle(401);
    expect(latchkey.canRun('S')).toBe(false);
  });

  it('each identity has strikes of its own', () => {
    const { latchkey } = proven();
    latchkey.capture('T', bearer('token-b'));
    latchkey.capture({ session: 'S', provider: 'P' }, A).settle(200);
    leaseOf(latchkey).settle(401);
    leaseOf(latchkey, 'T').settle(200);
    leaseOf(latchkey, 'T').settle(401);
    expect([latchkey.canRun('S'), latchkey.canRun('T'), latchkey.canRun({ session: 'S', provider: 'P' })]).toEqual([true, true, true]);
  });

  it('without the option the first rejection is a verdict', () => {
    const { latchkey } = proven({ strikes: undefined });
    leaseOf(latchkey).settle(401);
    expect(latchkey.canRun('S')).toBe(false);
  });

  it('a probe that fails is no strike: it lengthens the pause', () => {
    const { latchkey, clock } = make({ probe: { afterMs: 1_000 } });
    latchkey.capture('S', apiKey('key'));
    clock.advance(60_000);
    leaseOf(latchkey).settle(401);
    const first = (latchkey.status('S').next as number) - clock.now();
    clock.advance(first);
    leaseOf(latchkey).settle(401);
    expect(latchkey.canRun('S')).toBe(false);
    expect((latchkey.status('S').next as number) - clock.now()).toBeGreaterThanOrEqual(2_000);
  });

  it('what is remembered of a thousand outcomes is bounded', () => {
    const { latchkey } = proven({ strikes: { rejections: 100, of: 100, withinMs: 3_600_000, provenMs: 3_600_000 } });
    for (let i = 0; i < 10; i++) {
      for (let j = 0; j < 99; j++) leaseOf(latchkey).settle(401);
      expect(latchkey.canRun('S')).toBe(true);
      leaseOf(latchkey).settle(200);
    }
    for (let j = 0; j < 100; j++) leaseOf(latchkey).settle(401);
    expect(latchkey.canRun('S')).toBe(false);
  });
});

describe('strikes: a credential that is very young', () => {
  it('the first rejection does not count, the second does', () => {
    const { latchkey } = make();
    latchkey.capture('S', A);
    leaseOf(latchkey).settle(401);
    expect(latchkey.canRun('S')).toBe(true);
    leaseOf(latchkey).settle(401);
    expect(latchkey.canRun('S')).toBe(false);
  });

  it.each<[string, (latchkey: Latchkey) => void]>([
    ['a capture', (latchkey) => void latchkey.capture('S', A)],
    ['a pin', (latchkey) => void latchkey.pin({}, A)],
  ])('from %s on, and not after 5 s', (_, begin) => {
    for (const [ms, usable] of [[4_999, true] as const, [5_000, false] as const]) {
      const { latchkey, clock } = make();
      begin(latchkey);
      clock.advance(ms);
      leaseOf(latchkey).settle(401);
      expect(latchkey.canRun('S')).toBe(usable);
    }
  });

  it('presented again it is no younger', () => {
    const { latchkey, clock } = make();
    latchkey.capture('S', A);
    clock.advance(5_000);
    latchkey.capture('S', A);
    latchkey.capture('T', A);
    leaseOf(latchkey).settle(401);
    expect(latchkey.canRun('S')).toBe(false);
  });
});
