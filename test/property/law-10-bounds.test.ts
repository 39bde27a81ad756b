import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Lease } from '../../src/index.js';
import { freezeTime, manualClock, settled } from '../support/clock.js';
import { pick } from './operations.js';
import { CHECKED, LONG_MS } from './runs.js';

// L10: Memory is bounded whatever the traffic. The verdict of an identity that a slot holds lives as long as the slot does; only unreferenced
// tombstones are subject to `limits.identities`. A late result resurrects nothing that was evicted.

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const LIMITS = { sessions: 3, identities: 4, parked: 3 };
const MOST_PROVIDERS = 64;

const anyTraffic = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('capture' as const),
      session: fc.nat({ max: 9 }),
      provider: fc.nat({ max: 2 }),
      token: fc.nat({ max: 30 }),
      // Many tenants come and go too.
      tenant: fc.option(fc.nat({ max: 5 }), { nil: undefined }),
      provisional: fc.boolean(),
      status: fc.constantFrom(undefined, 200, 401, 401, 402),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('work' as const),
      session: fc.nat({ max: 9 }),
      provider: fc.nat({ max: 2 }),
      purpose: fc.nat({ max: 20 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('late' as const), which: fc.nat({ max: 20 }), status: fc.constantFrom(200, 401, 403) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('park' as const), session: fc.nat({ max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('evict' as const), session: fc.nat({ max: 9 }) }) },
);

it('L10: nothing grows past its limit', { timeout: LONG_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyTraffic, { minLength: 10, maxLength: 80, size: 'max' }), async (traffic) => {
      const latchkey = createLatchkey({ canary: 'off', limits: LIMITS });
      const leases: Lease[] = [];
      const captures: { settle(status: number): unknown; commit(): void }[] = [];
      for (const step of traffic) {
        if (step.do === 'capture') {
          const scope = {
            session: `s${step.session}`,
            provider: `p${step.provider}`,
            ...(step.tenant === undefined ? {} : { tenant: `t${step.tenant}` }),
          };
          const capture = latchkey.capture(scope, bearer(`token-${step.token}`), { provisional: step.provisional });
          if (step.status !== undefined) capture.settle(step.status);
          captures.push(capture);
        } else if (step.do === 'work') {
          const resolution = latchkey.resolve({ session: `s${step.session}`, provider: `p${step.provider}`, purpose: `x${step.purpose}` });
          if (resolution.ok) leases.push(resolution.lease);
        } else if (step.do === 'late') {
          pick(leases, step.which)?.settle(step.status);
          const capture = pick(captures, step.which);
          if (step.status === 200) capture?.commit();
          else capture?.settle(step.status);
        } else if (step.do === 'park') {
          latchkey.run({ session: `s${step.session}`, provider: 'nowhere' }, () => 1, { whenBlocked: 'park' }).catch(() => {});
          latchkey.whenRunnable({ session: `s${step.session}`, provider: 'nowhere' }).catch(() => {});
        } else latchkey.evict(`s${step.session}`);

        const { sessions, tombstones, identities, waiting, openIncidents } = latchkey.stats();
        expect(sessions).toBeLessThanOrEqual(LIMITS.sessions);
        expect(tombstones).toBeLessThanOrEqual(LIMITS.identities);
        expect(waiting).toBeLessThanOrEqual(LIMITS.parked);
        const { slots, verdicts, incidents } = latchkey.snapshot();
        // A session of three providers, and a global slot for each of its own.
        expect(slots.length).toBeLessThanOrEqual(LIMITS.sessions * 3 * 2);
        const inSlots = new Set(slots.map(({ scope, fingerprint }) => `${scope.provider} ${fingerprint}`));
        expect(identities).toBe(inSlots.size + tombstones);
        for (const { scopes } of verdicts) expect(scopes.length).toBeLessThanOrEqual(LIMITS.sessions + 1);
        expect(openIncidents).toBe(incidents.length);
        expect(incidents.length).toBeLessThanOrEqual(LIMITS.sessions);
      }
      for (let session = 0; session <= 9; session++) latchkey.evict(`s${session}`);
      for (let tenant = 0; tenant <= 5; tenant++) latchkey.evict({ tenant: `t${tenant}` });
      expect(latchkey.snapshot().slots).toEqual([]);
      const empty = latchkey.stats();
      expect(empty.sessions).toBe(0);
      expect(empty.identities).toBe(empty.tombstones);
      await latchkey.close({ timeoutMs: 0 });
      await settled(1);
      expect(latchkey.stats().waiting).toBe(0);
    }),
    CHECKED,
  );
});

