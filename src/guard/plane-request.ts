/** As for `fetch`, as far as it makes sense here. */
export interface PlaneRequestInit {
  readonly method?: string | undefined;
  /** An `Authorization` among them is not sent. */
  readonly headers?: RequestInit['headers'] | undefined;
  readonly body?: RequestInit['body'] | undefined;
  readonly signal?: AbortSignal | null | undefined;
  /** No redirect is followed: it is the answer (default), or an error. */
  readonly redirect?: 'manual' | 'error' | undefined;
  /** Not needed for a stream, as it is with `fetch`; may be given all the same. */
  readonly duplex?: 'half' | undefined;
}

/** What sends: the global `fetch`, or one that is like it. */
export type PlaneFetch = (url: string, init: RequestInit) => Promise<Response>;

/** A call, checked, without a place to go to. */
export interface PlaneCall {
  /** As it goes out: normalised, undecoded, without query. */
  readonly path: string;
  readonly target: string;
  readonly canRepeat: boolean;
  /** What `fetch` gets; `token`: what it presents. */
  init(token: string | undefined): RequestInit;
}

const INIT = ['method', 'headers', 'body', 'signal', 'redirect', 'duplex'];
/** A second slash makes a host of what follows, a backslash is a slash to a URL, and blanks and control characters are left out of one. */
const UNSAFE = /^(?!\/)|^\/\/|[\\\s\p{Cc}]/u;
/** Any origin will do: what passes does not lead to another. */
const ANY = 'http://plane.invalid';

/** @throws {TypeError} that quotes neither path nor headers: both may hold secrets. */
export function readPlaneCall(where: string, path: string, init: PlaneRequestInit): PlaneCall {
  if (typeof path !== 'string' || UNSAFE.test(path) || !URL.canParse(path, ANY)) {
    throw new TypeError(`${where}: \`path\` must be a path such as '/v1/status'`);
  }
  const { pathname, search } = new URL(path, ANY);
  if (pathname.startsWith('//')) throw new TypeError(`${where}: \`path\` must be a path such as '/v1/status'`);
  if (typeof init !== 'object') throw new TypeError(`${where}: \`init\` must be an object`);
  for (const name of Object.keys(init)) if (!INIT.includes(name)) throw new TypeError(`${where}: unknown option \`${name}\``);
  const { method, body, signal, redirect = 'manual' } = init;
  if (redirect !== 'manual' && redirect !== 'error') throw new TypeError(`${where}: \`redirect\` must be 'manual' or 'error'`);
  const headers = readHeaders(where, init.headers);
  const canRepeat = isReplayable(body);
  return {
    path: pathname,
    target: pathname + search,
    canRepeat,
    init: (token) => ({
      // A record: another fetch than the global one may not know the global `Headers`.
      headers: Object.fromEntries(token === undefined ? headers : [...headers, ['authorization', `Bearer ${token}`]]),
      redirect,
      ...(method === undefined ? {} : { method }),
      ...(signal === undefined ? {} : { signal }),
      ...(body === undefined ? {} : { body }),
      // A stream as a body must be announced (Fetch standard, RequestDuplex).
      ...(canRepeat ? {} : { duplex: 'half' }),
    }),
  };
}

function readHeaders(where: string, given: PlaneRequestInit['headers']): [string, string][] {
  let headers: Headers;
  try {
    headers = new Headers(given);
  } catch {
    // What `Headers` throws quotes the value.
    throw new TypeError(`${where}: \`headers\` must be names and values of headers`);
  }
  headers.delete('authorization');
  return [...headers];
}

/** A stream cannot be sent twice: it would have to be kept in memory whole. */
function isReplayable(body: PlaneRequestInit['body']): boolean {
  if (body === undefined || body === null || typeof body === 'string') return true;
  if (ArrayBuffer.isView(body) || body instanceof ArrayBuffer || body instanceof Blob) return true;
  return body instanceof FormData || body instanceof URLSearchParams;
}
