import type { Latchkey } from '../api.js';
import { CREDENTIAL_HEADERS } from '../credential/headers.js';
import type { Lease } from '../ledger/lease.js';
import type { RunContext } from '../worker/context.js';
import { type AuthFetchBody, isReplayable } from './fetch/body.js';
import { bodyOf, followRedirects, type Sending } from './fetch/redirect.js';
import { SignalLinks } from './fetch/signal-links.js';
import { type OutgoingOptions, readOutgoing } from './outgoing.js';

export type { AuthFetchBody } from './fetch/body.js';
export type { OutgoingRequest } from './outgoing.js';

/** As for `fetch`; a body may also be a function that makes one, which is asked anew for each sending. */
export interface AuthFetchInit extends Omit<RequestInit, 'body' | 'duplex'> {
  readonly body?: AuthFetchBody | undefined;
  /** Not needed for a stream, as it is with `fetch`; may be given all the same. */
  readonly duplex?: 'half';
}

export type AuthFetch = (input: string | URL | Request, init?: AuthFetchInit) => Promise<Response>;

export interface AuthFetchOptions extends OutgoingOptions {
  /** A key that some client insists on being given but that is none: a credential header that carries it is taken off. */
  readonly placeholder?: string | undefined;
  /** What sends. Default: the global `fetch`, as it is at the time of each call. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

type Redirect = NonNullable<RequestInit['redirect']>;

/** A call, taken apart so that it can be sent more than once. */
interface Call extends Sending {
  readonly redirect: Redirect;
  readonly signal: AbortSignal | undefined;
  /** What `fetch` is given beside what stands above. */
  readonly rest: RequestInit;
}

/**
 * A `fetch` that sends the scope's credential, and after a rejection sends once more if another one is there; otherwise the 401 is what it resolves
 * with, untouched. Its verdicts come with the response's headers. A call that brings a credential header of its own goes out as it is, once, and nothing is learnt from it.
 *
 * Bodies are replayed, but for streams (and `Request` objects with a body, which are streams): those are sent once. The credential does not follow a
 * redirect to another origin. `signal` works as with `fetch`; `timeoutMs` ends when the headers are there.
 *
 * Rejects with a `LatchkeyError` when the scope is blocked before anything is sent, with a `TypeError` for what `fetch` would not take or for
 * cleartext HTTP to another machine, and otherwise with whatever `fetch` threw.
 * @throws {TypeError} for an option that is unknown or malformed.
 */
export function createAuthFetch(latchkey: Latchkey, options: AuthFetchOptions): AuthFetch {
  const outgoing = readOutgoing('createAuthFetch', options, ['placeholder', 'fetch']);
  const { placeholder } = options;
  if (placeholder !== undefined && (typeof placeholder !== 'string' || placeholder === ''))
    throw new TypeError('createAuthFetch: `placeholder` must be a string');
  if (options.fetch !== undefined && typeof options.fetch !== 'function')
    throw new TypeError('createAuthFetch: `fetch` must be a function');
  const links = new SignalLinks();

  const send = async (call: Call, sending: Sending, redirect: Redirect, signal: AbortSignal | undefined): Promise<Response> => {
    const { method, headers } = sending;
    const body = await bodyOf(sending);
    return (options.fetch ?? fetch)(sending.url, { ...call.rest, ...body, method, headers, redirect, ...(signal && { signal }) });
  };

  return async (input, init = {}) => {
    const call = readCall(input, init);
    if (placeholder !== undefined) takeOff(call.headers, placeholder);
    const scope = CREDENTIAL_HEADERS.some((name) => call.headers.has(name))
      ? undefined
      : outgoing.scopeOf({ url: call.url, method: call.method });
    if (scope === undefined) return send(call, call, call.redirect, call.signal);
    outgoing.requireSafe(call.url);

    const attempt = async (lease: Lease, context: RunContext): Promise<Response> => {
      const { header } = lease.credential;
      const signal = call.signal === undefined ? context.signal : links.link(call.signal, context.signal);
      if (call.headers.has(header)) {
        context.unused();
        return send(call, call, call.redirect, signal);
      }
      const headers = new Headers(call.headers);
      for (const [name, value] of Object.entries(lease.headers())) headers.set(name, value);
      const first = { ...call, headers };
      if (call.redirect !== 'follow') return send(call, first, call.redirect, signal);
      const { response, carried } = await followRedirects((hop) => send(call, hop, 'manual', signal), first, header);
      // An answer to a call without the credential says nothing about it.
      if (!carried) context.unused();
      return response;
    };
    const once = !isReplayable(call.body);
    return latchkey.run(scope, attempt, { ...outgoing.runOptions, once, ...(call.signal && { signal: call.signal }) });
  };
}

function readCall(input: string | URL | Request, init: AuthFetchInit): Call {
  const request = input instanceof Request ? input : undefined;
  const { body, headers, method, redirect, signal, ...rest } = init;
  return {
    url: new URL(request?.url ?? (input as string | URL)),
    method: normalMethod(method ?? request?.method ?? 'GET'),
    headers: new Headers(headers ?? request?.headers),
    body: body === undefined ? request?.body : body,
    redirect: redirect ?? request?.redirect ?? 'follow',
    signal: signal === undefined ? request?.signal : (signal ?? undefined),
    rest: { ...(request && settingsOf(request)), ...rest },
  };
}

/** What a `Request` holds beside what makes up a call. */
function settingsOf({ cache, credentials, integrity, keepalive, mode, referrer, referrerPolicy }: Request): RequestInit {
  // A browser's navigation mode can be read and not be given.
  const given = mode === 'navigate' ? {} : { mode };
  const settings = { ...given, cache, credentials, integrity, keepalive, referrer, referrerPolicy };
  return settings;
}

/** The Fetch standard writes these in capitals, and leaves any other method as it is given. */
const NORMALISED_METHODS = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT']);

function normalMethod(method: string): string {
  const upper = method.toUpperCase();
  return NORMALISED_METHODS.has(upper) ? upper : method;
}

function takeOff(headers: Headers, placeholder: string): void {
  for (const name of CREDENTIAL_HEADERS) {
    const value = headers.get(name);
    if (value === placeholder || value?.replace(/^bearer +/i, '') === placeholder) headers.delete(name);
  }
}
