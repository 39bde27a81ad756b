import { OAuth2Client } from 'google-auth-library';
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
  const client = new OAuth2Client({
    clientId: 'gateway',
    clientSecret: 'secret',
    endpoints: { oauth2TokenUrl: TOKEN_URL },
    // Without it a token that came with a lifetime would not be refreshed after a 401.
    forceRefreshOnFailure: true,
    transporterOptions: { fetchImplementation: fetchFrom(parts, TOKEN_URL) },
  });
  return {
    /** @param {string} token */
    present(token) {
      client.setCredentials({ access_token: token, refresh_token: 'refresh-token', expiry_date: Date.now() + 3_600_000 });
    },
    async work() {
      await client.request({ url: 'https://upstream.test/work' });
    },
  };
}
