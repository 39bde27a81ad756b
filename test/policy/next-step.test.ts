import { expect, it } from 'vitest';
import { nextStep } from '../../src/policy/next-step.js';

it('retries once, and only with a credential that has changed', () => {
  for (const retried of [false, true]) {
    for (const resolved of [false, true]) {
      for (const changed of [false, true]) {
        expect(nextStep({ retried, resolved, changed })).toBe(!retried && resolved && changed ? 'retry' : 'blocked');
      }
    }
  }
});
