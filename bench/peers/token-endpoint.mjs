/**
 * What a provider's token endpoint answers to a refresh (RFC 6749, sections 5.1 and 5.2).
 *
 * @param {() => Promise<string>} refresh
 * @returns {Promise<Response>}
 */
export async function answerRefresh(refresh) {
  try {
    const token = await refresh();
    return Response.json({ access_token: token, token_type: 'Bearer', expires_in: 3_600, refresh_token: 'refresh-token' });
  } catch {
    return Response.json({ error: 'invalid_grant' }, { status: 400 });
  }
}

/**
 * The token that a request carries.
 *
 * @param {{ get(name: string): string | null | undefined }} headers
 */
export function tokenIn(headers) {
  return String(headers.get('authorization')).replace(/^Bearer /, '');
}

/**
 * The upstream and its token endpoint, as a peer's `fetch` meets them.
 *
 * @param {import('../scenarios/peer.js').PeerParts} parts
 * @param {string} tokenUrl
 * @returns {(input: string | URL | Request, init?: RequestInit) => Promise<Response>}
 */
export function fetchFrom({ send, refresh }, tokenUrl) {
  return (input, init) => {
    if ((input instanceof Request ? input.url : String(input)) === tokenUrl) return answerRefresh(refresh);
    return send(tokenIn(init?.headers === undefined && input instanceof Request ? input.headers : new Headers(init?.headers)));
  };
}
