import { startTimer } from '../clock.js';
import { toResponse } from '../signals/answer.js';
import { tooLong } from './body.js';
import { type Body, connectionOf, type Incoming } from './incoming.js';
import { Refused, type Reply, type StreamReply } from './reply.js';

/** Whoever passes a `Response` on reads it at once; nobody says so of one that is dropped. */
const UNREAD_MS = 10_000;

export function webIncoming(request: Request, https: boolean | undefined): Incoming {
  const connection = connectionOf(request, https);
  const target = request.url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').replace(/#.*$/s, '');
  return {
    ...connection,
    target,
    wholeTarget: target,
    mount: '',
    host: connection.host ?? (URL.canParse(request.url) ? new URL(request.url).host : undefined),
    body: (most, signal) => readBody(request, most, signal),
  };
}

export function webResponse(request: Request, reply: Reply): Response {
  const isHead = request.method === 'HEAD';
  if (!('start' in reply)) return toResponse(isHead ? { ...reply, body: '' } : reply);
  const answer = { status: reply.status, headers: reply.headers, body: '' };
  if (isHead || request.signal.aborted) {
    reply.abandon();
    return toResponse(answer);
  }
  return new Response(streamOf(reply, request.signal), toResponse(answer));
}

function streamOf(reply: StreamReply, signal: AbortSignal): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let leave = (): void => {};
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        let isOpen = true;
        let written = 0;
        const pending = (): number => (isOpen ? -(controller.desiredSize ?? 0) : 0);
        const over = (tell: () => void): void => {
          if (!isOpen) return;
          isOpen = false;
          unread.cancel();
          signal.removeEventListener('abort', aborted);
          tell();
        };
        const cut = (): void => over(() => controller.error(new Error('the listener does not take what it is sent')));
        const unread = startTimer(UNREAD_MS, () => {
          if (pending() < written) return;
          cut();
          leave();
        });
        const aborted = (): void => leave();
        leave = reply.start({
          write(text) {
            if (!isOpen) return;
            const bytes = encoder.encode(text);
            written += bytes.byteLength;
            controller.enqueue(bytes);
          },
          get pendingBytes() {
            return pending();
          },
          end: () => over(() => controller.close()),
          cut,
        });
        if (isOpen) signal.addEventListener('abort', aborted, { once: true });
      },
      cancel: () => leave(),
    },
    { highWaterMark: 0, size: (chunk) => chunk.byteLength },
  );
}

async function readBody(request: Request, most: number, signal: AbortSignal): Promise<Body> {
  if (request.bodyUsed) throw new TypeError('fetch: the body of the request has been read before');
  if (request.body === null) return { bytes: new Uint8Array() };
  const reader = request.body.getReader();
  const giveUp = (): void => void reader.cancel().catch(() => {});
  signal.addEventListener('abort', giveUp, { once: true });
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { bytes: Buffer.concat(chunks) };
      length += value.byteLength;
      if (length > most) throw tooLong(most);
      chunks.push(value);
    }
  } catch (error) {
    giveUp();
    throw error instanceof Refused ? error : new Refused(400, 'the body did not arrive');
  }
}
