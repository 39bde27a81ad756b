import { drain } from '../../worker/response.js';
import { isReplayable } from './body.js';
import type { Sending } from './call.js';

export interface Followed {
  readonly response: Response;
  /** The last hop carried the credential, so its answer speaks of it. */
  readonly carried: boolean;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** The limit and the headers below are those of the Fetch standard, HTTP-redirect fetch. */
const MOST_REDIRECTS = 20;
const BODY_HEADERS = ['content-encoding', 'content-language', 'content-location', 'content-type', 'content-length'];
/** Beside the credential's own. */
const ORIGIN_BOUND_HEADERS = ['authorization', 'proxy-authorization', 'cookie', 'host'];

/**
 * Sends, and follows redirects as the Fetch standard says, but for one thing: the standard takes only `Authorization` off when a redirect leaves the
 * origin, and here the credential stays behind whatever header it is in. Once off, it is not put back on.
 */
export async function followRedirects(
  send: (sending: Sending) => Promise<Response>,
  first: Sending,
  credentialHeader: string,
): Promise<Followed> {
  let sending = first;
  let carried = true;
  for (let redirects = 0; ; redirects++) {
    const response = await send(sending);
    const location = REDIRECTS.has(response.status) ? response.headers.get('location') : null;
    if (location === null) {
      // The caller's `response.redirected` is true, as it would be had `fetch` followed by itself.
      if (redirects > 0) Object.defineProperty(response, 'redirected', { value: true, configurable: true });
      return { response, carried };
    }
    await drain(response);
    if (redirects === MOST_REDIRECTS) throw new TypeError(`fetch: more than ${MOST_REDIRECTS} redirects`);
    const url = redirectUrl(location, sending.url);
    if (url.origin !== sending.url.origin) carried = false;
    sending = redirected(sending, url, response.status, credentialHeader);
  }
}

function redirectUrl(given: string, from: URL): URL {
  // Servers write UTF-8, which HTTP hands over byte by byte (Fetch standard, location URL).
  const location = /[\x80-\xff]/.test(given) ? Buffer.from(given, 'latin1').toString() : given;
  if (!URL.canParse(location, from.href)) throw new TypeError('fetch: redirected to an invalid URL');
  const url = new URL(location, from.href);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new TypeError(`fetch: redirected to ${url.protocol}`);
  return url;
}

function redirected({ url: from, method, headers: sent, body }: Sending, url: URL, status: number, credentialHeader: string): Sending {
  const headers = new Headers(sent);
  if (url.origin !== from.origin) for (const name of [credentialHeader, ...ORIGIN_BOUND_HEADERS]) headers.delete(name);
  const becomesGet = status === 303 ? method !== 'GET' && method !== 'HEAD' : (status === 301 || status === 302) && method === 'POST';
  if (becomesGet) {
    for (const name of BODY_HEADERS) headers.delete(name);
    return { url, method: 'GET', headers, body: undefined };
  }
  if (status !== 303 && !isReplayable(body)) throw new TypeError('fetch: redirected with a body that can be sent once only');
  return { url, method, headers, body };
}