it('L10: one session of any number of providers holds so many at the most', { timeout: LONG_MS }, () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.nat({ max: 200 }), (providers, others) => {
      const latchkey = createLatchkey({ clock: manualClock(), canary: 'off', limits: { sessions: 4, identities: 8 } });
      for (let provider = 0; provider < providers; provider++)
        latchkey.capture({ session: 's', provider: `p${provider}` }, bearer('token-a'));
      for (let provider = 0; provider < others; provider++) latchkey.capture({ provider: `p${provider}` }, bearer('token-a'));
      const { slots } = latchkey.snapshot();
      const own = slots.filter(({ slot }) => slot === 'session');
      expect(own.length).toBe(Math.min(providers, MOST_PROVIDERS));
      expect(slots.length - own.length).toBeLessThanOrEqual(2 * MOST_PROVIDERS);
      // The newest is among them.
      expect(latchkey.canRun({ session: 's', provider: `p${providers - 1}` })).toBe(true);
      expect(latchkey.stats().tombstones).toBeLessThanOrEqual(8);
    }),
    CHECKED,
  );
});

it('L10: the verdict on what a slot holds outlives any number of others', { timeout: LONG_MS }, () => {
  fc.assert(
    fc.property(
      fc.constantFrom('session', 'global', 'pin'),
      fc.constantFrom(401, 402),
      fc.array(fc.record({ token: fc.nat({ max: 40 }), status: fc.constantFrom(200, 401, 402), judge: fc.boolean() }), {
        minLength: 1,
        maxLength: 60,
        size: 'max',
      }),
      (where, status, others) => {
        const latchkey = createLatchkey({ clock: manualClock(), canary: 'off', limits: { sessions: 4, identities: 2 } });
        const ours = bearer('ours');
        const scope = where === 'session' ? { session: 'ours', provider: 'p' } : { provider: 'p' };
        if (where === 'pin') latchkey.pin(scope, ours);
        else latchkey.capture(scope, ours);
        const resolution = latchkey.resolve(scope);
        expect(resolution.ok).toBe(true);
        if (resolution.ok) resolution.lease.settle(status);
        const reason = status === 401 ? 'rejected' : 'held';
        for (const { token, status: other, judge } of others) {
          // In another tenant, so that no slot of ours is concerned; or judged without ever having one.
          const capture = latchkey.capture({ tenant: 'other', session: 'o', provider: 'p' }, bearer(`token-${token}`), {
            provisional: judge,
          });
          capture.settle(other);
          const again = latchkey.resolve(scope);
          expect(again.ok ? 'usable' : again.reason).toBe(reason);
        }
        // Presented again it is what it was.
        if (where === 'session') expect(latchkey.capture(scope, ours).usable).toBe(false);
      },
    ),
    CHECKED,
  );
});

it('L10: a late result resurrects nothing that was evicted', { timeout: LONG_MS }, () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(200, 401, 403, 402, 503), { minLength: 1, maxLength: 6 }),
      fc.boolean(),
      fc.constantFrom('session', 'tenant', 'limit'),
      fc.boolean(),
      (statuses, commitLate, how, withProof) => {
        const latchkey = createLatchkey({ clock: manualClock(), canary: 'off', limits: { sessions: 2, identities: 50 } });
        const scope = { tenant: 'u', session: 's', provider: 'p' };
        const capture = latchkey.capture(scope, bearer('ours'));
        if (withProof) capture.settle(200);
        const pending = latchkey.capture(scope, bearer('newer'), { provisional: true });
        const leases = statuses.map(() => {
          const resolution = latchkey.resolve(scope);
          return resolution.ok ? resolution.lease : undefined;
        });
        if (how === 'session') latchkey.evict({ tenant: 'u', session: 's' });
        else if (how === 'tenant') latchkey.evict({ tenant: 'u' });
        else for (const session of ['x', 'y']) latchkey.capture({ tenant: 'v', session, provider: 'p' }, bearer('others'));
        const before = latchkey.stats();
        for (const [index, status] of statuses.entries()) leases[index]?.settle(status);
        capture.settle(200);
        capture.commit();
        if (commitLate) pending.commit();
        pending.settle(200);
        const after = latchkey.stats();
        expect([after.sessions, after.identities, after.openIncidents]).toEqual([before.sessions, before.identities, 0]);
        expect(latchkey.snapshot().slots.filter(({ scope: { tenant } }) => tenant === 'u')).toEqual([]);
        expect(latchkey.canRun(scope)).toBe(false);
        const resolution = latchkey.resolve(scope);
        expect(resolution.ok ? 'usable' : resolution.reason).toBe('missing');
      },
    ),
    CHECKED,
  );
});
