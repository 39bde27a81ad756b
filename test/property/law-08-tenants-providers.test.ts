import fc from 'fast-check';
import { expect, it } from 'vitest';
import { bearer, createLatchkey, type FallbackRule, type Lease } from '../../src/index.js';
import { manualClock } from '../support/clock.js';
import { pick } from './operations.js';
import { CHECKED, LONG_MS } from './runs.js';

// L8: Never across providers, never across tenants. (A pin belongs to the gateway and serves the tenants it was pinned for.)

const TENANTS = ['one', 'two', 'o'] as const;
const PROVIDERS = ['p', 'q', 'pq'] as const;
const SESSIONS = ['s', 't', undefined] as const;

const anyWhere = fc.record({
  tenant: fc.constantFrom(...TENANTS),
  provider: fc.constantFrom(...PROVIDERS, 'P', 'Q'),
  session: fc.constantFrom(...SESSIONS),
});
const anyStep = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('capture' as const), where: anyWhere, which: fc.nat({ max: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pin' as const), where: anyWhere, which: fc.nat({ max: 2 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('lease' as const), where: anyWhere }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      which: fc.nat({ max: 5 }),
      outcome: fc.constantFrom<unknown>(200, 401, 403, { holdMs: 100 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('evict' as const), where: anyWhere }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unpin' as const), which: fc.nat({ max: 3 }) }) },
);

const fold = (provider: string): string => provider.toLowerCase();
const tagOf = (tenant: string, provider: string): string => `token-of-${tenant}-at-${fold(provider)}-`;
const where = ({ tenant, provider, session }: { tenant: string; provider: string; session: string | undefined }) =>
  session === undefined ? { tenant, provider } : { tenant, provider, session };

const RULES: Record<string, 'global' | FallbackRule> = {
  global: 'global',
  'a rule that says yes': () => true,
  'a rule that says something': (() => 'yes') as unknown as FallbackRule,
  'a rule that throws': () => {
    throw new Error('no');
  },
};

it('L8: a credential is handed out only for the tenant and the provider it was presented for', { timeout: LONG_MS }, () => {
  fc.assert(
    fc.property(
      fc.array(anyStep, { minLength: 5, maxLength: 40, size: 'max' }),
      fc.constantFrom(...Object.keys(RULES)),
      (steps, ruleName) => {
        const asked: unknown[] = [];
        const rule = RULES[ruleName] as 'global' | FallbackRule;
        const tags = new Map<string, string>();
        const fallback: 'global' | FallbackRule =
          typeof rule !== 'function'
            ? rule
            : (candidate, scope) => {
                // The rule itself is never even shown another tenant's or provider's credential.
                const own = tags.get(candidate.fingerprint) === tagOf(scope.tenant as string, scope.provider as string);
                if (!own || candidate.provider !== scope.provider) asked.push({ candidate, scope });
                return rule(candidate, scope);
              };
        const latchkey = createLatchkey({
          clock: manualClock(),
          canary: 'off',
          tenancy: 'multi',
          fallback,
          canonicalProvider: fold,
          limits: { sessions: 30, identities: 60 },
        });
        const credential = (tenant: string, provider: string, which: number) => {
          const made = bearer(`${tagOf(tenant, provider)}${which}`);
          tags.set(made.fingerprint, tagOf(tenant, provider));
          return made;
        };
        const leases: Lease[] = [];
        const unpins: (() => void)[] = [];
        for (const step of steps) {
          switch (step.do) {
            case 'capture':
              latchkey.capture(where(step.where), credential(step.where.tenant, step.where.provider, step.which));
              break;
            case 'pin':
              unpins.push(
                latchkey.pin(
                  { tenant: step.where.tenant, provider: step.where.provider },
                  credential(step.where.tenant, step.where.provider, step.which),
                ),
              );
              break;
            case 'lease': {
              const resolution = latchkey.resolve(where(step.where));
              if (resolution.ok) leases.push(resolution.lease);
              break;
            }
            case 'settle':
              pick(leases, step.which)?.settle(step.outcome);
              break;
            case 'unpin':
              pick(unpins, step.which)?.();
              break;
            case 'evict':
              latchkey.evict({ tenant: step.where.tenant, session: step.where.session });
          }
          for (const tenant of TENANTS)
            for (const provider of PROVIDERS)
              for (const session of [...SESSIONS, 'cold']) {
                const resolution = latchkey.resolve(where({ tenant, provider, session }));
                if (!resolution.ok) continue;
                expect(resolution.lease.credential.reveal().startsWith(tagOf(tenant, provider))).toBe(true);
                if (resolution.lease.source === 'global' && session !== undefined)
                  expect(['global', 'a rule that says yes']).toContain(ruleName);
              }
        }
        expect(asked).toEqual([]);
        expect(() => latchkey.resolve({ session: 's', provider: 'p' })).toThrow(TypeError);
        void latchkey.close();
      },
    ),
    CHECKED,
  );
});

const anyOutcome = fc.constantFrom<unknown>(200, 401, 403, { holdMs: 1_000 });

it('L8: what happens to the same bytes at one provider changes nothing at another', { timeout: LONG_MS }, () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({ at: fc.constantFrom('p', 'q'), session: fc.constantFrom('s', 't'), outcome: anyOutcome, capture: fc.boolean() }),
        {
          minLength: 1,
          maxLength: 20,
        },
      ),
      (steps) => {
        const same = bearer('the-same-bytes');
        const play = (providers: readonly string[]) => {
          const clock = manualClock();
          const latchkey = createLatchkey({ clock, canary: 'off', limits: { sessions: 10, identities: 20 } });
          for (const provider of providers) latchkey.capture({ session: 's', provider }, same);
          for (const { at, session, outcome, capture } of steps) {
            clock.advance(1);
            if (!providers.includes(at)) continue;
            if (capture) latchkey.capture({ session, provider: at }, same);
            const resolution = latchkey.resolve({ session, provider: at });
            if (resolution.ok) resolution.lease.settle(outcome);
          }
          return latchkey;
        };
        const both = play(['p', 'q']);
        for (const provider of ['p', 'q']) {
          const alone = play([provider]);
          for (const session of ['s', 't', 'cold']) {
            const scope = { session, provider };
            expect({ ...both.explain(scope), otherProviders: [] }).toEqual({ ...alone.explain(scope), otherProviders: [] });
          }
          void alone.close();
        }
        void both.close();
      },
    ),
    CHECKED,
  );
});
