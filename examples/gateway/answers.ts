import { type ServerResponse, STATUS_CODES } from 'node:http';

/** An answer of the gateway's own; whole, also where the headers of another one were tried before. */
export function sendJson(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  const text = JSON.stringify(body);
  response
    .writeHead(status, STATUS_CODES[status] ?? '', {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...headers,
    })
    .end(text);
}
