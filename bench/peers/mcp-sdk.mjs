import { withOAuth } from '@modelcontextprotocol/sdk/client/middleware.js';
import { answerRefresh, tokenIn } from './token-endpoint.mjs';

const UPSTREAM = 'https://upstream.test';
const ISSUER = 'https://oauth2.test/';
const TOKEN_URL = `${ISSUER}token`;

/**
 * What its discovery asks for (RFC 9728, RFC 8414); everything else is not there.
 *
 * @type {Readonly<Record<string, object>>}
 */
const METADATA = {
  [`${UPSTREAM}/.well-known/oauth-protected-resource`]: { resource: UPSTREAM, authorization_servers: [ISSUER] },
  [`${ISSUER}.well-known/oauth-authorization-server`]: {
    issuer: ISSUER,
    authorization_endpoint: `${ISSUER}authorize`,
    token_endpoint: TOKEN_URL,
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
  },
};

/** @type {import('../scenarios/peer.js').Peer} */
export const peer = {
  refreshes: true,
  serves: 'session',
  open: (served) => served.map(clientOf),
};

/** @param {import('../scenarios/peer.js').PeerParts} parts */
function clientOf({ send, refresh }) {
  const provider = providerOf();
  const fetch = withOAuth(
    provider,
    UPSTREAM,
  )(async (input, init) => {
    const url = String(input);
    if (url === `${UPSTREAM}/work`) return send(tokenIn(new Headers(init?.headers)));
    if (url === TOKEN_URL) return answerRefresh(refresh);
    const metadata = METADATA[url];
    return metadata === undefined ? new Response(null, { status: 404 }) : Response.json(metadata);
  });
  return {
    /** @param {string} token */
    present(token) {
      provider.saveTokens({ access_token: token, token_type: 'Bearer', refresh_token: 'refresh-token', issuer: ISSUER });
    },
    async work() {
      const response = await fetch(`${UPSTREAM}/work`);
      if (!response.ok) throw new Error(`answered ${response.status}`);
    },
  };
}

/** A provider that keeps everything it is given, in memory. */
function providerOf() {
  /** @type {{ client: any, tokens?: any, verifier?: any, discovery?: any }} */
  const kept = { client: { client_id: 'gateway', issuer: ISSUER } };
  return {
    redirectUrl: 'https://gateway.test/callback',
    clientMetadata: { client_name: 'gateway', redirect_uris: ['https://gateway.test/callback'] },
    clientInformation: () => kept.client,
    tokens: () => kept.tokens,
    /** @param {object} tokens */
    saveTokens(tokens) {
      kept.tokens = tokens;
    },
    redirectToAuthorization() {},
    /** @param {string} verifier */
    saveCodeVerifier(verifier) {
      kept.verifier = verifier;
    },
    codeVerifier: () => kept.verifier,
    discoveryState: () => kept.discovery,
    /** @param {object} state */
    saveDiscoveryState(state) {
      kept.discovery = state;
    },
  };
}
