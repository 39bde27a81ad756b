import { startTimer } from '../clock.js';

/** How much of a failed answer's body is looked at, and of one that is given up is read. */
const MOST_PEEKED_BYTES = 16 * 1024;
const MOST_DRAINED_BYTES = 64 * 1024;
const LONGEST_MS = 1_000;

interface WithBody {
  readonly body?: unknown;
  readonly bodyUsed?: unknown;
  clone?: unknown;
}

/** The text of a `Response`'s body, from a clone, so that the caller's stays unread; undefined if it is gone, too slow or not a `Response`. */
export async function peekBody(response: unknown): Promise<string | undefined> {
  const source = response as WithBody | null | undefined;
  if (typeof source !== 'object' || source === null || typeof source.clone !== 'function' || source.bodyUsed !== false) return undefined;
  try {
    const clone = (source.clone as () => WithBody).call(source);
    return isStream(clone.body) ? new TextDecoder().decode(await readUpTo(clone.body, MOST_PEEKED_BYTES)) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Reads away the body of an answer that nobody will get, so that its socket can serve the next call (cancelling it would close the socket);
 * a body too long or too slow for that is cancelled. Never throws.
 */
export async function drain(response: unknown): Promise<void> {
  const source = response as WithBody | null | undefined;
  if (typeof source !== 'object' || source === null) return;
  try {
    if (isStream(source.body)) {
      if (source.bodyUsed !== true && !source.body.locked) await readUpTo(source.body, MOST_DRAINED_BYTES);
    } else if (isNodeStream(source.body)) {
      source.body.on('error', () => {});
      source.body.resume();
    }
  } catch {
    // The connection broke while it was being given up.
  }
}

/** Reads to the end, or to the limits and then cancels. */
async function readUpTo(stream: ReadableStream<Uint8Array>, most: number): Promise<Uint8Array> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  let late = false;
  const timer = startTimer(LONGEST_MS, () => {
    late = true;
    reader.cancel().catch(() => {});
  });
  try {
    while (bytes < most && !late) {
      const { done, value } = await reader.read();
      if (done) return Buffer.concat(chunks);
      chunks.push(value);
      bytes += value.byteLength;
    }
    // Not awaited: the other branch of a clone may never be read.
    reader.cancel().catch(() => {});
    return Buffer.concat(chunks);
  } finally {
    timer.cancel();
  }
}

function isStream(body: unknown): body is ReadableStream<Uint8Array> {
  return typeof body === 'object' && body !== null && typeof (body as { getReader?: unknown }).getReader === 'function';
}

function isNodeStream(body: unknown): body is { resume(): void; on(event: 'error', listener: () => void): void } {
  const stream = body as { resume?: unknown; on?: unknown } | null;
  return typeof stream === 'object' && stream !== null && typeof stream.resume === 'function' && typeof stream.on === 'function';
}
