import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type SessionGate, sendAnswer } from '../../src/signals/index.js';

interface Reply {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly setCookies: readonly string[];
  readonly body: string;
}

export interface GatedServer {
  readonly url: string;
  get(path: string, options?: { cookie?: string; method?: string; headers?: Record<string, string> }): Promise<Reply>;
  close(): Promise<void>;
}

/** A gateway that answers `hello NAME` to those whom the gate lets in. */
export async function gatedServer(gate: SessionGate<string>): Promise<GatedServer> {
  const server = createServer(async (incoming, outgoing) => {
    const who = await gate.authenticate(incoming);
    if (!who.ok) return sendAnswer(outgoing, who.answer);
    if (who.setCookies.length > 0) outgoing.setHeader('Set-Cookie', [...who.setCookies]);
    outgoing.end(`hello ${who.session}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    get: (path, { cookie, method = 'GET', headers = {} } = {}) =>
      new Promise((resolve, reject) => {
        const sent = cookie === undefined ? headers : { ...headers, Cookie: cookie };
        const asking = request({ host: '127.0.0.1', port, path, method, headers: sent, agent: false }, (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('end', () =>
            resolve({
              status: answer.statusCode ?? 0,
              headers: answer.headers,
              setCookies: answer.headers['set-cookie'] ?? [],
              body: Buffer.concat(chunks).toString(),
            }),
          );
        });
        asking.on('error', reject);
        asking.end();
      }),
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
