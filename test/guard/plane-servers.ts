import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
  /** Everything that came, headers and body, as one text. */
  readonly text: string;
  readonly body: Buffer;
}

export interface RecordingServer {
  readonly url: string;
  readonly port: number;
  readonly seen: Seen[];
  close(): Promise<void>;
}

type Answering = (request: IncomingMessage, response: ServerResponse, count: number) => void;

/** A real server that remembers what came; `answer` gets each request once its body is there. Port 0: a free one. */
export async function recording(answer: Answering, server: Server = createServer(), port = 0): Promise<RecordingServer> {
  const seen: Seen[] = [];
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const { method = '', url = '', rawHeaders } = request;
      seen.push({
        method,
        url,
        authorization: request.headers.authorization,
        text: [method, url, ...rawHeaders, body.toString('latin1')].join('\n'),
        body,
      });
      answer(request, response, seen.length);
    });
  });
  await new Promise<void>((resolve, reject) => server.on('error', reject).listen(port, '127.0.0.1', resolve));
  const actual = (server.address() as AddressInfo).port;
  return {
    url: `${'setSecureContext' in server ? 'https' : 'http'}://127.0.0.1:${actual}`,
    port: actual,
    seen,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
