import type { Credential } from '../credential/credential.js';
import { isCleartext } from '../origin.js';
import { isPromiseLike } from '../promise-like.js';
import { requireFunction, requireOptions } from '../signals/checked.js';
import { GuardError } from './guard-error.js';
import { type PlaneCall, type PlaneFetch, type PlaneRequestInit, readPlaneCall } from './plane-request.js';
import { requireBearer } from './verify-bearer.js';

export type { PlaneFetch, PlaneRequestInit } from './plane-request.js';

/** Options of `createPlaneClient`. */
export interface PlaneClientOptions {
  /** The control listener's origin. */
  readonly url: string | URL;
  /** What the control listener is presented, and nobody else. Default: nothing. */
  readonly token?: Credential | undefined;
  /** Whether a path is one for heavy data; undecoded, without query. What throws, or answers anything but true, says no. */
  readonly isBulk: (path: string) => boolean;
  /** What sends to an origin, with the TLS settings that are that origin's: asked for each sending, with the exact origin. Default: the global `fetch`. */
  readonly fetchFor?: ((origin: string) => PlaneFetch) | undefined;
}

/** What `createPlaneClient` gives: a `fetch` for a server of two listeners. */
export interface PlaneClient {
  /**
   * Sends a bulk path to the bulk listener, as soon as the control listener has named one, and everything else to the control listener. A 404 that
   * names the bulk listener is followed there, once, unless the body is a stream. Other answers are what it resolves with, whatever their status.
   * Rejects as `fetch` does, and with a TypeError for a path that is none or an option that is wrong.
   */
  fetch(path: string, init?: PlaneRequestInit | null): Promise<Response>;
  /** Sends to the control listener, forgets the bulk listener's origin, and reads it anew from the answer, if that is a success. Rejects as `fetch`. */
  register(path: string, init?: PlaneRequestInit | null): Promise<Response>;
}

const WHERE = 'createPlaneClient';

/**
 * A client of a control API on two listeners. It follows no redirect, so that neither token nor data go elsewhere.
 * @throws {GuardError} `CLEARTEXT_CREDENTIAL` if the token would go to another machine over cleartext HTTP.
 * @throws {TypeError} naming the option that is wrong.
 */
export function createPlaneClient(options: PlaneClientOptions): PlaneClient {
  requireOptions(WHERE, options, ['url', 'token', 'isBulk', 'fetchFor']);
  const { token, isBulk, fetchFor } = options;
  const control = readOrigin(options.url);
  if (token !== undefined) requireBearer(WHERE, token);
  requireFunction(WHERE, 'isBulk', isBulk);
  if (fetchFor !== undefined) requireFunction(WHERE, 'fetchFor', fetchFor);
  if (token !== undefined && isCleartext(control)) {
    throw new GuardError(
      'CLEARTEXT_CREDENTIAL',
      `${WHERE}: \`token\` would go to ${control.host} in cleartext; \`url\` must be an https: one`,
    );
  }

  let bulk: string | undefined;
  let registration = 0;

  const send = async (origin: string, call: PlaneCall, presented?: Credential): Promise<Response> => {
    const sending: PlaneFetch = fetchFor === undefined ? fetch : fetchFor(origin);
    return sending(origin + call.target, call.init(presented?.reveal()));
  };

  const isBulkPath = (path: string): boolean => {
    try {
      const answer: unknown = isBulk(path);
      if (isPromiseLike(answer)) answer.then(undefined, () => {});
      return answer === true;
    } catch {
      // The control listener knows.
      return false;
    }
  };

  /** What a registration said before the latest one is no longer so. */
  const learn = (response: Response, asOf: number): string | undefined => {
    const named = readHint(response, control.origin);
    if (named !== undefined && asOf === registration) bulk = named;
    return named;
  };

  return {
    async fetch(path, init) {
      const call = readPlaneCall('fetch', path, init ?? {});
      const asOf = registration;
      if (!isBulkPath(call.path)) return send(control.origin, call, token);
      if (bulk !== undefined) return send(bulk, call);
      const response = await send(control.origin, call, token);
      const named = response.status === 404 ? learn(response, asOf) : undefined;
      if (named === undefined || !call.canRepeat) return response;
      discard(response);
      return send(named, call);
    },
    async register(path, init) {
      const call = readPlaneCall('register', path, init ?? {});
      registration += 1;
      const asOf = registration;
      bulk = undefined;
      const response = await send(control.origin, call, token);
      if (response.ok) learn(response, asOf);
      return response;
    },
  };
}

/** Nobody reads it: its connection is free again. */
function discard({ body }: Response): void {
  try {
    // Another fetch than the global one may give a body of another kind.
    const cancelled: unknown = body?.cancel();
    if (isPromiseLike(cancelled)) cancelled.then(undefined, () => {});
  } catch {
    // The answer that counts comes from elsewhere.
  }
}

function readOrigin(given: string | URL): URL {
  // Not quoted: it may hold user info.
  const url = (typeof given === 'string' || given instanceof URL) && URL.canParse(String(given)) ? new URL(given) : undefined;
  if (url === undefined || !isHttp(url) || url.href !== `${url.origin}/`) {
    throw new TypeError(`${WHERE}: \`url\` must be an origin such as 'https://control.example.com:8443'`);
  }
  return url;
}

/** The origin in `X-Bulk-Url`, whose path means nothing. Undefined for anything else than an http(s) URL without user info, and for the control origin. */
function readHint(response: Response, control: string): string | undefined {
  const value = response.headers.get('x-bulk-url');
  // Two headers come joined by a comma and a blank.
  if (value === null || /[\s,]/.test(value) || !URL.canParse(value)) return undefined;
  const url = new URL(value);
  return isHttp(url) && url.username === '' && url.password === '' && url.origin !== control ? url.origin : undefined;
}

function isHttp({ protocol }: URL): boolean {
  return protocol === 'http:' || protocol === 'https:';
}
