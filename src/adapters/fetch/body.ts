/** @inline */
type Body = NonNullable<RequestInit['body']>;

/** What `fetch` takes as a body, or a function that makes one, asked anew for each sending. */
export type AuthFetchBody = Body | null | (() => Body | null | undefined | Promise<Body | null | undefined>);

/** Whether a body can be sent a second time. A stream cannot: it would have to be kept in memory whole. */
export function isReplayable(body: AuthFetchBody | undefined): boolean {
  if (body === undefined || body === null || typeof body === 'string' || typeof body === 'function') return true;
  if (ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return true;
  return body instanceof Blob || body instanceof FormData || body instanceof URLSearchParams;
}

/** What a body holds now: like `fetch`, which takes it in at once, though it may be sent later, and twice. */
export function snapshot(body: AuthFetchBody): AuthFetchBody {
  if (body instanceof ArrayBuffer) return body.slice(0);
  if (ArrayBuffer.isView(body)) return new Uint8Array(new Uint8Array(body.buffer, body.byteOffset, body.byteLength));
  if (body instanceof URLSearchParams) return new URLSearchParams(body);
  if (!(body instanceof FormData)) return body;
  const copy = new FormData();
  for (const [name, value] of body) copy.append(name, value);
  return copy;
}

/** What `fetch` is given for a body. */
export async function bodyInit(body: AuthFetchBody | undefined): Promise<RequestInit> {
  const made = typeof body === 'function' ? await body() : body;
  if (made === undefined || made === null) return {};
  // A stream as a body must be announced (Fetch standard, RequestDuplex).
  return isReplayable(made) ? { body: made } : ({ body: made, duplex: 'half' } as RequestInit);
}

/** Hears a Node stream fail while the call that will read it waits: unheard, that would end the process. */
export function failureOf(body: AuthFetchBody | undefined): { readonly error?: unknown } {
  const failure: { error?: unknown } = {};
  const stream = body as { on?: unknown } | null | undefined;
  if (typeof stream === 'object' && typeof stream?.on === 'function')
    stream.on('error', (error: unknown) => {
      failure.error = error;
    });
  return failure;
}
