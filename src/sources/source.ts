import type { Credential } from '../credential/credential.js';
import type { RequestHeaders } from '../signals/request.js';

/** An authoritative "none": no other source is asked, and nothing is sent. */
export const NO_CREDENTIAL: unique symbol = Symbol.for('latchkey.no-credential');

/** What the sources of this package read. Sources of your own may read something else instead. */
export interface UpstreamQuery {
  /** Where the call goes. */
  readonly url?: string | URL | undefined;
  /** Of the request that the call is made for. */
  readonly headers?: RequestHeaders | undefined;
  /** The id of the server that was asked for by name. */
  readonly server?: string | undefined;
}

/** What a source gets beside the query. */
export interface SourceContext {
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** Undefined: nothing here, ask the next source. */
export type SourceAnswer = Credential | typeof NO_CREDENTIAL | undefined;

/**
 * Where a credential for an upstream comes from. Throw, or reject, when that cannot be told now: it is not the same as none.
 * Its name is its `sourceName`, else that of the function.
 */
export interface CredentialSource<Query = UpstreamQuery> {
  (query: Query, context: SourceContext): SourceAnswer | PromiseLike<SourceAnswer>;
  readonly sourceName?: string | undefined;
}

/** The same source, as the last word: where it has nothing, nothing is sent. @throws {TypeError} for what is no function. */
export function authoritative<Query>(source: CredentialSource<Query>): CredentialSource<Query> {
  if (typeof source !== 'function') throw new TypeError('authoritative: `source` must be a function');
  return named(nameOf(source), async (query, context) => (await source(query, context)) ?? NO_CREDENTIAL);
}

export function nameOf({ sourceName, name }: CredentialSource<never>): string | undefined {
  return [sourceName, name].find((one) => typeof one === 'string' && one !== '');
}

export function named<Query>(sourceName: string | undefined, source: CredentialSource<Query>): CredentialSource<Query> {
  return Object.defineProperty(source, 'sourceName', { value: sourceName, enumerable: true });
}
