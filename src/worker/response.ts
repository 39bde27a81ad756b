import { startTimer } from '../clock.js';

/** How much of a failed answer's body is looked at, and of one that is given up is read. */
const MOST_PEEKED_BYTES = 16 * 1024;
const MOST_DRAINED_BYTES = 64 * 1024;
const LONGEST_MS = 1_000;

interface WithBody {
  readonly body?: unknown;
  readonly data?: unknown;
  readonly bodyUsed?: unknown;
  clone?: unknown;
}

/** The part of a Node stream that is needed to empty it. */
interface NodeStream {
  readonly destroyed?: boolean;
  readonly readableDidRead?: boolean;
  readonly readableEnded?: boolean;
  on(event: string, listener: (chunk: { readonly length?: number }) => void): unknown;
  resume(): unknown;
  destroy(): unknown;
}

/** The text of a `Response`'s body, from a clone, so that the caller's stays unread; undefined if it is gone or not a `Response`. */
export async function peekBody(response: unknown): Promise<string | undefined> {
  if (typeof response !== 'object' || response === null) return undefined;
  const source = response as WithBody;
  try {
    if (typeof source.clone !== 'function' || source.bodyUsed !== false) return undefined;
    const { body } = source.clone() as WithBody;
    if (!isStream(body)) return undefined;
    const chunks: Uint8Array[] = [];
    await readUpTo(body, MOST_PEEKED_BYTES, (chunk) => chunks.push(chunk));
    return new TextDecoder().decode(Buffer.concat(chunks).subarray(0, MOST_PEEKED_BYTES));
  } catch {
    return undefined;
  }
}

/**
 * Reads away the body of an answer that nobody will get, so that its socket can serve the next call (cancelling it would close the socket);
 * a body too long or too slow for that is cancelled. Leaves alone what somebody reads already. Never throws.
 */
export async function drain(response: unknown): Promise<void> {
  if (typeof response !== 'object' || response === null) return;
  try {
    const source = response as WithBody;
    // axios keeps a streamed body on `data`; Node's own answer is its body.
    const body = [source.body, source.data, source].find((candidate) => isStream(candidate) || isNodeStream(candidate));
    if (isStream(body)) {
      if (source.bodyUsed !== true && !body.locked) await readUpTo(body, MOST_DRAINED_BYTES, () => {});
    } else if (isNodeStream(body)) {
      if (body.readableDidRead !== true && body.readableEnded !== true && body.destroyed !== true) await emptyNodeStream(body);
    }
  } catch {
    // The connection broke while it was being given up.
  }
}

/** Reads to the end, or to the limits and then cancels. */
async function readUpTo(stream: ReadableStream<Uint8Array>, most: number, take: (chunk: Uint8Array) => void): Promise<void> {
  const reader = stream.getReader();
  // Not awaited: the other branch of a clone may never be read.
  const cancel = (): void => void reader.cancel().catch(() => {});
  const timer = startTimer(LONGEST_MS, cancel);
  try {
    for (let bytes = 0; bytes < most; ) {
      const { done, value } = await reader.read();
      if (done) return;
      take(value);
      bytes += value.byteLength;
    }
  } finally {
    timer.cancel();
    // Nothing happens to a stream that has ended.
    cancel();
  }
}

function emptyNodeStream(stream: NodeStream): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0;
    const timer = startTimer(LONGEST_MS, () => stream.destroy());
    const end = (): void => {
      timer.cancel();
      resolve();
    };
    stream.on('data', (chunk) => {
      bytes += chunk.length ?? 0;
      if (bytes >= MOST_DRAINED_BYTES) stream.destroy();
    });
    for (const event of ['end', 'error', 'close']) stream.on(event, end);
    stream.resume();
  });
}

function isStream(body: unknown): body is ReadableStream<Uint8Array> {
  return typeof body === 'object' && body !== null && typeof (body as { getReader?: unknown }).getReader === 'function';
}

function isNodeStream(body: unknown): body is NodeStream {
  const stream = body as { resume?: unknown; on?: unknown; destroy?: unknown } | null;
  return typeof stream === 'object' && stream !== null && [stream.resume, stream.on, stream.destroy].every((f) => typeof f === 'function');
}
