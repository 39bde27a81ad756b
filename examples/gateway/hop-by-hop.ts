import type { IncomingMessage } from 'node:http';

/**
 * Fields that are about one connection, not about the message (RFC 9110, section 7.6.1). `Trailer` only announces what comes at the end, and Node
 * takes it for an error beside a body that is not chunked.
 */
const HOP_BY_HOP = ['connection', 'proxy-connection', 'keep-alive', 'te', 'transfer-encoding', 'trailer', 'upgrade'];
/** Between the client and this proxy (RFC 9110, sections 11.7.1 and 11.7.2). */
const OF_PROXIES = ['proxy-authenticate', 'proxy-authorization'];

/** Where clients present credentials. */
export const CREDENTIAL_HEADERS = ['authorization', 'x-api-key', 'x-goog-api-key', 'api-key'];
/**
 * What `Connection` cannot take away. Without its length a body would be read as the next request, and a verdict on a request without the credential
 * that it came with would be one on the wrong request.
 */
const ALWAYS_END_TO_END = ['content-length', ...CREDENTIAL_HEADERS];
/** What a trailer cannot be (RFC 9110, section 6.5.1). */
const NO_TRAILERS = [...ALWAYS_END_TO_END, 'host', 'cookie', 'set-cookie'];

/** Raw headers (name, value, name, value) without those of this connection, those that `Connection` names, and `alsoDrop`. */
export function endToEnd(rawHeaders: readonly string[], alsoDrop: readonly string[] = []): string[] {
  const dropped = new Set([...HOP_BY_HOP, ...OF_PROXIES, ...namedByConnection(rawHeaders), ...alsoDrop]);
  return pairsOf(rawHeaders)
    .filter(([name]) => !dropped.has(name.toLowerCase()))
    .flat();
}

/** A message's trailers, as `addTrailers` takes them; what its header section may not pass on, its trailers may not either. */
export function trailersOf(
  message: Pick<IncomingMessage, 'rawHeaders' | 'rawTrailers'>,
  alsoDrop: readonly string[] = [],
): [string, string][] {
  return pairsOf(endToEnd(message.rawTrailers, [...NO_TRAILERS, ...namedByConnection(message.rawHeaders), ...alsoDrop]));
}

function namedByConnection(rawHeaders: readonly string[]): string[] {
  return pairsOf(rawHeaders)
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.split(',').map((option) => option.trim().toLowerCase()))
    .filter((option) => !ALWAYS_END_TO_END.includes(option));
}

/** Whether this proxy knows where a message's body ends: it has a length, or it is `chunked` and nothing else (RFC 9112, section 6.1). */
export function hasKnownFraming(headers: { readonly 'transfer-encoding'?: string | undefined }): boolean {
  const coding = headers['transfer-encoding'];
  return coding === undefined || coding.trim().toLowerCase() === 'chunked';
}

function pairsOf(raw: readonly string[]): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) pairs.push([raw[index] as string, raw[index + 1] as string]);
  return pairs;
}
