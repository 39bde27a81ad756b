import { bearer, type Credential, isCredentialValue } from '../credential/credential.js';
import { requireOptions } from '../signals/checked.js';
import { portFile, requireConfigDir } from './config-folder.js';
import { readTokenFile } from './token-file.js';
import { readEnv, readVariable, setIn } from './token-variable.js';

/** Options of `resolveClientToken`. */
export interface ClientTokenOptions {
  /** Where the server is. A `URL` does not tell a default port that was written out from one that was not: give the text then. */
  readonly url: string | URL;
  /** Goes before everything else. `''` says that none is sent. */
  readonly token?: string | undefined;
  /** The environment variable that may hold the token; an empty one counts as unset. Default `LATCHKEY_TOKEN`. */
  readonly variable?: string | undefined;
  /** Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Where the server on this machine saved its token. Default `$XDG_CONFIG_HOME/latchkey`, else `~/.config/latchkey`. */
  readonly configDir?: string | undefined;
}

/** A client’s token, if it has one, and where it is from. */
export interface ClientToken {
  /** Undefined: the request goes without one, and a server that asks for one answers 401. */
  readonly credential: Credential | undefined;
  readonly source: 'explicit' | 'environment' | 'file' | 'none';
}

const WHERE = 'resolveClientToken';
const KNOWN = ['url', 'token', 'variable', 'env', 'configDir'];
const LOOPBACK: readonly string[] = ['127.0.0.1', '[::1]', 'localhost'];
const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/**
 * The token to present to a server. The first that applies: `token`, the environment variable, and, for 127.0.0.1, ::1 and localhost with a port in the
 * URL, what the server saved for that port. It works at once, without waiting.
 * @throws {GuardError} `TOKEN_FILE` if there is a saved file that cannot be read, or holds something else than a token; a blank one counts as missing.
 * @throws {TypeError} naming the option or the variable that is wrong, without its value.
 */
export function resolveClientToken(options: ClientTokenOptions): ClientToken {
  requireOptions(WHERE, options, KNOWN);
  const { url, token, configDir } = options;
  const variable = readVariable(WHERE, options.variable);
  const env = readEnv(WHERE, options.env);
  const port = localPort(url);
  requireConfigDir(WHERE, configDir);
  if (token === '') return { credential: undefined, source: 'explicit' };
  if (token !== undefined) return { credential: credential('`token`', token), source: 'explicit' };
  const set = setIn(env, variable);
  if (set !== undefined) return { credential: credential(`the variable ${variable}`, set), source: 'environment' };
  const path = port === undefined ? undefined : portFile(port, configDir);
  if (path === undefined) return { credential: undefined, source: 'none' };
  const file = readTokenFile(path, 'our-place');
  if (file.state !== 'token') return { credential: undefined, source: 'none' };
  return { credential: bearer(file.value), source: 'file' };
}

function credential(what: string, value: unknown): Credential {
  if (isCredentialValue(value)) return bearer(value);
  throw new TypeError(`${WHERE}: ${what} must be a string without blanks and characters that no header can carry`);
}

/** The port, if it is written out and this machine's. Anything less would give the token of one server to another. */
function localPort(url: string | URL): number | undefined {
  const text = typeof url === 'string' || url instanceof URL ? String(url) : '';
  if (!URL.canParse(text)) throw new TypeError(`${WHERE}: \`url\` must be a URL`);
  const { protocol, hostname, port } = new URL(text);
  const usual = DEFAULT_PORTS[protocol];
  if (usual === undefined || !LOOPBACK.includes(hostname)) return undefined;
  if (port !== '') return port === '0' ? undefined : Number(port);
  // Nobody else can be meant by the text: these are the forms in which the parser of `URL` finds the host.
  const [, authority = ''] = /^[^:]*:[\\/]*([^\\/?#]*)/.exec(text.replace(/[\t\r\n]/g, '').trim()) ?? [];
  return /:\d+$/.test(authority) ? usual : undefined;
}
