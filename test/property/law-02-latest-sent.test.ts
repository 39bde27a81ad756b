import fc from 'fast-check';
import { expect, it } from 'vitest';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { manualClock } from '../support/clock.js';
import { CHECKED, LONG_MS } from './runs.js';

// L2: An identity's verdict is that of the latest-SENT call that had an outcome: every lease and capture takes a sequence number when it is
// made; the outcome of an older-sent one is counted and changes nothing; a tie is rejected. So a slow 200 does not revive a dead token, a
// slow 401 does not kill a proven one, and no outcome of A ever touches B.

const A = bearer('token-a');
const B = bearer('token-b');
const SCOPES = [
  { session: 'a1', provider: 'p' },
  { session: 'a2', provider: 'p' },
  { session: 'a2', provider: 'p', purpose: 'x' },
  { session: 'b', provider: 'p' },
] as const;

type Kind = 'accepted' | 'rejected' | 'refused' | 'held';
const OUTCOMES: Record<Kind, unknown> = { accepted: 200, rejected: 401, refused: 403, held: { holdMs: 1_000 } };

const anyCall = fc.record({
  scope: fc.nat({ max: SCOPES.length - 1 }),
  presented: fc.boolean(),
  // One call may have more than one outcome: a stream that begins well and ends badly.
  outcomes: fc.array(fc.constantFrom<Kind>('accepted', 'rejected', 'refused', 'held'), { minLength: 0, maxLength: 2 }),
});
type Call = typeof anyCall extends fc.Arbitrary<infer T> ? T : never;

const anyCalls = fc.array(anyCall, { minLength: 2, maxLength: 8 }).chain((calls) => {
  const arrivals = calls.flatMap(({ outcomes }, call) => outcomes.map((kind) => ({ call, kind })));
  const anyOrder = fc.shuffledSubarray(arrivals, { minLength: arrivals.length });
  return fc.record({ calls: fc.constant(calls), one: anyOrder, other: anyOrder });
});

/** All calls are sent before the first has an outcome; these arrive in the order given. */
function play(calls: readonly Call[], order: readonly { call: number; kind: Kind }[]): Latchkey {
  const latchkey = createLatchkey({ clock: manualClock(), canary: 'off', limits: { sessions: 8, identities: 8 } });
  for (const { session, provider } of SCOPES) latchkey.capture({ session, provider }, session === 'b' ? B : A);
  const sent = calls.map(({ scope: index, presented }) => {
    const scope = SCOPES[index] as (typeof SCOPES)[number];
    if (presented) return latchkey.capture(scope, scope.session === 'b' ? B : A);
    const resolution = latchkey.resolve(scope);
    if (!resolution.ok) throw new Error('nothing has been rejected yet');
    return resolution.lease;
  });
  for (const { call, kind } of order) sent[call]?.settle(OUTCOMES[kind]);
  return latchkey;
}

const WORSE: Record<Kind, number> = { accepted: 0, refused: 1, held: 2, rejected: 3 };

/** The worst outcome of the last call that had one of these kinds. */
function last(calls: readonly Call[], kinds: readonly Kind[], concerned: (call: Call) => boolean): Kind | undefined {
  for (const call of calls.toReversed()) {
    const said = concerned(call) ? call.outcomes.filter((kind) => kinds.includes(kind)).sort((a, b) => WORSE[b] - WORSE[a]) : [];
    if (said[0] !== undefined) return said[0];
  }
  return undefined;
}

function expected(calls: readonly Call[], index: number): string {
  const { session } = SCOPES[index] as (typeof SCOPES)[number];
  const isB = session === 'b';
  const everywhere = last(calls, ['accepted', 'rejected', 'held'], ({ scope }) => (scope === 3) === isB);
  if (everywhere === 'rejected') return 'rejected';
  // A client's own 403 says nothing; the one that a worker met says something about its scope.
  const own = calls.map((call) => (call.presented ? { ...call, outcomes: call.outcomes.filter((kind) => kind !== 'refused') } : call));
  if (last(own, ['accepted', 'refused'], ({ scope }) => scope === index) === 'refused') return 'rejected';
  return everywhere === 'held' ? 'held' : 'usable';
}

function standing(latchkey: Latchkey, index: number): string {
  const scope = SCOPES[index] as (typeof SCOPES)[number];
  const own = latchkey.explain(scope).candidates.find(({ source }) => source === 'session');
  return own?.usable ? 'usable' : (own?.reason ?? 'missing');
}

it('L2: the same outcomes give the same verdict in whatever order they arrive: that of the call sent last', { timeout: LONG_MS }, () => {
  fc.assert(
    fc.property(anyCalls, ({ calls, one, other }) => {
      const first = play(calls, one);
      const second = play(calls, other);
      const wanted = SCOPES.map((_, index) => expected(calls, index));
      expect(SCOPES.map((_, index) => standing(first, index))).toEqual(wanted);
      expect(SCOPES.map((_, index) => standing(second, index))).toEqual(wanted);
      expect(verdicts(second)).toEqual(verdicts(first));
    }),
    CHECKED,
  );
});

function verdicts(latchkey: Latchkey): unknown {
  const { verdicts: all } = latchkey.snapshot();
  const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  return all.map(({ scopes, ...verdict }) => ({ ...verdict, scopes: [...scopes].sort(byText) })).sort(byText);
}

it('L2: an older outcome is counted as late, and no outcome of A touches B', { timeout: LONG_MS }, () => {
  fc.assert(
    fc.property(anyCalls, ({ calls, one }) => {
      const ofA = one.filter(({ call }) => calls[call]?.scope !== 3);
      const latchkey = play(calls, ofA);
      expect(standing(latchkey, 3)).toBe('usable');
      expect(latchkey.snapshot().verdicts.map(({ fingerprint }) => fingerprint)).not.toContain(B.fingerprint);
      const counted = ofA.filter(({ call, kind }) => kind !== 'refused' || !calls[call]?.presented);
      const { accepted, rejected, held } = latchkey.stats();
      expect(accepted + rejected + held).toBe(counted.length);
    }),
    CHECKED,
  );
});

it('L2: a token that was forgiven is judged by calls sent since', { timeout: LONG_MS }, () => {
  fc.assert(
    fc.property(anyCalls, fc.nat({ max: 16 }), ({ calls, one }, when) => {
      const judged = one.filter(({ call }) => calls[call]?.scope !== 3);
      fc.pre(judged.length > 0);
      const before = Math.max(1, Math.min(when, judged.length));
      const latchkey = createLatchkey({ clock: manualClock(), canary: 'off', limits: { sessions: 8, identities: 8 } });
      for (const { session, provider } of SCOPES) latchkey.capture({ session, provider }, A);
      const leases = calls.map(({ scope }) => {
        const resolution = latchkey.resolve(SCOPES[scope] as (typeof SCOPES)[number]);
        return resolution.ok ? resolution.lease : undefined;
      });
      for (const [step, { call, kind }] of judged.entries()) {
        if (step === before) latchkey.forgive(A.fingerprint);
        leases[call]?.settle(OUTCOMES[kind]);
      }
      if (judged.length === before) latchkey.forgive(A.fingerprint);
      for (const scope of SCOPES) expect(latchkey.canRun(scope)).toBe(true);
      const late = latchkey.resolve(SCOPES[0]);
      if (late.ok) late.lease.settle(401);
      for (const scope of SCOPES) expect(latchkey.canRun(scope)).toBe(false);
    }),
    CHECKED,
  );
});
