import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ownerOf } from './tokens.js';

/** What the upstream saw. */
interface Ledgered {
  calls: number;
  unauthorized: number;
  /** Made with a credential of somebody other than the user whose work it was. */
  foreign: number;
  ownWorkDone: number;
  borrowedWorkDone: number;
}

export interface Upstream {
  readonly port: number;
  readonly seen: Ledgered;
  /** The token is dead from now on. */
  expire(token: string): void;
  close(): Promise<void>;
}

const DONE = JSON.stringify({ type: 'message', content: [{ type: 'text', text: 'distilled' }] });
const REFUSED = JSON.stringify({ type: 'error', error: { type: 'authentication_error', message: 'OAuth token has expired' } });
const JSON_HEADERS = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(DONE) };
const REFUSED_HEADERS = {
  'content-type': 'application/json',
  'content-length': Buffer.byteLength(REFUSED),
  'www-authenticate': 'Bearer error="invalid_token"',
};

/** A provider on the loopback interface: `POST /v1/work/USER` with a bearer token, 401 once that token is dead. */
export async function startUpstream(): Promise<Upstream> {
  const expired = new Set<string>();
  const seen: Ledgered = { calls: 0, unauthorized: 0, foreign: 0, ownWorkDone: 0, borrowedWorkDone: 0 };
  const server = createServer((request, response) => {
    request.resume();
    const token = (request.headers.authorization ?? '').replace(/^Bearer /, '');
    const worksFor = (request.url ?? '').slice('/v1/work/'.length);
    const foreign = ownerOf(token) !== worksFor;
    seen.calls++;
    if (foreign) seen.foreign++;
    if (token === '' || expired.has(token)) {
      seen.unauthorized++;
      response.writeHead(401, REFUSED_HEADERS).end(REFUSED);
      return;
    }
    if (foreign) seen.borrowedWorkDone++;
    else seen.ownWorkDone++;
    response.writeHead(200, JSON_HEADERS).end(DONE);
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    expire: (token) => void expired.add(token),
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
