import { createHash } from 'node:crypto';

/** Runs of characters that may be something else in base64, base64url or hexadecimal digits. */
const ENCODED = /[A-Za-z0-9+/_-]{8,}/g;
const HEX = /[0-9a-fA-F]{12,}/g;

/**
 * In which forms secrets are found in a text: plain, URL-encoded, in base64 or base64url, as hexadecimal digits, or hashed without a key. By decoding whatever can
 * be decoded, not by knowing how it was encoded.
 */
export function secretsIn(text: string, secrets: readonly string[]): string[] {
  const found = new Set<string>();
  const look = (form: string, decoded: string): void => {
    for (const secret of secrets) if (decoded.includes(secret)) found.add(`${secret}: ${form}`);
  };
  look('plain', text);
  look('plain', text.replaceAll('\\', ''));
  look(
    'URL-encoded',
    text.replaceAll(/%[0-9a-f]{2}/gi, (octet) => String.fromCharCode(Number.parseInt(octet.slice(1), 16))),
  );
  for (const run of new Set(text.match(ENCODED))) {
    for (let start = 0; start < 4; start++) look('base64', Buffer.from(run.slice(start), 'base64').toString('latin1'));
  }
  for (const run of new Set(text.match(HEX))) {
    for (let start = 0; start < 2; start++) look('hexadecimal', Buffer.from(run.slice(start), 'hex').toString('latin1'));
  }
  for (const secret of secrets) {
    for (const algorithm of ['md5', 'sha1', 'sha256']) {
      for (const encoding of ['hex', 'base64'] as const) {
        // Whoever cuts a hash short keeps enough of it to check guesses by.
        const digest = createHash(algorithm).update(secret).digest(encoding).slice(0, 12);
        if (text.includes(digest)) found.add(`${secret}: ${algorithm}`);
      }
    }
  }
  return [...found];
}
