import type { IncomingMessage } from 'node:http';
import { credentialProblem } from 'latchkey';
import { CREDENTIAL_HEADERS, hasKnownFraming } from './hop-by-hop.js';

export interface Refusal {
  readonly status: 400 | 403 | 501;
  readonly message: string;
}

/** Why a client's request is not sent on; undefined if it is. */
export function turnedAway({ headers, rawHeaders }: Pick<IncomingMessage, 'headers' | 'rawHeaders'>): Refusal | undefined {
  // A provider's page would run with the operator's origin, and his session.
  if (isForPage(headers)) return { status: 403, message: 'Nothing here is a page, or a part of one.' };
  if (!hasKnownFraming(headers)) return { status: 501, message: 'The only transfer coding here is chunked.' };
  // Of two credentials the provider might take the other one, and the verdict would be on the wrong one.
  const problem = credentialProblem(headers);
  if (problem === 'ambiguous' || problem === 'malformed' || repeatsCredential(rawHeaders))
    return { status: 400, message: 'A request presents one credential, in one header.' };
  return undefined;
}

/** Browsers say `empty` for what a script fetches. Over http to another machine they say nothing of the kind, but that they would take a page. */
function isForPage(headers: IncomingMessage['headers']): boolean {
  const purpose = headers['sec-fetch-dest'];
  if (purpose !== undefined) return purpose !== 'empty';
  return headers['upgrade-insecure-requests'] !== undefined || headers.accept?.includes('text/html') === true;
}

/** Node keeps the first `Authorization` only. */
function repeatsCredential(rawHeaders: readonly string[]): boolean {
  const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  return CREDENTIAL_HEADERS.some((header) => names.indexOf(header) !== names.lastIndexOf(header));
}
