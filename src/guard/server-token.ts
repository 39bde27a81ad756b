import { randomBytes } from 'node:crypto';
import { bearer, Credential, isCredentialValue } from '../credential/credential.js';
import { requireBoolean, requireOptions } from '../signals/checked.js';
import { portFile, requireConfigDir } from './config-folder.js';
import { GuardError } from './guard-error.js';
import { createToken, removeElection, removeToken, replaceToken } from './saved-token.js';
import type { ServerToken } from './token.js';
import { readTokenFile, unusable } from './token-file.js';

/** Options of `resolveServerToken`; the first that applies is taken. */
export interface ServerTokenOptions {
  /** Nobody has to present anything. Default false. */
  readonly disabled?: boolean | undefined;
  /** The token itself, or a credential made by `bearer()`. An empty one is an error: a variable that was forgotten must not open the server. */
  readonly token?: string | Credential | undefined;
  /** A file that holds the token, such as a mounted secret; white space around it is left out. At most 4 KiB. */
  readonly tokenFile?: string | undefined;
  /** Replaces the token of earlier starts. Of several processes that do so at once, each has its own. Default false. */
  readonly regenerate?: boolean | undefined;
  /** The port that the server listens on: that which it got, if it asked for port 0. */
  readonly port: number;
  /**
   * Where clients on this machine look for `PORT.token`. It is closed to other users (mode 0700), unless it belongs to one of them, or has another name
   * than `latchkey` and holds something else. Default `$XDG_CONFIG_HOME/latchkey`, else `~/.config/latchkey`.
   */
  readonly configDir?: string | undefined;
}

const WHERE = 'resolveServerToken';
const KNOWN = ['disabled', 'token', 'tokenFile', 'regenerate', 'port', 'configDir'];
const TOKEN_BYTES = 32;
const LARGEST_PORT = 65_535;

/**
 * The token that callers of a server have to present. The first that applies: `disabled`, `token`, `tokenFile`, `regenerate`, the token that an
 * earlier start saved for the port, a new one of 32 random bytes. Whatever it is, clients on this machine find it in `PORT.token` (mode 0600) of the
 * config folder, and nothing there if it is disabled. A saved token that other users could read is kept, since clients have it, and its file is closed
 * to them: `regenerate` if they may have read it. One that they could write, or that belongs to one of them, is refused.
 *
 * It works at once, without waiting: called in the `listening` callback of a server on port 0, it is done before the first request is handled.
 *
 * @throws {GuardError} `TOKEN_FILE` if `tokenFile` or the saved file cannot be read or holds no token (a saved file that is blank counts as missing);
 * `TOKEN_NOT_SAVED` if a new token cannot be saved, or a stale one can be neither replaced nor removed.
 * @throws {TypeError} naming the option that is wrong.
 */
export function resolveServerToken(options: ServerTokenOptions): ServerToken {
  const explicit = readOptions(options);
  const { disabled, tokenFile, regenerate, port, configDir } = options;
  const path = portFile(port, configDir);
  if (disabled) {
    if (path !== undefined) removeToken(path);
    return { source: 'disabled', credential: undefined, path: undefined };
  }
  if (explicit !== undefined) return { source: 'explicit', credential: explicit, path: publish(path, explicit) };
  if (tokenFile !== undefined) {
    const credential = readOperatorFile(tokenFile);
    return { source: 'file', credential, path: publish(path, credential) };
  }
  if (path === undefined) throw new GuardError('TOKEN_NOT_SAVED', 'there is no home folder to save the token in: give `configDir`');
  return regenerate ? regenerated(path) : persisted(path);
}

function readOptions(options: ServerTokenOptions): Credential | undefined {
  requireOptions(WHERE, options, KNOWN);
  const { disabled = false, token, tokenFile, regenerate = false, port, configDir } = options;
  requireBoolean(WHERE, 'disabled', disabled);
  requireBoolean(WHERE, 'regenerate', regenerate);
  if (port === 0) throw new TypeError(`${WHERE}: \`port\` must be the real one: listen first, then give the port that the server got`);
  if (!Number.isInteger(port) || port < 0 || port > LARGEST_PORT) {
    throw new TypeError(`${WHERE}: \`port\` must be a whole number from 1 to ${LARGEST_PORT}`);
  }
  if (tokenFile !== undefined && (typeof tokenFile !== 'string' || tokenFile === '')) {
    throw new TypeError(`${WHERE}: \`tokenFile\` must be the path of a file`);
  }
  requireConfigDir(WHERE, configDir);
  return token === undefined ? undefined : readToken(token);
}

function readToken(token: string | Credential): Credential {
  if (token instanceof Credential) {
    if (token.scheme === 'bearer') return token;
    throw new TypeError(`${WHERE}: \`token\` must be a credential made by bearer(), not an API key`);
  }
  if (token === '') throw new TypeError(`${WHERE}: \`token\` must not be empty; leave it out, or say \`disabled\``);
  if (!isCredentialValue(token)) {
    throw new TypeError(`${WHERE}: \`token\` must be a string without blanks and characters that no header can carry, or made by bearer()`);
  }
  return bearer(token);
}

function readOperatorFile(tokenFile: string): Credential {
  const file = readTokenFile(tokenFile, 'anywhere');
  if (file.state === 'token') return bearer(file.value);
  throw unusable(tokenFile, file.state === 'missing' ? 'does not exist' : 'is empty');
}

/** Clients on this machine must not find another token than this. That they find none must not stop a server whose operator has given them one. */
function publish(path: string | undefined, credential: Credential): string | undefined {
  if (path === undefined) return undefined;
  const value = credential.reveal();
  try {
    replaceToken(path, value);
    return path;
  } catch (error) {
    if (holds(path, value)) return path;
    if (!(error instanceof GuardError)) throw error;
    removeToken(path);
    return undefined;
  }
}

function holds(path: string, value: string): boolean {
  try {
    const file = readTokenFile(path, 'our-own');
    return file.state === 'token' && file.value === value;
  } catch {
    return false;
  }
}

function regenerated(path: string): ServerToken {
  const value = newToken();
  replaceToken(path, value);
  return { source: 'regenerated', credential: bearer(value), path };
}

function persisted(path: string): ServerToken {
  const saved = readTokenFile(path, 'our-own');
  if (saved.state === 'token') {
    if (saved.exposed) replaceToken(path, saved.value);
    else removeElection(path);
    return { source: 'persisted', credential: bearer(saved.value), path };
  }
  const value = newToken();
  const first = createToken(path, value);
  return { source: first === value ? 'generated' : 'persisted', credential: bearer(first), path };
}

function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('hex');
}
