import { isTagged, type TaggedResponse } from './tag.js';
import { parseUrl } from './url.js';

/** The upstream rejected the gateway's credential: something to show in place, the user's session stands. */
export class UpstreamAuthError extends Error {
  /** What the upstream answered, 401 or 403. */
  readonly status: number;
  /** Whose credential it is about. */
  readonly upstream: string;

  constructor(status: number, upstream: string) {
    super(`upstream auth failed: ${upstream}`);
    this.status = status;
    this.upstream = upstream;
  }
}

Object.defineProperty(UpstreamAuthError.prototype, 'name', { value: 'UpstreamAuthError', configurable: true, writable: true });

/**
 * The error for a response that the gateway has tagged (`X-Upstream-Auth-Failed: 1`, on a 401 or 403), undefined for any other. The
 * upstream is called by the path of the response's address unless it is named. Reads no body.
 */
export function upstreamAuthError(response: TaggedResponse & { readonly url?: string }, upstream?: string): UpstreamAuthError | undefined {
  const { status } = response;
  if ((status !== 401 && status !== 403) || !isTagged(response)) return undefined;
  return new UpstreamAuthError(status, upstream ?? parseUrl(response.url ?? '')?.pathname ?? 'unknown');
}
