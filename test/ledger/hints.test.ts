import { describe, expect, it } from 'vitest';
import { bearer, type Credential } from '../../src/index.js';
import { LeasedCall } from '../../src/ledger/call.js';
import type { HintSettings } from '../../src/ledger/hints.js';
import { Ledger } from '../../src/ledger/ledger.js';
import { readScope } from '../../src/ledger/scope-key.js';
import { Timekeeper } from '../../src/ledger/timekeeper.js';
import { shareOf } from '../../src/policy/expiry.js';
import { manualClock, START } from '../support/clock.js';
import { jwtUntil } from '../support/jwt.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SETTINGS: HintSettings = { jwt: true, advisoryMs: 5 * MINUTE, mandatoryMs: 5_000, jitterMs: 0 };
const SCOPE = readScope({ session: 's', provider: 'p' }, { multiTenant: false, canonicalProvider: undefined });

function make(expiry: HintSettings = SETTINGS) {
  const clock = manualClock();
  const ledger = new Ledger({
    clock,
    sessions: 10,
    identities: 10,
    mayBorrow: () => true,
    onChange: () => {},
    onEvicted: () => {},
    expiry,
  });
  const timekeeper = new Timekeeper(ledger, clock, 'x-expires');
  const present = (credential: Credential, at = ledger.sequence.next()) => ledger.present(SCOPE, credential, at, () => {}).identity;
  const lease = (sentAt = clock.now()): LeasedCall => {
    const choice = ledger.choose(SCOPE);
    if (choice === undefined) throw new Error('blocked');
    return new LeasedCall(choice, SCOPE, ledger.sequence.next(), sentAt);
  };
  /** The upstream answers, by a clock that is so far ahead. */
  const answer = (call: LeasedCall, aheadMs: number, headers: Record<string, string> = {}): void => {
    // One answer says nothing of a clock.
    for (let i = 0; i < 3; i++)
      timekeeper.note(call, { status: 200, headers: { Date: new Date(clock.now() + aheadMs).toUTCString(), ...headers } });
  };
  return { clock, ledger, present, lease, answer };
}

