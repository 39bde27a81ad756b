/** A response of the gateway's own, for whatever server it has. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: string;
}

/** What `sendAnswer` needs of Node's `ServerResponse`. */
export interface AnswerTarget {
  readonly headersSent: boolean;
  writeHead(status: number, headers: Record<string, string | string[]>): unknown;
  end(body: string): unknown;
}

/** Writes an answer to Node's `ServerResponse`, or to that of Express; nothing if another answer is on its way. */
export function sendAnswer(response: AnswerTarget, { status, headers, body }: Answer): void {
  if (response.headersSent) return;
  response.writeHead(status, { ...headers });
  response.end(body);
}

/** The same answer as a `Response`. */
export function toResponse({ status, headers, body }: Answer): Response {
  const written = new Headers();
  for (const [name, value] of Object.entries(headers)) for (const one of [value].flat()) written.append(name, one);
  return new Response(body === '' ? null : body, { status, headers: written });
}
