import CircuitBreaker from 'opossum';

/** @type {import('../scenarios/peer.js').Peer} */
export const peer = {
  refreshes: false,
  serves: 'provider',
  open(served) {
    // No time limit, since none of the others has one; the rest as in its own example.
    const breaker = new CircuitBreaker(call, { timeout: false, errorThresholdPercentage: 50, resetTimeout: 30_000 });
    return served.map(({ send }) => {
      let held = '';
      return {
        /** @param {string} token */
        present(token) {
          held = token;
        },
        async work() {
          await breaker.fire(send, held);
        },
        /** @param {unknown} error */
        isRefusal: (error) => CircuitBreaker.isOurError(error),
      };
    });
  },
};

/**
 * @param {import('../scenarios/peer.js').PeerParts['send']} send
 * @param {string} token
 */
async function call(send, token) {
  const response = await send(token);
  if (!response.ok) throw new Error(`answered ${response.status}`);
}
