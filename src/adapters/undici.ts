import { stringify } from 'node:querystring';
import type { Latchkey } from '../api.js';
import { CREDENTIAL_HEADERS } from '../credential/headers.js';
import type { Lease } from '../ledger/lease.js';
import type { RunContext } from '../worker/context.js';
import { drain } from '../worker/response.js';
import { type OutgoingOptions, type OutgoingRequest, readOutgoing } from './outgoing.js';
import type { Answer } from './undici/answer.js';
import { RequestBody } from './undici/body.js';
import { Call } from './undici/call.js';
import { RequestHeaders } from './undici/headers.js';
import { Relay } from './undici/relay.js';
import type { Dispatch, DispatchHandler, DispatchOptions } from './undici/types.js';

/** Options of `createAuthInterceptor`. */
export interface AuthInterceptorOptions extends Omit<OutgoingOptions, 'origins'> {
  /**
   * The only origins that get a credential, such as `https://api.example.com`; requests elsewhere go out as they are. Required, since an interceptor cannot
   * tell a request from where a redirect has sent it.
   */
  readonly origins: readonly string[];
}

export type { OutgoingRequest } from './outgoing.js';

/** For `compose` of an undici dispatcher. */
export type AuthInterceptor = <D extends (options: never, handler: never) => boolean>(dispatch: D) => D;

const CALLER = 'createAuthInterceptor';

/**
 * An interceptor that sends the scope's credential, and after a rejection sends once more if another one is there; otherwise the 401 is what the caller
 * gets, untouched. A request that brings a credential header of its own goes out as it is, and nothing is learnt from it. Compose a redirect interceptor
 * after it, and then on an Agent: a Client or Pool connects to its own origin, whatever origin a redirected request names.
 *
 * Bodies are replayed, but for streams and iterators, which are sent once; a body may also be a function that makes one. `timeoutMs` ends when the answer
 * goes to the caller.
 *
 * A request fails with a `LatchkeyError` when its scope is blocked before anything is sent, or when a 401 was given up for the wait for fresh auth and
 * none came; and otherwise with whatever undici failed with.
 * @throws {TypeError} for an option that is unknown or malformed, and for an origin that is reached over cleartext HTTP.
 */
export function createAuthInterceptor(latchkey: Latchkey, options: AuthInterceptorOptions): AuthInterceptor {
  const { origins, runOptions, requireSafe, scopeOf } = readOutgoing(CALLER, latchkey, options);
  if (origins === undefined || origins.size === 0) throw new TypeError(`${CALLER}: \`origins\` must hold at least one origin`);
  for (const origin of origins) requireSafe(new URL(origin));

  const intercept = (dispatch: Dispatch, request: DispatchOptions, handler: DispatchHandler): boolean => {
    const body = new RequestBody(request.body);
    const outgoing = outgoingOf(request);
    const elsewhere = outgoing === undefined || !origins.has(outgoing.url.origin);
    if (elsewhere && body.plain) return dispatch(request, handler);
    const headers = new RequestHeaders(request.headers);
    const bringsOwn = CREDENTIAL_HEADERS.some((name) => headers.has(name));
    const work = elsewhere || bringsOwn ? undefined : scopeOf(outgoing);
    if (work === undefined) return dispatch(ready(request, headers, body, {}), handler);

    const relay = new Relay(handler);
    let accepted = true;
    const attempt = (lease: Lease, context: RunContext): Promise<Answer> | undefined => {
      // The caller has the answer already, which only a rule of the user's finds fault with.
      if (!relay.asking) {
        context.unused();
        return relay.call?.answer;
      }
      const { header } = lease.credential;
      const isOwn = headers.has(header);
      const call = new Call(relay, context, isOwn ? undefined : header);
      try {
        const sent = ready(request, headers, body, isOwn ? {} : lease.headers());
        relay.call = call;
        accepted = dispatch(sent, call);
      } catch (error) {
        context.unused();
        throw error;
      }
      return call.answer;
    };

    relay.start();
    if (!relay.asking) return accepted;
    body.onFailure((error) => {
      if (relay.call === undefined) relay.abort(error);
    });
    latchkey.run(work, attempt, { ...runOptions, once: body.once, signal: relay.signal }).then(
      (answer) => answer?.release(),
      (error: unknown) => {
        if (!relay.asking) return;
        relay.fail(error);
        // What was held back is nobody's now; unread it would keep its socket for ever.
        relay.call?.answer.then(drain, () => {});
      },
    );
    return accepted;
  };

  return ((dispatch: Dispatch): Dispatch =>
    (request, handler) => {
      try {
        return intercept(dispatch, request, handler);
      } catch (error) {
        // As undici does itself with a request that it cannot take.
        if (typeof handler.onResponseError !== 'function') throw error;
        new Relay(handler).fail(error);
        return false;
      }
    }) as unknown as AuthInterceptor;
}

/** What a scope rule is asked about; undefined for a tunnel, which is a proxy's matter, and where the target is not to be seen. */
function outgoingOf({ origin, path, query, method }: DispatchOptions): OutgoingRequest | undefined {
  const base = String(origin ?? '');
  if (method === 'CONNECT' || typeof path !== 'string' || !URL.canParse(base)) return undefined;
  // A path may be a whole URL, for a proxy: then that is where it goes.
  const target = path.startsWith('/') ? new URL(base).origin + path : path;
  if (!URL.canParse(target) || new URL(target).origin !== new URL(base).origin) return undefined;
  const url = new URL(target);
  if (typeof query === 'object' && query !== null) url.search = stringify(query as NodeJS.Dict<string>);
  return { url, method: String(method ?? 'GET').toUpperCase() };
}

function ready(
  request: DispatchOptions,
  headers: RequestHeaders,
  requestBody: RequestBody,
  added: Record<string, string>,
): DispatchOptions {
  const { body, contentType } = requestBody.make();
  const type = contentType === undefined || headers.has('content-type') ? {} : { 'content-type': contentType };
  const more = { ...type, ...added };
  return { ...request, body, headers: Object.keys(more).length === 0 ? headers.unchanged : headers.with(more) };
}
