import fc from 'fast-check';
import { expect, it } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { manualClock, settled } from '../support/clock.js';
import { Model } from './model.js';
import { Gateway, manyOperations } from './operations.js';
import { CHECKED, LONG_MS } from './runs.js';

// L1: What is not usable for a scope is never handed out for it, but for one leased probe.

it('L1: every scope gets what a model of the rules says, and nothing that it says is unusable', { timeout: LONG_MS }, () => {
  fc.assert(
    fc.property(manyOperations, fc.boolean(), (operations, lends) => {
      const clock = manualClock();
      const latchkey = createLatchkey({
        clock,
        canary: 'off',
        fallback: lends ? 'global' : 'none',
        limits: { sessions: 20, identities: 50 },
      });
      const gateway = new Gateway({ latchkey, model: new Model({ now: clock.now, lends }), advance: clock.advance });
      for (const [step, operation] of operations.entries()) {
        const difference = gateway.apply(operation) ?? gateway.compare();
        expect(difference && `step ${step}, ${operation.do}: ${difference}`).toBeUndefined();
      }
      void latchkey.close();
    }),
    CHECKED,
  );
});

const TOKENS = ['a', 'b', 'c'].map((name) => bearer(`token-${name}`));
const anyMoment = fc.record({
  do: fc.constantFrom('capture', 'capture', 'run', 'run', 'reject', 'accept'),
  token: fc.nat({ max: TOKENS.length - 1 }),
  session: fc.constantFrom('s', 't'),
  reply: fc.constantFrom('never' as const, 404, 503),
  /** Microtasks until the next thing happens: too few for a run to get all the way to its attempt. */
  ticks: fc.nat({ max: 7 }),
});

it('L1: a rejection that comes while a run is on its way to its attempt still stops it', { timeout: LONG_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyMoment, { minLength: 4, maxLength: 24, size: 'max' }),
      fc.constantFrom('off', 'doubtful'),
      async (moments, canary) => {
        const latchkey = createLatchkey({ clock: manualClock(), canary, limits: { sessions: 10, identities: 10, parked: 30 } });
        const model = new Model({ now: () => 0 });
        const objections: string[] = [];
        const present = (session: string, token: number) => {
          const scope = { session, provider: 'p' };
          const credential = TOKENS[token] as (typeof TOKENS)[number];
          const modelled = model.arrive(scope, credential);
          model.install(modelled);
          return { modelled, real: latchkey.capture(scope, credential) };
        };
        for (const { do: what, token, session, reply, ticks } of moments) {
          const scope = { session, provider: 'p' };
          if (what === 'capture') present(session, token);
          if (what === 'run') {
            const run = latchkey.run(
              scope,
              ({ credential }) => {
                const wanted = model.choose(scope)?.known.fingerprint;
                if (wanted !== credential.fingerprint) objections.push(`${session} sends ${credential.fingerprint}, not ${wanted}`);
                return reply === 'never' ? new Promise(() => {}) : { status: reply, headers: {} };
              },
              { whenBlocked: 'park' },
            );
            run.catch(() => {});
          }
          if (what === 'reject' || what === 'accept') {
            const { modelled, real } = present(session, token);
            if (modelled.known === undefined) throw new Error('it was installed');
            model.hear({ known: modelled.known, scope, sent: modelled.at }, what === 'reject' ? 'rejected' : 'accepted', true);
            real.settle(what === 'reject' ? 401 : 200);
          }
          for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
        }
        await settled(1);
        expect(objections).toEqual([]);
        void latchkey.close({ timeoutMs: 0 });
      },
    ),
    CHECKED,
  );
});
