import { memoize } from '@smithy/core/config';
import { ConsecutiveBreaker, circuitBreaker, ExponentialBackoff, handleAll, retry, wrap } from 'cockatiel';
import CircuitBreaker from 'opossum';
import pRetry from 'p-retry';
import { importBuilt } from '../support/built.js';
import type { Passes } from './passes.js';

const CALLS = 20_000;

/** The work: an async function that resolves at once. */
const attempt = async (): Promise<number> => 1;

/** Each used as its documentation says, one call after another. */
export const PEERS: Readonly<Record<string, () => Promise<Passes>>> = {
  bare: async () => ({
    calls: CALLS,
    async pass() {
      for (let call = 0; call < CALLS; call++) await attempt();
    },
  }),

  'latchkey.run': async () => {
    const { createLatchkey, bearer } = await importBuilt();
    const latchkey = createLatchkey();
    latchkey.capture('session', bearer('sk-bench'));
    return {
      calls: CALLS,
      async pass() {
        for (let call = 0; call < CALLS; call++) await latchkey.run('session', attempt);
      },
    };
  },

  'latchkey.skip': async () => {
    const { createLatchkey, bearer } = await importBuilt();
    const latchkey = createLatchkey();
    latchkey.capture('session', bearer('sk-bench')).settle(401);
    const options = { whenBlocked: 'skip' } as const;
    return {
      calls: CALLS,
      async pass() {
        for (let call = 0; call < CALLS; call++) {
          if ((await latchkey.run('session', attempt, options)) !== undefined) throw new Error('the scope is not blocked');
        }
      },
    };
  },

  'p-retry': async () => ({
    calls: CALLS,
    async pass() {
      for (let call = 0; call < CALLS; call++) await pRetry(attempt, { retries: 2 });
    },
  }),

  cockatiel: async () => {
    const policy = wrap(
      retry(handleAll, { maxAttempts: 2, backoff: new ExponentialBackoff() }),
      circuitBreaker(handleAll, { halfOpenAfter: 10_000, breaker: new ConsecutiveBreaker(5) }),
    );
    return {
      calls: CALLS,
      async pass() {
        for (let call = 0; call < CALLS; call++) await policy.execute(attempt);
      },
    };
  },

  opossum: async () => {
    // Without the timer that it would set for each call by default: none of the others has a time limit here.
    const breaker = new CircuitBreaker(attempt, { timeout: false, errorThresholdPercentage: 50, resetTimeout: 30_000 });
    return {
      calls: CALLS,
      async pass() {
        for (let call = 0; call < CALLS; call++) await breaker.fire();
      },
    };
  },

  smithy: async () => {
    const provider = memoize(
      async () => ({ token: 'sk-bench', expiration: new Date(Date.now() + 3_600_000) }),
      ({ expiration }) => expiration.getTime() - Date.now() < 300_000,
      ({ expiration }) => expiration !== undefined,
    );
    return {
      calls: CALLS,
      async pass() {
        for (let call = 0; call < CALLS; call++) {
          await provider();
          await attempt();
        }
      },
    };
  },
};
