import { bearerTokenAuthenticationPolicy, createEmptyPipeline, createHttpHeaders, createPipelineRequest } from '@azure/core-rest-pipeline';
import { tokenIn } from './token-endpoint.mjs';

// Its upstreams say with this challenge that a token was revoked (continuous access evaluation).
const CLAIMS = btoa('{"access_token":{"nbf":{"essential":true}}}');
const CHALLENGE = { 'www-authenticate': `Bearer error="insufficient_claims", claims="${CLAIMS}"` };
const HOUR_MS = 3_600_000;

/** @type {import('../scenarios/peer.js').Peer} */
export const peer = {
  refreshes: true,
  serves: 'session',
  open: (served) => served.map(clientOf),
};

/** @param {import('../scenarios/peer.js').PeerParts} parts */
function clientOf({ send, refresh }) {
  /** @type {import('@azure/core-rest-pipeline').HttpClient} */
  const httpClient = {
    async sendRequest(request) {
      const { status } = await send(tokenIn(request.headers));
      return { request, status, headers: createHttpHeaders(status === 401 ? CHALLENGE : {}) };
    },
  };
  let pipeline = createEmptyPipeline();
  return {
    /** @param {string} token */
    present(token) {
      pipeline = createEmptyPipeline();
      pipeline.addPolicy(
        bearerTokenAuthenticationPolicy({ scopes: 'https://upstream.test/.default', credential: credentialOf(token, refresh) }),
      );
    },
    async work() {
      const { status } = await pipeline.sendRequest(httpClient, createPipelineRequest({ url: 'https://upstream.test/work' }));
      if (status >= 400) throw new Error(`answered ${status}`);
    },
  };
}

/**
 * Gives the token that it was made with, and another one once that was challenged.
 *
 * @param {string} token
 * @param {() => Promise<string>} refresh
 * @returns {import('@azure/core-auth').TokenCredential}
 */
function credentialOf(token, refresh) {
  return {
    async getToken(_scopes, options) {
      return { token: options?.claims === undefined ? token : await refresh(), expiresOnTimestamp: Date.now() + HOUR_MS };
    },
  };
}
