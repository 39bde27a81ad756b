import { OAuth2Client, OAuth2Fetch } from '@badgateway/oauth2-client';
import { fetchFrom } from './token-endpoint.mjs';

const TOKEN_URL = 'https://oauth2.test/token';

/** @type {import('../scenarios/peer.js').Peer} */
export const peer = {
  refreshes: true,
  serves: 'session',
  open: (served) => served.map(clientOf),
};

/** @param {import('../scenarios/peer.js').PeerParts} parts */
function clientOf(parts) {
  const fetch = fetchFrom(parts, TOKEN_URL);
  const client = new OAuth2Client({ server: 'https://oauth2.test/', clientId: 'gateway', tokenEndpoint: TOKEN_URL, fetch });
  /** @type {ReturnType<OAuth2Fetch['mw']>} */
  let middleware;
  return {
    /** @param {string} token */
    present(token) {
      const wrapper = new OAuth2Fetch({
        client,
        getStoredToken: () => ({ accessToken: token, refreshToken: 'refresh-token', expiresAt: Date.now() + 3_600_000 }),
        // Only a user could sign in again.
        getNewToken: () => null,
      });
      middleware = wrapper.mw();
    },
    async work() {
      const response = await middleware(new Request('https://upstream.test/work'), fetch);
      if (!response.ok) throw new Error(`answered ${response.status}`);
    },
  };
}
