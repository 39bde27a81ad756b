import { startTimer } from '../clock.js';
import { parsedBody, tooLong } from './body.js';
import { hasLeft, whenLeft } from './departure.js';
import { type Body, connectionOf, type Incoming } from './incoming.js';
import type { OperatorRequest, OperatorResponse } from './options.js';
import { Refused, type Reply, type StreamReply } from './reply.js';

/** How long a stream that has ended may still be on its way. */
const LAST_MS = 2_000;

/** What Node's `IncomingMessage` has of a stream; whatever a framework has wrapped may lack it. */
interface BodyStream {
  readonly readableDidRead: boolean;
  readonly destroyed: boolean;
  on(event: string, listener: (chunk: Uint8Array) => void): unknown;
  off(event: string, listener: (chunk: Uint8Array) => void): unknown;
}

export function nodeIncoming(request: OperatorRequest, https: boolean | undefined): Incoming {
  const { url = '', originalUrl, baseUrl } = request;
  return {
    ...connectionOf(request, https),
    target: url,
    wholeTarget: typeof originalUrl === 'string' ? originalUrl : url,
    mount: typeof baseUrl === 'string' ? baseUrl : '',
    body: (most, signal) => readBody(request, most, signal),
  };
}

export function sendReply(incoming: Incoming, response: OperatorResponse, reply: Reply): void {
  const isHead = incoming.method === 'HEAD';
  const isLate = response.headersSent || hasLeft(incoming.request, response);
  if ('start' in reply && !isLate && !isHead) {
    sendStream(incoming.request, response, reply);
    return;
  }
  if ('start' in reply) reply.abandon();
  if (isLate) return;
  const { status, headers } = reply;
  const body = 'body' in reply ? reply.body : '';
  response.writeHead(status, 'body' in reply ? { ...headers, 'Content-Length': String(Buffer.byteLength(body)) } : { ...headers });
  response.end(isHead ? '' : body);
}

function sendStream(request: OperatorRequest, response: OperatorResponse, reply: StreamReply): void {
  try {
    response.writeHead(reply.status, { ...reply.headers });
  } catch (error) {
    reply.abandon();
    throw error;
  }
  let last: { cancel(): void } | undefined;
  const cut = (): void => void (response.destroy === undefined ? response.end('') : response.destroy());
  const leave = reply.start({
    write: (text) => void response.write(text),
    get pendingBytes() {
      return response.writableLength ?? 0;
    },
    end() {
      response.end('');
      last = startTimer(LAST_MS, cut);
    },
    cut,
  });
  whenLeft(request, response, () => {
    leave();
    last?.cancel();
  });
}

function readBody(request: OperatorRequest, most: number, signal: AbortSignal): Promise<Body> {
  const stream = request as OperatorRequest & Partial<BodyStream>;
  const { body } = request;
  if (stream.readableDidRead === true || !isStream(stream)) {
    if (body !== undefined) return Promise.resolve().then(() => parsedBody(body, most));
    return Promise.reject(new TypeError('handle: the body of the request has been read before, and `request.body` does not hold it'));
  }
  return new Promise<Body>((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    const end = (tell: () => void): void => {
      for (const [event, listener] of Object.entries(listeners)) stream.off(event, listener);
      // It goes on flowing: what still comes is let go, and the connection stays usable.
      tell();
    };
    const lost = (): void => end(() => reject(new Refused(400, 'the body did not arrive')));
    const listeners = {
      data: (chunk: Uint8Array): void => {
        length += chunk.byteLength;
        if (length > most) end(() => reject(tooLong(most)));
        else chunks.push(chunk);
      },
      end: (): void => end(() => resolve({ bytes: Buffer.concat(chunks) })),
      error: lost,
      close: lost,
    };
    for (const [event, listener] of Object.entries(listeners)) stream.on(event, listener);
    signal.addEventListener('abort', lost, { once: true });
    // It will not say so again.
    if (stream.destroyed) lost();
  });
}

function isStream(request: Partial<BodyStream>): request is BodyStream {
  return typeof request.on === 'function' && typeof request.off === 'function';
}
