import axios, { AxiosError } from 'axios';
import { createAuthRefresh } from 'axios-auth-refresh';
import { answerRefresh, tokenIn } from './token-endpoint.mjs';

const TOKEN_URL = 'https://oauth2.test/token';

/** @type {import('../scenarios/peer.js').Peer} */
export const peer = {
  refreshes: true,
  serves: 'session',
  open: (served) => served.map(clientOf),
};

/** @param {import('../scenarios/peer.js').PeerParts} parts */
function clientOf(parts) {
  const adapter = adapterFor(parts);
  const api = axios.create({ adapter });
  const oauth = axios.create({ adapter });
  let held = '';
  api.interceptors.request.use((request) => {
    request.headers.set('Authorization', `Bearer ${held}`);
    return request;
  });
  createAuthRefresh(api, async (failed) => {
    const { data } = await oauth.post(TOKEN_URL, new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'refresh-token' }));
    held = data.access_token;
    failed.response.config.headers['Authorization'] = `Bearer ${held}`;
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

/**
 * An adapter of its own, since the one for fetch builds a `Request` for each call, which costs more than all the rest.
 *
 * @param {import('../scenarios/peer.js').PeerParts} parts
 * @returns {import('axios').AxiosAdapter}
 */
function adapterFor({ send, refresh }) {
  return async (config) => {
    const isRefresh = config.url === TOKEN_URL;
    const answer = isRefresh ? await answerRefresh(refresh) : await send(tokenIn(config.headers));
    const { status, statusText } = answer;
    const response = { data: isRefresh ? await answer.json() : undefined, status, statusText, headers: {}, config };
    if (config.validateStatus?.(status) !== false) return response;
    throw new AxiosError(`Request failed with status code ${status}`, AxiosError.ERR_BAD_REQUEST, config, null, response);
  };
}
