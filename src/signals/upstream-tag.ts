import { isPromiseLike } from '../promise-like.js';
import { requireOptions } from './checked.js';
import { HeaderFields, type HeaderSource } from './header-fields.js';
import { printableTarget } from './printable-target.js';

/** `1` on a response whose upstream rejected the gateway's credential: the reader's own session is fine. */
export const UPSTREAM_AUTH_FAILED = 'X-Upstream-Auth-Failed';
/** `1` on a 403 of the gateway's own that a fresh login would mend. */
export const REAUTH_REQUIRED = 'X-Reauth-Required';

/** What is told of an upstream that answered 401 or 403; no value of any header. */
export interface UpstreamAuthFailure {
  readonly level: 'info';
  readonly status: number;
  /** Without query, fragment and user info; undefined if it was not given. */
  readonly target: string | undefined;
  readonly credentialAttached: 'yes' | 'no';
}

export interface TagOptions {
  /** Where the request went, for `log`. */
  readonly target?: string | URL | undefined;
  /** Whether the gateway sent a credential along, for `log`. Default false. */
  readonly credentialAttached?: boolean | undefined;
  /** Hears of every stamp. What it throws is contained. */
  readonly log?: ((failure: UpstreamAuthFailure) => void) | undefined;
}

/**
 * The headers of an upstream's answer as a page of the gateway gets them: `response.writeHead(status, tagHeaders(status, answer.headers))`.
 * A tag that the upstream sent is deleted on every status. On 401 and 403 the tag is set and exposed to other origins, nothing is to be stored,
 * and what would open the browser's login dialog or touch the reader's cookies is dropped.
 * @throws {TypeError} only for an unknown option.
 */
export function tagHeaders(status: number, headers: HeaderSource, options: TagOptions = {}): Record<string, string | string[]> {
  requireOptions('tagHeaders', options, ['target', 'credentialAttached', 'log']);
  const fields = new HeaderFields(headers);
  forgetTag(fields);
  if (status === 401 || status === 403) {
    for (const name of ['WWW-Authenticate', 'Set-Cookie', 'Clear-Site-Data']) fields.delete(name);
    fields.set('Cache-Control', 'no-store');
    // `*` means no header at all to a page that sends cookies (Fetch standard, CORS protocol and credentials).
    fields.addMember('Access-Control-Expose-Headers', UPSTREAM_AUTH_FAILED);
    fields.set(UPSTREAM_AUTH_FAILED, '1');
    tell(status, options);
  }
  return fields.toRecord();
}

/** The trailers of an upstream's answer without a tag that the upstream sent: `response.addTrailers(tagTrailers(answer.trailers))`. */
export function tagTrailers(trailers: HeaderSource): Record<string, string | string[]> {
  const fields = new HeaderFields(trailers);
  fields.delete(UPSTREAM_AUTH_FAILED);
  return fields.toRecord();
}

/**
 * `tagHeaders` for an answer that `fetch` gave: status and body are passed on, the body unread. The headers of an encoding that `fetch` has
 * undone are left out.
 */
export function tagResponse(response: Response, options: TagOptions = {}): Response {
  // A network error's response has no status that could be passed on.
  if (response.status === 0) return response;
  const headers = new Headers();
  for (const [name, value] of Object.entries(tagHeaders(response.status, response.headers, options))) {
    for (const one of [value].flat()) headers.append(name, one);
  }
  // Only what came over the network has a URL.
  if (response.url !== '' && headers.has('content-encoding')) {
    headers.delete('content-encoding');
    headers.delete('content-length');
  }
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

function forgetTag(fields: HeaderFields): void {
  fields.delete(UPSTREAM_AUTH_FAILED);
  fields.deleteMember('Trailer', UPSTREAM_AUTH_FAILED);
  // Named there, the tag would be taken off by the next proxy (RFC 9110, section 7.6.1).
  fields.deleteMember('Connection', UPSTREAM_AUTH_FAILED);
}

function tell(status: number, { target, credentialAttached, log }: TagOptions): void {
  try {
    const told: unknown = log?.({
      level: 'info',
      status,
      target: target === undefined ? undefined : printableTarget(target),
      credentialAttached: credentialAttached === true ? 'yes' : 'no',
    });
    if (isPromiseLike(told)) told.then(undefined, () => {});
  } catch {
    // A log that fails must not disturb the response.
  }
}
