import { once } from 'node:events';
import { type ClientRequest, createServer, type IncomingMessage, type RequestListener, type RequestOptions, request } from 'node:http';
import { type AddressInfo, connect, createServer as createRawServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach } from 'vitest';
import { type Gateway, startGateway } from '../../examples/gateway/gateway.js';

export const ending: (() => unknown)[] = [];

/** Ends what a test started, last started first. */
export function endProxiesAfterEach(): void {
  afterEach(async () => {
    for (const end of ending.splice(0).reverse()) await end();
  });
}

export async function upstreamOf(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ending.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export interface RawUpstream {
  readonly url: string;
  readonly sockets: readonly Socket[];
}

/** An upstream that says what no HTTP server would, when the first bytes of a request have come. */
export async function rawUpstream(answer: (socket: Socket, request: Buffer) => void): Promise<RawUpstream> {
  const sockets: Socket[] = [];
  const server = createRawServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {}).once('data', (request: Buffer) => answer(socket, request));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ending.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sockets };
}

/** A gateway before one upstream, called `up`, that listens under `/base`. */
export async function gatewayBefore(listener: RequestListener): Promise<Gateway> {
  return gatewayTo(`${await upstreamOf(listener)}/base/`);
}

export async function gatewayTo(url: string): Promise<Gateway> {
  const gateway = await startGateway({ upstreams: { up: url }, warmEveryMs: 60 * 60_000 });
  ending.push(() => gateway.close());
  return gateway;
}

export function open(gateway: Gateway, path: string, options: RequestOptions = {}): ClientRequest {
  const { hostname, port } = new URL(gateway.url);
  const outgoing = request({ hostname, port, path, agent: false, ...options });
  ending.push(() => outgoing.destroy());
  outgoing.on('error', () => {});
  return outgoing;
}

export async function answerTo(outgoing: ClientRequest): Promise<IncomingMessage> {
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  answer.on('error', () => {});
  return answer;
}

export const get = (gateway: Gateway, path: string, options?: RequestOptions): Promise<IncomingMessage> =>
  answerTo(open(gateway, path, options).end());

/** What a raw client sees. */
export async function exchangeRaw(gateway: Pick<Gateway, 'url'>, message: string): Promise<string> {
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
  ending.push(() => socket.destroy());
  socket.write(message);
  return text(socket);
}
