import { afterEach } from 'vitest';
import { bearer } from '../../src/credential/credential.js';
import { createPlaneClient, type PlaneClient, type PlaneClientOptions } from '../../src/guard/plane-client.js';
import { type RecordingServer, recording } from './plane-servers.js';

export const SECRET = 'tok-9f8e7d6c5b4a39281706f5e4d3c2b1a0';
export const token = bearer(SECRET);
export const isBulk = (path: string): boolean => path.startsWith('/bulk/');
export const urls = ({ seen }: RecordingServer): string[] => seen.map(({ method, url }) => `${method} ${url}`);
export const text = async (answer: Promise<Response>): Promise<string> => (await answer).text();

const started: RecordingServer[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.close()));
});
export async function serve(...settings: Parameters<typeof recording>): Promise<RecordingServer> {
  const server = await recording(...settings);
  started.push(server);
  return server;
}

/** A bulk server that answers `bulk`, and a control server that answers `control`, and 404 with the hint to a bulk path. */
export async function pair(hint?: (bulk: string) => Record<string, string | string[]>) {
  const bulk = await serve((_, response) => response.end('bulk'));
  const named = { hint: (hint ?? ((url: string) => ({ 'X-Bulk-Url': url })))(bulk.url) };
  const control = await serve((request, response) => {
    if (isBulk(request.url ?? '')) response.writeHead(404, named.hint).end('not here');
    else response.end('control');
  });
  const client = (options: Partial<PlaneClientOptions> = {}): PlaneClient =>
    createPlaneClient({ url: control.url, token, isBulk, ...options });
  return { bulk, control, client, named };
}
