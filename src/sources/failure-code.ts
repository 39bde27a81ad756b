import type { Credential } from '../credential/credential.js';
import { redactAll } from '../credential/redact.js';

/** How far a code is looked for: `fetch` puts it one deep, some clients two. */
const DEEPEST_CAUSE = 5;

/** The code of a failure, such as ECONNREFUSED, of its deepest cause that has one, without the values of `credentials`: a key may look like one. */
export function failureCode(error: unknown, credentials: readonly Credential[]): string | undefined {
  let current = error;
  let found: string | undefined;
  for (let depth = 0; depth < DEEPEST_CAUSE && typeof current === 'object' && current !== null; depth++) {
    try {
      const { code, cause } = current as { code?: unknown; cause?: unknown };
      if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,63}$/.test(code)) found = code;
      current = cause;
    } catch {
      break;
    }
  }
  return found === undefined ? undefined : redactAll(found, credentials);
}
