import ky from 'ky';
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
  const oauth = ky.create({ fetch });
  let held = '';
  const api = ky.create({
    fetch,
    hooks: {
      beforeRequest: [
        (request, _options, { retryCount }) => {
          if (retryCount === 0) request.headers.set('Authorization', `Bearer ${held}`);
        },
      ],
      afterResponse: [
        async (request, _options, response, { retryCount }) => {
          if (response.status !== 401 || retryCount > 0) return undefined;
          /** @type {{ access_token: string }} */
          const { access_token: token } = await oauth.post(TOKEN_URL).json();
          held = token;
          const headers = new Headers(request.headers);
          headers.set('Authorization', `Bearer ${token}`);
          return ky.retry({ request: new Request(request, { headers }), code: 'TOKEN_REFRESHED' });
        },
      ],
    },
  });
  return {
    /** @param {string} token */
    present(token) {
      held = token;
    },
    async work() {
      await api.get('https://upstream.test/work');
    },
  };
}
