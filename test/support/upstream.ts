import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Upstream {
  readonly url: string;
  readonly requests: { method: string; path: string; headers: IncomingMessage['headers']; body: string }[];
  /** TCP connections accepted so far. */
  readonly connections: number;
  close(): Promise<void>;
}

export type Answer =
  | { status: number; headers?: Record<string, string>; body?: string }
  | ((request: IncomingMessage, response: ServerResponse) => void);

/**
 * A real HTTP server on a free port of the loopback interface. `script` gives the answer to each request; a request that it
 * gives none for is answered with 599 and makes `close` throw, which fails the test.
 */
export async function scriptedUpstream(
  script: (request: {
    method: string;
    path: string;
    headers: IncomingMessage['headers'];
    body: string;
    raw: Buffer;
    count: number;
  }) => Answer | undefined,
): Promise<Upstream> {
  const requests: Upstream['requests'] = [];
  const unexpected: string[] = [];
  let connections = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const raw = Buffer.concat(chunks);
      const entry = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body: raw.toString() };
      requests.push(entry);
      const answer = script({ ...entry, raw, count: requests.length });
      if (answer === undefined) {
        unexpected.push(`${entry.method} ${entry.path}`);
        response.writeHead(599).end();
      } else if (typeof answer === 'function') {
        answer(request, response);
      } else {
        response.writeHead(answer.status, answer.headers).end(answer.body ?? '');
      }
    });
  });
  server.on('connection', () => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    get connections() {
      return connections;
    },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      if (unexpected.length > 0) throw new Error(`unexpected requests: ${unexpected.join(', ')}`);
    },
  };
}
