import { startTimer } from '../clock.js';
import type { Feed, FeedView } from './feed.js';
import type { FeedMessage } from './messages.js';

/** Where an event stream is written to: a response. */
export interface StreamSink {
  write(text: string): void;
  /** What has been written and is not on its way yet. */
  readonly pendingBytes: number;
  end(): void;
}

export interface StreamOptions {
  /** Between two comments that keep the connection open, in milliseconds. Default 15 s. */
  readonly heartbeatMs?: number | undefined;
  /** What a listener may leave untaken, its latest `state` aside; beyond that it is ended. Default 8 MiB. */
  readonly mostPendingBytes?: number | undefined;
}

/** When a browser that was cut off comes back. */
const RETRY_MS = 2_000;

/**
 * Writes a feed as an event stream, as the HTML standard defines it, until the listener does not take what it is sent, or the feed ends. Returns how to stop; the
 * sink is ended with it.
 */
export function streamFeed(
  feed: Feed,
  view: FeedView,
  sink: StreamSink,
  { heartbeatMs = 15_000, mostPendingBytes = 8 * 1_024 * 1_024 }: StreamOptions = {},
): () => void {
  let timer: { cancel(): void } | undefined;
  let unsubscribe: (() => void) | undefined;
  let stopped = false;
  /** However much there is to show, it is sent whole: one that was ended for its size would come back for it for ever. */
  let allowed = mostPendingBytes;

  const stop = (): void => {
    if (stopped) return;
    stopped = true;
    timer?.cancel();
    unsubscribe?.();
    try {
      sink.end();
    } catch {
      // It is gone.
    }
  };

  const write = (text: string): void => {
    try {
      sink.write(text);
      if (sink.pendingBytes > allowed) stop();
    } catch {
      stop();
    }
  };

  const send = ({ event, data }: FeedMessage): void => {
    const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    if (event === 'state') allowed = mostPendingBytes + Buffer.byteLength(text);
    write(text);
  };

  const beat = (): void => {
    timer = startTimer(heartbeatMs, () => {
      write(':\n\n');
      if (!stopped) beat();
    });
  };

  write(`retry: ${RETRY_MS}\n\n`);
  if (stopped) return stop;
  beat();
  unsubscribe = feed.subscribe(view, send, stop);
  // It may have been over before there was anything to unsubscribe.
  if (stopped) unsubscribe();
  return stop;
}