describe('when a credential ends', () => {
  it("by its own word: the windows before it, and that upstream's clock has nothing to do with it", () => {
    const { present, lease, answer } = make();
    const identity = present(bearer('token', { expiresAt: START + HOUR }));
    expect(identity).toMatchObject({ expiresAt: START + HOUR - 5_000, refreshAt: START + HOUR - 5 * MINUTE });
    answer(lease(), HOUR / 2);
    expect(identity).toMatchObject({ expiresAt: START + HOUR - 5_000, refreshAt: START + HOUR - 5 * MINUTE });
  });

  it('by its `exp`: that is by the clock of the upstream, as soon as that is known', () => {
    const { present, lease, answer } = make();
    const identity = present(bearer(jwtUntil(START + HOUR)));
    expect(identity.expiresAt).toBe(START + HOUR - 5_000);
    // The upstream is half an hour ahead: what ends in an hour by it ends half an hour sooner by us.
    answer(lease(), HOUR / 2);
    expect(identity.expiresAt).toBeLessThanOrEqual(START + HOUR / 2 - 4_000);
    expect(identity.expiresAt).toBeGreaterThanOrEqual(START + HOUR / 2 - 6_000);
  });

  it("another provider's clock is another's", () => {
    const { ledger, clock, present, lease, answer } = make();
    const identity = present(bearer(jwtUntil(START + HOUR)));
    const elsewhere = readScope({ session: 's', provider: 'q' }, { multiTenant: false, canonicalProvider: undefined });
    const other = ledger.present(elsewhere, bearer(jwtUntil(START + HOUR)), ledger.sequence.next(), () => {}).identity;
    answer(lease(), HOUR / 2);
    expect(identity.expiresAt).toBeLessThan(START + HOUR / 2);
    expect(other.expiresAt).toBe(START + HOUR - 5_000);
    expect(clock.now()).toBe(START);
  });

  it('a token that would seem to be dead by our clock, which is wrong, lives by its own', () => {
    const { clock, present, lease, answer } = make();
    present(bearer('opaque'));
    // Ours is 2 hours ahead of everybody's.
    answer(lease(), -2 * HOUR);
    const identity = present(bearer(jwtUntil(clock.now() - HOUR)));
    expect(identity.expiresAt).toBeGreaterThan(clock.now() + HOUR - 10_000);
  });

  it('what a cache kept, and what says no time, teaches nothing of it', () => {
    const { present, lease, answer } = make();
    const identity = present(bearer(jwtUntil(START + HOUR)));
    answer(lease(), -HOUR, { Age: '3600' });
    answer(lease(), 0, { Date: 'yesterday' });
    answer(lease(), 0, { Date: '' });
    expect(identity.expiresAt).toBe(START + HOUR - 5_000);
  });

  it('a newer presentation says better, one that is committed late does not, and one that says nothing changes nothing', () => {
    const { ledger, present } = make();
    const early = ledger.sequence.next();
    const identity = present(bearer('token', { expiresAt: START + HOUR }));
    present(bearer('token', { expiresAt: START + MINUTE }), early);
    present(bearer('token'));
    expect(identity.expiresAt).toBe(START + HOUR - 5_000);
    present(bearer('token', { expiresAt: START + 2 * HOUR }));
    expect(identity.expiresAt).toBe(START + 2 * HOUR - 5_000);
  });

  it('an acceptance of what was sent after it voids it, of what was sent before does not; what says otherwise later counts again', () => {
    const { clock, ledger, present, lease } = make();
    const identity = present(bearer(jwtUntil(START + MINUTE)));
    const accept = (call: LeasedCall): void => void ledger.judge(call, { kind: 'accepted' }, 200, clock.now());
    const calls = [lease(), lease(START + MINUTE - 1), lease(START + MINUTE)] as const;
    clock.advance(MINUTE);
    accept(calls[0]);
    // Sent when it was given up, and not over yet: the answer took long.
    accept(calls[1]);
    expect(identity.expiresAt).toBeLessThan(clock.now());
    accept(calls[2]);
    expect(identity).toMatchObject({ expiresAt: undefined, refreshAt: undefined });
    present(bearer(jwtUntil(START + MINUTE)));
    expect(identity.expiresAt).toBeUndefined();
    present(bearer(jwtUntil(START + MINUTE), { expiresAt: clock.now() + HOUR }));
    expect(identity.expiresAt).toBe(clock.now() + HOUR - 5_000);
  });
});

