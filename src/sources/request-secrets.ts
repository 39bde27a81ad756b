import { bearer, type Credential, isCredentialValue } from '../credential/credential.js';

/** Headers that hold secrets, by what their names say. */
const SECRET_HEADER = /auth|key|token|secret|session|cookie/i;
/** Words that stand beside a secret. */
const SCHEME = /^(?:bearer|basic)$/i;

/** What a query's request presents, as far as it can be told, so that it can be kept out of errors. Never throws. */
export function requestSecrets(query: unknown): Credential[] {
  try {
    const headers = (query as { headers?: unknown } | null | undefined)?.headers;
    if (typeof headers !== 'object' || headers === null) return [];
    const entries = typeof (headers as Partial<Headers>).entries === 'function' ? (headers as Headers).entries() : Object.entries(headers);
    return [...entries]
      .filter(([name]) => SECRET_HEADER.test(name))
      .flatMap(([name, value]) =>
        [value].flat().flatMap((one) => (/cookie/i.test(name) ? cookieValues(String(one)) : String(one).split(/[\s,]+/))),
      )
      .filter((word) => isCredentialValue(word) && !SCHEME.test(word))
      .map((word) => bearer(word));
  } catch {
    return [];
  }
}

function cookieValues(header: string): string[] {
  return header.split(/[;,]\s*/).map((pair) => pair.slice(pair.indexOf('=') + 1).replace(/^"(.*)"$/, '$1'));
}
