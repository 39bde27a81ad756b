import { startTimer } from '../clock.js';
import { type StreamSink, streamFeed } from './event-stream.js';
import type { Feed } from './feed.js';
import { ALWAYS, errorAnswer, type Reply } from './reply.js';

/** Pages that are open at once; nobody has more operators awake. */
const MOST_STREAMS = 32;
const RETRY_AFTER_S = 5;

export interface EventSeats {
  /** A stream of events, or a 503 when all seats are taken. `leftMs`: until its listener's session is over. */
  open(view: 'timeline' | 'page', leftMs: number | undefined): Reply;
  /** Closes the feed, which ends every stream, and lets nobody in any more. */
  close(): void;
}

export function createEventSeats(feed: Feed): EventSeats {
  let taken = 0;
  let isClosed = false;
  return {
    open(view, leftMs) {
      if (isClosed || taken >= MOST_STREAMS) return errorAnswer(503, 'too many event streams', { 'Retry-After': String(RETRY_AFTER_S) });
      taken++;
      let isFree = false;
      const free = (): void => {
        isFree = true;
        taken--;
      };
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
          let stop: (() => void) | undefined;
          const leave = (): void => {
            if (isFree) return;
            free();
            expiry?.cancel();
            stop?.();
          };
          const end = (): void => {
            leave();
            sink.end();
          };
          const expiry = leftMs === undefined ? undefined : startTimer(leftMs, end);
          stop = streamFeed(feed, view, seated(sink, end));
          return leave;
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

/** Whoever ends the stream frees its seat. */
function seated(sink: StreamSink, end: () => void): StreamSink {
  return {
    write: (text) => sink.write(text),
    get pendingBytes() {
      return sink.pendingBytes;
    },
    end,
  };
}
