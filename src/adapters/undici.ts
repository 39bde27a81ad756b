import type { Latchkey } from '../api.js';
import { CREDENTIAL_HEADERS } from '../credential/headers.js';
import type { Lease } from '../ledger/lease.js';
import type { Scope } from '../ledger/scope-key.js';
import type { RunContext } from '../worker/context.js';
import { type OutgoingOptions, readOutgoing } from './outgoing.js';
import type { Answer } from './undici-answer.js';
import { RequestBody } from './undici-body.js';
import { Call } from './undici-call.js';
import { RequestHeaders } from './undici-headers.js';
import { Relay } from './undici-relay.js';
import type { Dispatch, DispatchHandler, DispatchOptions } from './undici-types.js';

/** A request that is about to be dispatched, as a scope rule is asked about it. */
export interface DispatchedRequest {
  /** Such as `https://api.example.com`. */
  readonly origin: string;
  /** With the query, unless that was given by itself. */
  readonly path: string;
  readonly method: string;
}

export interface AuthInterceptorOptions extends Omit<OutgoingOptions, 'scope' | 'origins'> {
  /** Whose work a request is; a rule may say undefined, and then it goes out as it is. */
  readonly scope: Scope | ((request: DispatchedRequest) => Scope | undefined);
  /**
   * The only origins that get a credential, such as `https://api.example.com`; requests elsewhere go out as they are. Required, since an interceptor cannot
   * tell a request from where a redirect has sent it.
   */
  readonly origins: readonly string[];
}

/** For `compose` of an undici dispatcher. */
export type AuthInterceptor = <D extends (options: never, handler: never) => boolean>(dispatch: D) => D;

const CALLER = 'createAuthInterceptor';

/**
 * An interceptor that sends the scope's credential, and after a rejection sends once more if another one is there; otherwise the 401 is what the caller
 * gets, untouched. A request that brings a credential header of its own goes out as it is, and nothing is learnt from it. Compose a redirect interceptor
 * after it.
 *
 * Bodies are replayed, but for streams and iterators, which are sent once; a body may also be a function that makes one. `timeoutMs` ends when the answer
 * goes to the caller.
 *
 * A request fails with a `LatchkeyError` when its scope is blocked before anything is sent, and otherwise with whatever undici failed with.
 * @throws {TypeError} for an option that is unknown or malformed, and for an origin that is reached over cleartext HTTP.
 */
export function createAuthInterceptor(latchkey: Latchkey, options: AuthInterceptorOptions): AuthInterceptor {
  if (typeof latchkey?.run !== 'function') throw new TypeError(`${CALLER}: \`latchkey\` must be what createLatchkey gives`);
  if (typeof options !== 'object' || options === null) throw new TypeError(`${CALLER}: \`options\` must be an object`);
  const { scope } = options;
  const { origins, runOptions, requireSafe } = readOutgoing(CALLER, { ...options, scope: typeof scope === 'function' ? {} : scope });
  if (origins === undefined || origins.size === 0) throw new TypeError(`${CALLER}: \`origins\` must hold at least one origin`);
  for (const origin of origins) requireSafe(new URL(origin));

  const scopeOf = (request: DispatchOptions, headers: RequestHeaders): Scope | undefined => {
    if (CREDENTIAL_HEADERS.some((name) => headers.has(name))) return undefined;
    const { path, method } = request as DispatchedRequest;
    return typeof scope === 'function' ? scope({ origin: originOf(request) as string, path, method }) : scope;
  };

  const intercept = (dispatch: Dispatch, request: DispatchOptions, handler: DispatchHandler): boolean => {
    const body = new RequestBody(request.body);
    // A tunnel is the proxy's matter; what goes through it is a request of its own.
    const elsewhere = request.method === 'CONNECT' || !origins.has(originOf(request) ?? '');
    const headers = new RequestHeaders(elsewhere && body.plain ? undefined : request.headers);
    const work = elsewhere ? undefined : scopeOf(request, headers);
    if (work === undefined) {
      if (elsewhere && body.plain) return dispatch(request, handler);
      return dispatch(ready(request, headers, body, {}), handler);
    }

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
        if (relay.asking) relay.fail(error);
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

/** Where a request goes; undefined if that is not to be seen. */
function originOf({ origin, path }: DispatchOptions): string | undefined {
  const given = String(origin ?? '');
  // A path may be a whole URL, for a proxy: then that is where it goes.
  const target = typeof path === 'string' && /^https?:/i.test(path) ? path : given;
  if (!URL.canParse(given) || !URL.canParse(target)) return undefined;
  const url = new URL(given);
  return new URL(target).origin === url.origin ? url.origin : undefined;
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
