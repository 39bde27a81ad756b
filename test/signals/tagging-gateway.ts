import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer as createSocketServer } from 'node:net';
import { type TagOptions, tagHeaders, tagTrailers } from '../../src/signals/index.js';

export interface Running {
  readonly url: string;
  close(): Promise<void>;
}

/** An upstream that says byte for byte what it is told to, which no HTTP server of Node's would. */
export async function rawUpstream(text: string): Promise<Running> {
  const server = createSocketServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(text.replaceAll('\n', '\r\n')));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => void server.close(),
  };
}

/** A panel's gateway: `/own/401` is its own answer, everything else the upstream's, headers from `headers` or `rawHeaders`. */
export async function taggingGateway(
  upstream: string,
  source: 'headers' | 'rawHeaders' = 'headers',
  options?: TagOptions,
): Promise<Running> {
  const pass = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const upstreamRequest = request(`${upstream}${incoming.url}`, { method: incoming.method ?? 'GET', agent: false }, (answer) => {
      const status = answer.statusCode ?? 502;
      outgoing.writeHead(status, tagHeaders(status, answer[source], options));
      answer.on('data', (chunk) => outgoing.write(chunk));
      answer.on('end', () => {
        outgoing.addTrailers(tagTrailers(answer.trailers as Record<string, string>));
        outgoing.end();
      });
    });
    upstreamRequest.on('error', () => outgoing.writeHead(502).end('upstream unreachable'));
    incoming.pipe(upstreamRequest);
  };
  const server = createServer((incoming, outgoing) => {
    const own = /^\/own\/(\d+)$/.exec(incoming.url ?? '');
    if (own !== null) outgoing.writeHead(Number(own[1])).end('own');
    else pass(incoming, outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

export interface Exchange {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly trailers: IncomingMessage['trailers'];
  readonly body: string;
}

/** A client that sees trailers, which `fetch` does not. */
export function ask(url: string, method = 'GET', body?: string): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { method, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const { statusCode: status = 0, headers, rawHeaders, trailers } = answer;
        resolve({ status, headers, rawHeaders, trailers, body: Buffer.concat(chunks).toString() });
      });
    });
    asking.on('error', reject);
    asking.end(body);
  });
}
