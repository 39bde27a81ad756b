import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ScriptedUpstream } from './upstream.js';
import { contentOf } from './upstream-rules.js';

/** A status that no upstream gives: what was to be answered could not be. */
const BROKEN = 599;

/** Answers over HTTP, on a free port of the loopback interface. */
export async function listen(upstream: ScriptedUpstream): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    request.resume();
    void serve(upstream, request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  // Whoever waits for an answer has a socket of its own.
  server.unref();
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(upstream: ScriptedUpstream, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const answer = await upstream.answer({
      method: request.method ?? 'GET',
      path: pathOf(request.url ?? '/'),
      headers: request.headers,
      onGone(gone) {
        const onClose = (): void => gone(new Error('the client has gone'));
        response.on('close', onClose);
        return () => void response.off('close', onClose);
      },
    });
    if (answer.fails !== undefined) {
      request.socket.destroy();
      return;
    }
    const { text, headers } = contentOf(answer);
    response.writeHead(answer.status ?? 200, headers).end(text);
  } catch {
    if (!response.headersSent) response.writeHead(BROKEN);
    response.end();
  }
}

/** `//` is a path, and not the beginning of a host; `*`, and what a proxy is asked for, are no paths. */
function pathOf(target: string): string {
  if (target.startsWith('/')) return new URL(`http://upstream.test${target}`).pathname;
  return URL.canParse(target) ? new URL(target).pathname : target.replace(/\?.*/s, '');
}
