import { apiKey, type Credential, isCredentialValue } from '../credential/credential.js';
import { CREDENTIAL_HEADERS, credentialFromHeaders, type HeadersLike } from '../credential/headers.js';

/** Shorter words are names of schemes, and nobody's secret. */
const SHORTEST = 8;

/** What a request shows of credentials, that of a scheme which is not understood and several at once too: none may be printed. */
export function presentedIn(headers: HeadersLike): readonly Credential[] {
  const only = credentialFromHeaders(headers);
  if (only !== undefined) return [only];
  return CREDENTIAL_HEADERS.flatMap((name) => wordsOf(headers, name))
    .filter((word) => word.length >= SHORTEST && isCredentialValue(word))
    .map((word) => apiKey(word));
}

/** Without their schemes. Several values of a header come as one, with commas. */
function wordsOf(headers: HeadersLike, name: string): readonly string[] {
  const value: unknown = typeof headers.get === 'function' ? headers.get(name) : (headers as Record<string, unknown>)[name];
  return String(value ?? '')
    .split(',')
    .flatMap((part) => {
      const words = part.trim().split(/\s+/);
      return words.length > 1 ? words.slice(1) : words;
    });
}
