import { type ApiKeyOptions, apiKey, bearer, type Credential, isCredentialValue, isHeaderName } from '../credential/credential.js';
import { resolveClientToken } from '../guard/client-token.js';
import { requireConfigDir } from '../guard/config-folder.js';
import { readEnv, readVariable } from '../guard/token-variable.js';
import { requireFunction, requireOptions } from '../signals/checked.js';
import type { RequestHeaders } from '../signals/request.js';
import { urlOf } from './host.js';
import { type JobRecord, matchesRecord } from './job-record.js';
import { type CredentialSource, NO_CREDENTIAL, named, type SourceAnswer, type SourceContext, type UpstreamQuery } from './source.js';
import { SourceError } from './source-error.js';

const UNSENDABLE = 'blanks or characters that no header can carry';

/**
 * What the request itself says is to be sent: `Bearer X`, or a bare key, in a header. One that is there and cannot be read, or was sent twice, makes
 * the source unavailable: whoever sends it does not mean another credential. Take the header off before the request goes on.
 * `header`: default `x-upstream-authorization`. `keyHeader`: where a bare key is sent; default `x-api-key`.
 * @throws {TypeError} naming the option that is wrong.
 */
export function fromOverrideHeader(
  options: { readonly header?: string | undefined; readonly keyHeader?: string | undefined } = {},
): CredentialSource {
  const where = 'fromOverrideHeader';
  requireOptions(where, options, ['header', 'keyHeader']);
  const header = headerOption(where, 'header', options.header, 'x-upstream-authorization');
  const keyHeader = headerOption(where, 'keyHeader', options.keyHeader, 'x-api-key');
  return named('override header', ({ headers }) => {
    const values = valuesOf(headers, header);
    if (values === undefined) return undefined;
    const value = onlyOne(values);
    const [scheme, token] = /^bearer(?:[ \t]+(.*))?$/is.exec(value) ?? [];
    if (scheme !== undefined && isCredentialValue(token)) return bearer(token);
    if (scheme === undefined && isCredentialValue(value)) return apiKey(value, { header: keyHeader });
    throw new SourceError('override header', `${header} is neither \`Bearer\` and a token nor a bare key`);
  });
}

/** The server that the query names by its id: its credential or none, and nobody else's. An empty id is one. @throws {TypeError} for what is no function. */
export function fromServers(lookup: (id: string, context: SourceContext) => SourceAnswer | PromiseLike<SourceAnswer>): CredentialSource {
  requireFunction('fromServers', 'lookup', lookup);
  return named('servers', async ({ server }, context) => {
    if (server === undefined || server === null) return undefined;
    return (await lookup(server, context)) ?? NO_CREDENTIAL;
  });
}

/** The first server of this machine that the query's URL leads to and that has a credential; see `matchesRecord`. @throws {TypeError} for what is no function. */
export function fromRecords(
  records: (query: UpstreamQuery, context: SourceContext) => Iterable<JobRecord> | PromiseLike<Iterable<JobRecord>>,
): CredentialSource {
  requireFunction('fromRecords', 'records', records);
  return named('job records', async (query, context) => {
    const url = urlIn(query, 'job records');
    if (url === undefined) return undefined;
    for (const record of await records(query, context)) {
      if (matchesRecord(record, url) && record.credential !== undefined) return record.credential;
    }
    return undefined;
  });
}

/** What a registry has for the query's URL. @throws {TypeError} for what is no function. */
export function fromRegistry(lookup: (url: URL, context: SourceContext) => SourceAnswer | PromiseLike<SourceAnswer>): CredentialSource {
  requireFunction('fromRegistry', 'lookup', lookup);
  return named('registry', (query, context) => {
    const url = urlIn(query, 'registry');
    return url === undefined ? undefined : lookup(url, context);
  });
}

/** Options of `fromEnv`. */
export interface EnvSourceOptions {
  /** Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Default `bearer`. */
  readonly scheme?: Credential['scheme'] | undefined;
  /** The header that carries an API key. Default `x-api-key`. */
  readonly header?: string | undefined;
}

/** An environment variable, read at each asking; an empty one counts as unset. @throws {TypeError} naming the option that is wrong. */
export function fromEnv(variable: string, options: EnvSourceOptions = {}): CredentialSource {
  const where = 'fromEnv';
  if (variable === undefined) throw new TypeError(`${where}: \`variable\` must be the name of an environment variable`);
  const name = readVariable(where, variable);
  requireOptions(where, options, ['env', 'scheme', 'header']);
  const env = readEnv(where, options.env);
  const { scheme = 'bearer' } = options;
  if (scheme !== 'bearer' && scheme !== 'api-key') throw new TypeError(`${where}: \`scheme\` must be 'bearer' or 'api-key'`);
  if (scheme === 'bearer' && options.header !== undefined) throw new TypeError(`${where}: \`header\` is for an API key`);
  const key: ApiKeyOptions = { header: headerOption(where, 'header', options.header, 'x-api-key') };
  const source = `environment (${name})`;
  return named(source, () => {
    const value = env[name];
    if (value === undefined || value === '') return undefined;
    if (!isCredentialValue(value)) throw new SourceError(source, `it holds ${UNSENDABLE}`);
    return scheme === 'bearer' ? bearer(value) : apiKey(value, key);
  });
}

/**
 * What a server of this machine saved for its port, for a URL with 127.0.0.1, ::1 or localhost and a port that is written out.
 * `configDir`: as `resolveClientToken` has it.
 * @throws {TypeError} naming the option that is wrong.
 */
export function fromTokenFile(options: { readonly configDir?: string | undefined } = {}): CredentialSource {
  requireOptions('fromTokenFile', options, ['configDir']);
  const { configDir } = options;
  requireConfigDir('fromTokenFile', configDir);
  return named('token file', (query) => {
    if (urlIn(query, 'token file') === undefined) return undefined;
    // As it was given: a URL does not tell a port that was written out.
    return resolveClientToken({ url: query.url as string | URL, env: {}, configDir }).credential;
  });
}

/** All that stands under a name, in whichever spellings; undefined if nothing does. */
function valuesOf(headers: RequestHeaders | null | undefined, name: string): unknown[] | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined;
  const found: unknown[] =
    typeof headers['get'] === 'function'
      ? [headers['get'](name)]
      : Object.entries(headers).flatMap(([key, value]) => (key.toLowerCase() === name ? [value] : []));
  const there = found.filter((value) => value !== undefined && value !== null);
  return there.length === 0 ? undefined : there.flat();
}

/** Empty, as no credential is, if there are several. Repetitions come joined too: then they hold a blank, or, if one is empty, a comma at an end. */
function onlyOne(values: readonly unknown[]): string {
  const text = values.length === 1 && typeof values[0] === 'string' ? values[0].trim() : '';
  return /^,|,$/.test(text) ? '' : text;
}

function urlIn({ url }: UpstreamQuery, source: string): URL | undefined {
  if (url === undefined || url === null) return undefined;
  const parsed = urlOf(url);
  if (parsed === undefined) throw new SourceError(source, '`url` of the query is not a URL');
  return parsed;
}

function headerOption(where: string, option: string, value: string | undefined, fallback: string): string {
  if (value === undefined) return fallback;
  if (!isHeaderName(value)) throw new TypeError(`${where}: \`${option}\` must be a header name`);
  return value.toLowerCase();
}
