import type { IncomingMessage } from 'node:http';
import { requiresAuth } from 'latchkey/signals';

type Asking = Pick<IncomingMessage, 'headers'>;

/** Whether no other site's page is behind a request. Browsers say so; what says nothing is no browser. */
export function isSameOrigin({ headers }: Asking): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  const { origin } = headers;
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === headers.host);
}

/**
 * Whether a request that nobody logs in for may be answered: it must name this machine, since another site can have its own name lead here
 * (DNS rebinding), and must not come from another site's page.
 */
export function isFromThisMachine({ headers }: Asking): boolean {
  const address = `http://${headers.host ?? ''}`;
  if (!URL.canParse(address) || requiresAuth(new URL(address).hostname.replace(/^\[|\]$/g, ''))) return false;
  // `none`: somebody typed the address.
  return headers['sec-fetch-site'] === 'none' || isSameOrigin({ headers });
}
