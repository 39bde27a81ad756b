import { Credential } from '../credential/credential.js';
import type { ServerToken } from './token.js';

/** Undefined for a token that is disabled. */
export function credentialOf(where: string, token: Credential | ServerToken): Credential | undefined {
  if (token instanceof Credential) return token;
  const held: unknown = typeof token === 'object' && token !== null && 'credential' in token ? token.credential : null;
  if (held === undefined || held instanceof Credential) return held;
  throw new TypeError(`${where}: \`token\` must be a credential, or what resolveServerToken gives`);
}
