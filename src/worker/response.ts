import { startTimer } from '../clock.js';

const PEEKED = new Set([400, 401, 403]);
/** How much of a failed answer's body is looked at, and of one that is given up is read. */
export const MOST_PEEKED_BYTES = 16 * 1024;
export const MOST_DRAINED_BYTES = 64 * 1024;
/** How long either may take, in milliseconds. */
export const LONGEST_MS = 1_000;

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

/** Whether an answer's body may say more about the credential than its status. */
export function isPeeked(status: number): boolean {
  return PEEKED.has(status);
}

/** The text of a `Response`'s body, from a clone, so that the caller's stays unread; undefined if it is gone or not a `Response`. */
export async function peekBody(response: unknown): Promise<string | undefined> {
  if (typeof response !== 'object' || response === null) return undefined;
  const source = response as WithBody;
  try {
    // Only of a web stream: the clone of a Node stream would stall the original unless both are read.
    if (typeof source.clone !== 'function' || source.bodyUsed !== false || !isStream(source.body)) return undefined;
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

/** Reads to the end, or to the limits and then cancels. What the body does then is not waited for. */
async function readUpTo(stream: ReadableStream<Uint8Array>, most: number, take: (chunk: Uint8Array) => void): Promise<void> {
  const reader = stream.getReader();
  let stop!: () => void;
  const late = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
  });
  const timer = startTimer(LONGEST_MS, stop);
  try {
    // An empty chunk counts too, or a stream of nothing else would never end.
    for (let read = 0; read < most; ) {
      const next = await Promise.race([reader.read(), late]);
      if (next === undefined || next.done) return;
      take(next.value);
      read += Math.max(1, next.value.byteLength);
    }
  } finally {
    timer.cancel();
    // Nothing happens to a stream that has ended; the other branch of a clone may never be read.
    new Promise((resolve) => resolve(reader.cancel())).catch(() => {});
  }
}

function emptyNodeStream(stream: NodeStream): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0;
    const end = (): void => {
      timer.cancel();
      resolve();
    };
    const giveUp = (): void => {
      stream.destroy();
      end();
    };
    const timer = startTimer(LONGEST_MS, giveUp);
    stream.on('data', (chunk) => {
      bytes += chunk.length ?? 0;
      if (bytes >= MOST_DRAINED_BYTES) giveUp();
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
