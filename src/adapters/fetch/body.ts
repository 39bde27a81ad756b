type Body = NonNullable<RequestInit['body']>;

/** What `fetch` takes as a body, or a function that makes one, asked anew for each sending. */
export type AuthFetchBody = Body | null | (() => Body | null | undefined | Promise<Body | null | undefined>);

/** Whether a body can be sent a second time. A stream cannot: it would have to be kept in memory whole. */
export function isReplayable(body: AuthFetchBody | undefined): boolean {
  if (body === undefined || body === null || typeof body === 'string' || typeof body === 'function') return true;
  if (ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return true;
  return body instanceof Blob || body instanceof FormData || body instanceof URLSearchParams;
}

export async function makeBody(body: AuthFetchBody | undefined): Promise<Body | null | undefined> {
  return typeof body === 'function' ? body() : body;
}
