import type { Latchkey } from '../api.js';
import { CREDENTIAL_HEADERS } from '../credential/headers.js';
import type { Lease } from '../ledger/lease.js';
import type { RunContext } from '../worker/context.js';
import { failureOf, isReplayable } from './fetch/body.js';
import { type AuthFetchInit, type Call, fetchArguments, readCall, type Sending, takeOff } from './fetch/call.js';
import { followRedirects } from './fetch/redirect.js';
import { SignalLinks } from './fetch/signal-links.js';
import { type OutgoingOptions, readOutgoing } from './outgoing.js';

export type { AuthFetchBody } from './fetch/body.js';
export type { AuthFetchInit } from './fetch/call.js';
export type { OutgoingRequest } from './outgoing.js';

/** `fetch` with the scope’s credential: what `createAuthFetch` gives. */
export type AuthFetch = (input: string | URL | Request, init?: AuthFetchInit | null) => Promise<Response>;

/** Options of `createAuthFetch`. */
export interface AuthFetchOptions extends OutgoingOptions {
  /** A key that some client insists on being given but that is none: a credential header that carries it is taken off. */
  readonly placeholder?: string | undefined;
  /** What sends. Default: the global `fetch`, as it is at the time of each call. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/**
 * A `fetch` that sends the scope's credential, and after a rejection sends once more if another one is there; otherwise the 401 is what it resolves
 * with, untouched. Its verdicts come with the response's headers. A call that brings a credential header of its own goes out as it is, once, and
 * nothing is learnt from it (a header that is not one of the usual four is known by the lease, so the scope must not be blocked).
 *
 * Bodies are replayed, but for streams (and `Request` objects with a body, which are streams): those are sent once. The credential does not follow a
 * redirect to another origin. Where a redirect may come, `integrity` cannot be given, and a `dispatcher` belongs into the init, since it cannot be read
 * from a `Request`. `signal` works as with `fetch`; `timeoutMs` ends when the headers are there.
 *
 * Rejects with a `LatchkeyError` when the scope is blocked before anything is sent, or when a 401 was given up for the wait for fresh auth and none came;
 * with a `TypeError` for what `fetch` would not take or for cleartext HTTP to another machine; and otherwise with whatever `fetch` threw.
 * @throws {TypeError} for an option that is unknown or malformed.
 */
export function createAuthFetch(latchkey: Latchkey, options: AuthFetchOptions): AuthFetch {
  const outgoing = readOutgoing('createAuthFetch', latchkey, options, ['placeholder', 'fetch']);
  const { placeholder } = options;
  if (placeholder !== undefined && (typeof placeholder !== 'string' || placeholder === ''))
    throw new TypeError('createAuthFetch: `placeholder` must be a string');
  if (options.fetch !== undefined && typeof options.fetch !== 'function')
    throw new TypeError('createAuthFetch: `fetch` must be a function');
  const links = new SignalLinks();

  const send = async (call: Call, sending: Sending, redirect: Call['redirect'], signal: AbortSignal | undefined): Promise<Response> => {
    const [input, init] = await fetchArguments(call, sending, redirect);
    return (options.fetch ?? fetch)(input, signal === undefined ? init : { ...init, signal });
  };

  return async (input, init) => {
    const call = readCall(input, init ?? {});
    const { url, method, body, redirect } = call;
    if (placeholder !== undefined) takeOff(call.headers, placeholder);
    const bringsOwn = CREDENTIAL_HEADERS.some((name) => call.headers.has(name));
    const scope = bringsOwn ? undefined : outgoing.scopeOf({ url, method: method.toUpperCase() });
    if (scope === undefined) return send(call, call, redirect, call.signal);
    outgoing.requireSafe(url);

    const once = !isReplayable(body);
    const failure = once ? failureOf(body) : {};
    const attempt = async (lease: Lease, context: RunContext): Promise<Response> => {
      const { header } = lease.credential;
      const signal = call.signal === undefined ? context.signal : links.link(call.signal, context.signal);
      if ('error' in failure || call.headers.has(header)) {
        context.unused();
        if ('error' in failure) throw failure.error;
        return send(call, call, redirect, signal);
      }
      const headers = new Headers(call.headers);
      for (const [name, value] of Object.entries(lease.headers())) headers.set(name, value);
      const first = { url, method, headers, body };
      if (redirect !== 'follow') return send(call, first, redirect, signal);
      const { response, carried } = await followRedirects((hop) => send(call, hop, 'manual', signal), first, header);
      // An answer to a call without the credential says nothing about it.
      if (!carried) context.unused();
      return response;
    };
    return latchkey.run(scope, attempt, { ...outgoing.runOptions, once, ...(call.signal && { signal: call.signal }) });
  };
}
