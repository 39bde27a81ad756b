import { CREDENTIAL_HEADERS } from '../../credential/headers.js';
import { type AuthFetchBody, bodyInit, snapshot } from './body.js';

/** As for `fetch`; a body may also be a function that makes one, which is asked anew for each sending. */
export interface AuthFetchInit extends Omit<RequestInit, 'body' | 'duplex'> {
  readonly body?: AuthFetchBody | undefined;
  /** Not needed for a stream, as it is with `fetch`; may be given all the same. */
  readonly duplex?: 'half';
}

/** One sending of a call, as far as a redirect changes it. */
export interface Sending {
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  readonly body: AuthFetchBody | undefined;
}

type Redirect = NonNullable<RequestInit['redirect']>;

/** A call, taken apart so that it can be sent more than once. */
export interface Call extends Sending {
  readonly request: Request | undefined;
  readonly redirect: Redirect;
  readonly signal: AbortSignal | undefined;
  /** What `fetch` is given beside what stands above. */
  readonly rest: RequestInit;
}

/** @throws {TypeError} for what `fetch` would not take. */
export function readCall(input: string | URL | Request, init: AuthFetchInit): Call {
  const request = input instanceof Request ? input : undefined;
  const { body, headers, method, redirect, signal, ...rest } = init;
  return {
    request,
    url: new URL(request?.url ?? (input as string | URL)),
    method: normalMethod(method ?? request?.method ?? 'GET'),
    headers: new Headers(headers ?? request?.headers),
    // `null` leaves a `Request` its own (Fetch standard, Request constructor).
    body: body === undefined || body === null ? request?.body : snapshot(body),
    redirect: redirect ?? request?.redirect ?? 'follow',
    signal: signal === undefined ? request?.signal : (signal ?? undefined),
    rest: signal === null ? { ...rest, signal } : rest,
  };
}

/** What `fetch` is to be called with for a sending: the caller's own `Request` until a redirect has led away, since it may hold what cannot be read from it. */
export async function fetchArguments(call: Call, sending: Sending, redirect: Redirect): Promise<[URL | Request, RequestInit]> {
  const { url, method, headers } = sending;
  const request = url === call.url ? call.request : undefined;
  const body = request !== undefined && sending.body === request.body ? {} : await bodyInit(sending.body);
  const settings = request === undefined && call.request !== undefined ? settingsOf(call.request) : {};
  return [request ?? url, { ...settings, ...call.rest, ...body, method, headers, redirect }];
}

/** Takes credential headers off that carry nothing but a placeholder. */
export function takeOff(headers: Headers, placeholder: string): void {
  for (const name of CREDENTIAL_HEADERS) {
    const value = headers.get(name);
    if (value === placeholder || value?.replace(/^bearer +/i, '') === placeholder) headers.delete(name);
  }
}

function settingsOf({ cache, credentials, integrity, keepalive, mode, referrer, referrerPolicy }: Request): RequestInit {
  const settings = { cache, credentials, integrity, keepalive, mode, referrer, referrerPolicy };
  return settings;
}

/** The Fetch standard writes these in capitals, and leaves any other method as it is given. */
const NORMALISED_METHODS = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT']);

function normalMethod(method: string): string {
  const upper = method.toUpperCase();
  return NORMALISED_METHODS.has(upper) ? upper : method;
}
