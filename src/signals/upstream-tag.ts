import { isPromiseLike } from '../promise-like.js';
import { requireOptions } from './checked.js';
import { isFieldText } from './field-text.js';
import { HeaderFields, type HeaderSource } from './header-fields.js';
import { printableTarget } from './printable-target.js';

/** `1` on a response whose upstream rejected the gateway's credential: the reader's own session is fine. */
export const UPSTREAM_AUTH_FAILED = 'X-Upstream-Auth-Failed';
/** `1` on a 403 of the gateway's own that a fresh login would mend. */
export const REAUTH_REQUIRED = 'X-Reauth-Required';

/** On a stamped answer: what would ask for a password, touch the reader's session, or let a cache between keep it. */
const DROPPED = ['WWW-Authenticate', 'Set-Cookie', 'Clear-Site-Data', 'CDN-Cache-Control', 'Surrogate-Control'];

/** What is told of an upstream that answered 401 or 403; no value of any header. */
export interface UpstreamAuthFailure {
  readonly level: 'info';
  readonly status: number;
  /** Without query, fragment and user info; undefined if it was not given, or is neither a URL with a host nor a path. */
  readonly target: string | undefined;
  readonly credentialAttached: 'yes' | 'no';
}

/** Options of `tagHeaders`, `tagResponse` and `tagTrailers`. */
export interface TagOptions {
  /** The gateway's own `Set-Cookie` values, such as a refreshed session's: beside the upstream's, and on stamped answers too. Default none. */
  readonly setCookies?: readonly string[] | undefined;
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
 * by shared caches either (RFC 9111, RFC 9213), and what would open the browser's login dialog or touch the reader's cookies is dropped.
 * @throws {TypeError} only for an unknown option, or for `setCookies` that are no list of header values; they are not quoted.
 */
export function tagHeaders(status: number, headers: HeaderSource, options: TagOptions = {}): Record<string, string | string[]> {
  checkTagOptions('tagHeaders', options);
  const fields = new HeaderFields(headers);
  forgetTag(fields);
  if (status === 401 || status === 403) {
    for (const name of DROPPED) fields.delete(name);
    fields.set('Cache-Control', 'no-store');
    // `*` means no header at all to a page that sends cookies (Fetch standard, CORS protocol and credentials).
    fields.addMember('Access-Control-Expose-Headers', UPSTREAM_AUTH_FAILED);
    fields.set(UPSTREAM_AUTH_FAILED, '1');
    keepFromNextProxy(fields, 'Cache-Control', 'Access-Control-Expose-Headers');
    tell(status, options);
  }
  const { setCookies = [] } = options;
  // Last: of two for one cookie a browser keeps the later.
  for (const cookie of setCookies) fields.append('Set-Cookie', cookie);
  if (setCookies.length > 0) keepFromNextProxy(fields, 'Set-Cookie');
  return fields.toRecord();
}

/** The trailers of an upstream's answer without a tag that the upstream sent: `response.addTrailers(tagTrailers(answer.trailers))`. */
export function tagTrailers(trailers: HeaderSource): Record<string, string | string[]> {
  const fields = new HeaderFields(trailers);
  fields.delete(UPSTREAM_AUTH_FAILED);
  return fields.toRecord();
}

export function checkTagOptions(where: string, options: TagOptions): void {
  requireOptions(where, options, ['target', 'credentialAttached', 'log', 'setCookies']);
  const { setCookies } = options;
  if (setCookies === undefined) return;
  // `Headers` would quote the value that it refuses.
  if (!Array.isArray(setCookies) || !setCookies.every(isFieldText))
    throw new TypeError(`${where}: \`setCookies\` must be a list of header values`);
}

function forgetTag(fields: HeaderFields): void {
  fields.delete(UPSTREAM_AUTH_FAILED);
  fields.deleteMember('Trailer', UPSTREAM_AUTH_FAILED);
  keepFromNextProxy(fields, UPSTREAM_AUTH_FAILED);
}

/** What `Connection` names is taken off by the next proxy (RFC 9110, section 7.6.1). */
function keepFromNextProxy(fields: HeaderFields, ...names: string[]): void {
  for (const name of names) fields.deleteMember('Connection', name);
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
