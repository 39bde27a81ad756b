import { BrokenCircuitError, ConsecutiveBreaker, circuitBreaker, handleAll } from 'cockatiel';

/** @type {import('../scenarios/peer.js').Peer} */
export const peer = {
  refreshes: false,
  serves: 'provider',
  open(served) {
    const breaker = circuitBreaker(handleAll, { halfOpenAfter: 10_000, breaker: new ConsecutiveBreaker(5) });
    return served.map(({ send }) => {
      let held = '';
      return {
        /** @param {string} token */
        present(token) {
          held = token;
        },
        async work() {
          await breaker.execute(async () => {
            const response = await send(held);
            if (!response.ok) throw new Error(`answered ${response.status}`);
          });
        },
        /** @param {unknown} error */
        isRefusal: (error) => error instanceof BrokenCircuitError,
      };
    });
  },
};
