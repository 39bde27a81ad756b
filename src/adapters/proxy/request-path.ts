import type { Credential } from '../../credential/credential.js';
import { redact } from '../../credential/redact.js';

/**
 * The path of a request's target, without query, fragment, host or user information (RFC 9112, section 3.2). A path can hold the key itself.
 */
export function pathOf(url: string | undefined, credential: Credential | undefined): string {
  const path = barePath(url ?? '');
  return credential === undefined ? path : redact(path, credential);
}

function barePath(url: string): string {
  // Cut by hand: a parser would take `//host/path`, which is a path here, for another host.
  if (url.startsWith('/')) return url.replace(/[?#].*$/s, '');
  return /^https?:\/\//i.test(url) && URL.canParse(url) ? new URL(url).pathname : '';
}
