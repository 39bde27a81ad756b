import { Credential } from '../credential/credential.js';
import { redactAll } from '../credential/redact.js';
import { requireOptions } from '../signals/checked.js';

/** Options of `redactArgv`. */
export interface RedactArgvOptions {
  /** The options whose values are secrets. Default `['--token']`. */
  readonly flags?: readonly string[] | undefined;
  /** Their values are replaced wherever they stand, by scheme and fingerprint. Default: none. */
  readonly credentials?: readonly Credential[] | undefined;
}

const WHERE = 'redactArgv';
const REDACTED = '[redacted]';

/**
 * A copy of a command line for a log: `[redacted]` in place of what follows a flag (`--token X`), also if that looks like an option, and of what is
 * joined to it (`--token=X`).
 * @throws {TypeError} naming what is wrong.
 */
export function redactArgv(argv: readonly string[], options: RedactArgvOptions = {}): string[] {
  requireOptions(WHERE, options, ['flags', 'credentials']);
  requireStrings('argv', argv);
  const { flags = ['--token'], credentials = [] } = options;
  requireStrings('flags', flags);
  if (flags.some((flag) => flag === '' || flag.includes('='))) throw new TypeError(`${WHERE}: \`flags\` must be names such as '--token'`);
  if (!Array.isArray(credentials) || credentials.some((credential) => !(credential instanceof Credential))) {
    throw new TypeError(`${WHERE}: \`credentials\` must be a list of credentials`);
  }

  return argv.map((argument, index) => {
    // A flag that follows a flag is no value of it: what comes after it must be hidden too.
    if (flags.includes(argument)) return argument;
    if (flags.includes(argv[index - 1] ?? '')) return REDACTED;
    const flag = flags.find((name) => argument.startsWith(`${name}=`));
    return flag === undefined ? redactAll(argument, credentials) : `${flag}=${REDACTED}`;
  });
}

function requireStrings(name: string, list: unknown): void {
  if (Array.isArray(list) && list.every((one) => typeof one === 'string')) return;
  throw new TypeError(`${WHERE}: \`${name}\` must be a list of strings`);
}
