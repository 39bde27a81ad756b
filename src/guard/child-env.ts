import type { Credential } from '../credential/credential.js';
import { requireOptions } from '../signals/checked.js';
import { credentialOf } from './held-credential.js';
import type { ServerToken } from './token.js';
import { readEnv, readVariable, setIn } from './token-variable.js';

/** Options of `childEnvWithToken`. */
export interface ChildEnvOptions {
  /** What the child gets besides; it is not changed. Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Default `LATCHKEY_TOKEN`, where `resolveClientToken` looks for it. */
  readonly variable?: string | undefined;
}

const WHERE = 'childEnvWithToken';

/**
 * An environment that hands a token to a child process, for `spawn` and `fork`: arguments can be read by every user of the machine. A value that an
 * operator has set stays; an empty one counts as unset. A disabled token adds nothing.
 * @throws {TypeError} naming what is wrong.
 */
export function childEnvWithToken(token: Credential | ServerToken, options: ChildEnvOptions = {}): Record<string, string> {
  requireOptions(WHERE, options, ['env', 'variable']);
  const variable = readVariable(WHERE, options.variable);
  const env = readEnv(WHERE, options.env);
  const credential = credentialOf(WHERE, token);
  const entries = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  if (credential !== undefined && setIn(env, variable) === undefined) entries.push([variable, credential.reveal()]);
  // Whatever a name means to an object, `__proto__` too, it is a variable here.
  return Object.fromEntries(entries);
}