describe('what answers say of it', () => {
  it.each<[string, (now: number) => string, number]>([
    ['seconds from now, by our own clock', () => '3600', START + HOUR],
    ['seconds, by the upstream', (now) => String((now + HOUR + HOUR / 2) / 1_000), START + HOUR],
    ['milliseconds, by the upstream', (now) => String(now + HOUR + HOUR / 2), START + HOUR],
    ['an HTTP date, by the upstream', (now) => new Date(now + HOUR + HOUR / 2).toUTCString(), START + HOUR],
    ['an ISO date, by the upstream', (now) => new Date(now + HOUR + HOUR / 2).toISOString(), START + HOUR],
  ])('%s', (_, header, end) => {
    const { present, lease, answer } = make();
    const identity = present(bearer('opaque'));
    answer(lease(), HOUR / 2, { 'X-Expires': header(START) });
    expect(Math.abs((identity.expiresAt as number) - (end - 5_000))).toBeLessThanOrEqual(1_000);
  });

  it('is of the credential that it was got with, and older than what was presented since', () => {
    const { present, lease, answer } = make();
    const old = present(bearer('old'));
    const call = lease();
    present(bearer('old', { expiresAt: START + 2 * HOUR }));
    const young = present(bearer('young'));
    answer(call, 0, { 'x-expires': '60' });
    expect(old.expiresAt).toBe(START + 2 * HOUR - 5_000);
    expect(young.expiresAt).toBeUndefined();
    answer(lease(), 0, { 'x-expires': '3600' });
    expect(young.expiresAt).toBe(START + HOUR - 5_000);
  });

  it('said again at every answer, it does not put off the windows', () => {
    const { clock, present, lease, answer } = make();
    const identity = present(bearer('opaque'));
    for (; clock.now() < START + HOUR + 9 * MINUTE; clock.advance(MINUTE / 2)) {
      answer(lease(), 0, { 'x-expires': String((START + HOUR + 10 * MINUTE) / 1_000) });
      expect(identity.refreshAt).toBe(START + HOUR + 5 * MINUTE);
      expect(identity.expiresAt).toBe(START + HOUR + 10 * MINUTE - 5_000);
    }
  });

  it.each(['soon', '', '-5', '1e400', 'null', '3600, 3600'])('nothing, where it is %j', (header) => {
    const { present, lease, answer } = make();
    const identity = present(bearer('opaque'));
    answer(lease(), 0, { 'x-expires': header });
    expect(identity.expiresAt).toBeUndefined();
  });

  it('nothing, where an answer has no headers, or only some that throw', () => {
    const { ledger, clock, present, lease } = make();
    const identity = present(bearer('opaque'));
    const timekeeper = new Timekeeper(ledger, clock, 'x-expires');
    const hostile = {
      get headers(): never {
        throw new Error('no');
      },
    };
    for (const answer of [undefined, null, 200, 'ok', {}, { headers: 7 }, { headers: { 'x-expires': {} } }, hostile, new Error('no')])
      timekeeper.note(lease(), answer);
    expect(identity.expiresAt).toBeUndefined();
  });
});

describe('the windows', () => {
  it('begin at a moment of its own for each credential, within the jitter', () => {
    const { present } = make({ ...SETTINGS, jitterMs: 2 * MINUTE });
    const moments = Array.from({ length: 20 }, (_, i) => {
      const credential = bearer(`token-${i}`, { expiresAt: START + HOUR });
      const { refreshAt } = present(credential);
      expect(refreshAt).toBeCloseTo(START + HOUR - 5 * MINUTE + 2 * MINUTE * shareOf(credential.fingerprint), -1);
      return refreshAt;
    });
    expect(new Set(moments).size).toBe(20);
  });

  it('of a token that lasts for half a minute are short, and it is not due as soon as it comes', () => {
    const { present } = make();
    expect(present(bearer('short', { expiresAt: START + 30_000 }))).toMatchObject({
      expiresAt: START + 27_000,
      refreshAt: START + 15_000,
    });
  });

  it('there are none without the option: it counts to the millisecond', () => {
    const ledger = new Ledger({
      clock: manualClock(),
      sessions: 10,
      identities: 10,
      mayBorrow: () => true,
      onChange: () => {},
      onEvicted: () => {},
    });
    const { identity } = ledger.present(SCOPE, bearer('token', { expiresAt: START + HOUR }), ledger.sequence.next(), () => {});
    expect(identity).toMatchObject({ expiresAt: START + HOUR, refreshAt: START + HOUR });
  });

  it('of what a refresh brought: how long it lasted then is remembered, whatever is said of it since', () => {
    const { ledger, present, lease, answer } = make();
    const old = present(bearer('old'));
    const given = { tenant: undefined, credential: bearer('new', { expiresAt: START + HOUR }), at: ledger.sequence.next() };
    const brought = ledger.succeed(old, given, () => {});
    expect(brought?.hinted?.freshMs).toBe(HOUR);
    answer(lease(), 0, { 'x-expires': '1800' });
    expect(brought?.expiresAt).toBe(START + HOUR / 2 - 5_000);
    expect(brought?.hinted?.freshMs).toBe(HOUR);
  });
});
