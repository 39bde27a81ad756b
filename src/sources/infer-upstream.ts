import type { Credential } from '../credential/credential.js';
import { redactedCopy } from '../credential/redact.js';
import { requireBoolean, requireOptions } from '../signals/checked.js';
import { printableTarget } from '../signals/printable-target.js';
import { failureCode } from './failure-code.js';
import { canonicalHost, isLoopback, urlOf } from './host.js';

const WHERE = 'inferUpstream';
const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

/** Options of `inferUpstream`. */
export interface InferUpstreamOptions {
  /** Whether TLS is provisioned: servers on other machines then speak it. Default false. */
  readonly tls?: boolean | undefined;
}

/** What `inferUpstream` makes of what was given. */
export interface InferredUpstream {
  readonly url: URL;
  /** Whether the address named no scheme. */
  readonly guessed: boolean;
  /**
   * An error to show for a connection that failed: it names the address, and the scheme if that was guessed. `code` is that of the failure; `cause` is a
   * copy of it (name, message, code, status and stack). Both are without the values of `credentials`, and of nothing else.
   */
  explainFailure(error: unknown, credentials?: readonly Credential[]): Error & { readonly code?: string };
}

/**
 * The URL of an upstream that is given as `host:port`, or as a URL, which is taken as it is. Without a scheme loopback means http, and any other host
 * https where TLS is provisioned, else http.
 * @throws {TypeError} for what is no address, another scheme, or an address with user info; it is not quoted.
 */
export function inferUpstream(address: string, options: InferUpstreamOptions = {}): InferredUpstream {
  requireOptions(WHERE, options, ['tls']);
  const { tls = false } = options;
  requireBoolean(WHERE, 'tls', tls);
  const guessed = !(typeof address === 'string' && SCHEME.test(address));
  const url = guessed ? guess(address, tls) : read(address);
  if (url === undefined) throw new TypeError(`${WHERE}: \`address\` must be host:port, or an http or https URL`);
  if (url.username !== '' || url.password !== '' || /^[^/?#]*@/.test(address.replace(SCHEME, '')))
    throw new TypeError(`${WHERE}: \`address\` must not hold user info`);

  return {
    // A copy: nobody's change is another's.
    get url() {
      return new URL(url);
    },
    guessed,
    explainFailure(error, credentials = []) {
      const code = failureCode(error, credentials);
      const scheme = url.protocol.slice(0, -1);
      const why = guessed ? `; the scheme ${scheme} was guessed: write http:// or https:// before the address to choose` : '';
      const explained = new Error(`cannot connect to ${printableTarget(url)}${code === undefined ? '' : ` (${code})`}${why}`);
      Object.defineProperty(explained, 'cause', { value: redactedCopy(error, credentials), configurable: true, writable: true });
      return code === undefined ? explained : Object.assign(explained, { code });
    },
  };
}

function guess(address: unknown, tls: boolean): URL | undefined {
  if (!isClean(address) || /^(?:https?:|\/)/i.test(address)) return undefined;
  const url = urlOf(`http://${address}`);
  if (url === undefined || isLoopback(canonicalHost(url.hostname)) || !tls) return url;
  // Parsed again: a port that is the default of one scheme is not that of the other.
  return urlOf(`https://${address}`);
}

function read(address: string): URL | undefined {
  const url = isClean(address) ? urlOf(address) : undefined;
  return url?.protocol === 'http:' || url?.protocol === 'https:' ? url : undefined;
}

/** The parser of `URL` would drop some of these, and take others for a slash. */
function isClean(address: unknown): address is string {
  return typeof address === 'string' && address !== '' && !/[\s\\\p{Cc}]/u.test(address);
}
