import { streamFeed } from './event-stream.js';
import type { Feed } from './feed.js';
import { ALWAYS, errorAnswer, type Reply } from './reply.js';

/** Pages that are open at once; nobody has more operators awake. */
const MOST_STREAMS = 32;
const RETRY_AFTER_S = 5;

export interface EventSeats {
  /** A stream of events, or a 503 when all seats are taken. `lifeMs`: until its listener has to ask again. */
  open(view: 'timeline' | 'page', lifeMs: number): Reply;
  /** Closes the feed, which ends every stream, and lets nobody in any more. */
  close(): void;
}

/** `failed` hears of what cannot be told. */
export function createEventSeats(feed: Feed, failed: (error: unknown) => void): EventSeats {
  let taken = 0;
  let isClosed = false;
  return {
    open(view, lifeMs) {
      if (isClosed || taken >= MOST_STREAMS) return errorAnswer(503, 'too many event streams', { 'Retry-After': String(RETRY_AFTER_S) });
      taken++;
      const free = (): void => void taken--;
      return {
        status: 200,
        headers: {
          ...ALWAYS,
          // A compressing middleware would keep events back.
          'Cache-Control': 'no-store, no-transform',
          'Content-Type': 'text/event-stream; charset=utf-8',
          'X-Accel-Buffering': 'no',
        },
        start(sink) {
          // Whoever ends the stream frees its seat, and it is ended once.
          const seated = {
            write: (text: string) => sink.write(text),
            get pendingBytes() {
              return sink.pendingBytes;
            },
            end() {
              free();
              sink.end();
            },
            cut() {
              free();
              sink.cut();
            },
          };
          return streamFeed(feed, view, seated, { lifeMs, failed });
        },
        abandon: free,
      };
    },
    close() {
      isClosed = true;
      feed.close();
    },
  };
}
