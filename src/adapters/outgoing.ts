import type { Latchkey } from '../api.js';
import type { Scope } from '../ledger/scope-key.js';
import { isCleartext } from '../origin.js';
import { checkRunOptions, type RunOptions } from '../worker/run-options.js';

/** A call that is about to go out, as a scope rule is asked about it. */
export interface OutgoingRequest {
  readonly url: URL;
  /** Upper case. */
  readonly method: string;
}

/** What the adapters for outgoing calls have in common. */
export interface OutgoingOptions extends Pick<RunOptions, 'parkMs' | 'timeoutMs' | 'urgent' | 'minTtlMs' | 'fallback' | 'transient'> {
  /** Whose work a call is; a rule may say undefined, and then it goes out as it is. */
  readonly scope: Scope | ((request: OutgoingRequest) => Scope | undefined);
  /** The only origins that get a credential, such as `https://api.example.com`; calls elsewhere go out as they are. */
  readonly origins?: readonly string[] | undefined;
  /** Lets a credential go to another machine over cleartext HTTP. Default false: such a call is a `TypeError`. */
  readonly allowCleartext?: boolean | undefined;
  /** What to do when there is no usable credential: fail with a `LatchkeyError` (default), or wait for fresh auth. */
  readonly whenBlocked?: 'throw' | 'park' | undefined;
}

/** The options, read once. */
export interface Outgoing {
  readonly origins: ReadonlySet<string> | undefined;
  readonly runOptions: RunOptions & { readonly whenBlocked?: 'throw' | 'park' };
  /** Whose credential a call gets; undefined: it goes out as it is. */
  scopeOf(request: OutgoingRequest): Scope | undefined;
  /** @throws {TypeError} if what is sent there could be read on the way. */
  requireSafe(url: URL): void;
}

const OWN = ['scope', 'origins', 'allowCleartext'];

/** @throws {TypeError} for an option that is unknown (to `alsoKnown` too) or malformed, or a Latchkey that is none, naming `caller`. */
export function readOutgoing(caller: string, latchkey: Latchkey, options: OutgoingOptions, alsoKnown: readonly string[] = []): Outgoing {
  if (typeof latchkey?.run !== 'function') throw new TypeError(`${caller}: \`latchkey\` must be what createLatchkey gives`);
  if (typeof options !== 'object' || options === null) throw new TypeError(`${caller}: \`options\` must be an object`);
  const { scope, allowCleartext = false } = options;
  if (scope === undefined || scope === null) throw new TypeError(`${caller}: \`scope\` must be a scope, or a function that gives one`);
  if (typeof allowCleartext !== 'boolean') throw new TypeError(`${caller}: \`allowCleartext\` must be a boolean`);
  const known = new Set([...OWN, ...alsoKnown]);
  const runOptions: RunOptions = Object.fromEntries(Object.entries(options).filter(([name]) => !known.has(name)));
  if (runOptions.whenBlocked === 'skip') throw new TypeError(`${caller}: \`whenBlocked\` must be 'throw' or 'park'`);
  for (const name of ['signal', 'rejected', 'once']) if (name in runOptions) throw new TypeError(`${caller}: unknown option \`${name}\``);
  checkRunOptions(runOptions, caller);
  const origins = options.origins === undefined ? undefined : readOrigins(caller, options.origins);

  return {
    origins,
    // With another `whenBlocked` the check has thrown.
    runOptions: { ...(runOptions as Outgoing['runOptions']), rejected: 'return' },
    scopeOf(request) {
      // `data:` and the like go nowhere.
      if (request.url.protocol !== 'https:' && request.url.protocol !== 'http:') return undefined;
      if (origins !== undefined && !origins.has(request.url.origin)) return undefined;
      return typeof scope === 'function' ? scope(request) : scope;
    },
    requireSafe(url) {
      if (!allowCleartext && isCleartext(url))
        throw new TypeError(`${caller}: no credential goes over cleartext HTTP to ${url.host}; set \`allowCleartext\` if it must`);
    },
  };
}

function readOrigins(caller: string, origins: readonly string[]): ReadonlySet<string> {
  if (!Array.isArray(origins)) throw new TypeError(`${caller}: \`origins\` must be a list of origins`);
  return new Set(
    origins.map((origin: unknown) => {
      const url = typeof origin === 'string' && URL.canParse(origin) ? new URL(origin) : undefined;
      if (url === undefined || url.origin === 'null' || url.href !== `${url.origin}/`)
        throw new TypeError(`${caller}: \`origins\` must hold origins, such as 'https://api.example.com'`);
      return url.origin;
    }),
  );
}
