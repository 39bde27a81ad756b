import type { Credential } from '../credential/credential.js';
import { TestkitAssertionError } from './assertion.js';
import { searchFor, type Wanted } from './secret-search.js';
import { textsIn } from './value-walk.js';

/** A shorter one would be found in anything. */
const SHORTEST = 4;

/**
 * Asserts that none of the secrets can be got out of a value: plain, escaped, URL-encoded, as hexadecimal digits, as a list of bytes, in UTF-16, or
 * in base64 at any alignment (Basic included, broken into lines too), and up to three of these within one another. Objects are looked through with
 * their hidden and inherited properties, getters, causes, entries, bytes, and what they print of themselves.
 * The message says which secret by its fingerprint or number, in which form and where, and never shows it.
 * @throws {TestkitAssertionError} if one is there, or the value is too large to be looked through.
 * @throws {TypeError} for secrets that are none: empty, or of less than 4 characters.
 */
export function assertNoSecret(value: unknown, secrets: Credential | string | readonly (Credential | string)[]): void {
  const wanted = (Array.isArray(secrets) ? secrets : [secrets]).map(readSecret);
  if (wanted.length === 0) throw new TypeError('assertNoSecret: `secrets` must name one at least');
  const search = searchFor(wanted);
  try {
    for (const { path, text } of textsIn(value)) {
      const found = search(text);
      if (found === undefined) continue;
      // The names on the way may be what holds it.
      const where = search(path) === undefined ? path : 'a property whose name holds it, too';
      throw new TestkitAssertionError(`assertNoSecret: ${found.name} is there (${found.form}) at ${where}`);
    }
  } catch (error) {
    if (error instanceof TestkitAssertionError) throw error;
    // What it says may be the value's own words.
    throw new TestkitAssertionError('assertNoSecret: the value cannot be looked through');
  }
}

function readSecret(secret: Credential | string, index: number): Wanted {
  const value: unknown = typeof secret === 'string' ? secret : secret?.reveal?.();
  if (typeof value !== 'string' || value.length < SHORTEST)
    throw new TypeError(`assertNoSecret: \`secrets[${index}]\` must be a credential, or a text of ${SHORTEST} characters or more`);
  return { name: typeof secret === 'string' ? `secret ${index + 1}` : secret.toString(), value };
}
