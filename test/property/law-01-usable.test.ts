import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createLatchkey } from '../../src/index.js';
import { manualClock } from '../support/clock.js';
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
