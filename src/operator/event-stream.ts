import { startTimer } from '../clock.js';
import type { Feed, FeedView } from './feed.js';

/** Where an event stream is written to: a response. */
export interface StreamSink {
  write(text: string): void;
  /** What has been written and is not on its way yet. */
  readonly pendingBytes: number;
  /** Ends it after what has been written. */
  end(): void;
  /** Ends it at once, and lets go of what has been written: whoever is there does not take it. */
  cut(): void;
}

export interface StreamOptions {
  /** Between two comments that keep the connection open, in milliseconds. Default 15 s. */
  readonly heartbeatMs?: number | undefined;
  /** What a listener may leave untaken, its latest `state` aside; beyond that it is cut off. Default 8 MiB. */
  readonly mostPendingBytes?: number | undefined;
  /** After so many milliseconds it ends, and whoever listens has to ask again. Default: never. */
  readonly lifeMs?: number | undefined;
  /** Hears of a message that cannot be written. Default: nobody does. */
  readonly failed?: ((error: unknown) => void) | undefined;
}

/** When a browser that was cut off comes back. */
const RETRY_MS = 2_000;
/** The same where nothing is wrong but that the time is over. */
const NEXT_MS = 250;

/**
 * Writes a feed as an event stream, as the HTML standard defines it, until the listener does not take what it is sent, or its time is over, or the feed
 * ends. Returns how to stop; the sink is ended with it.
 */
export function streamFeed(
  feed: Feed,
  view: FeedView,
  sink: StreamSink,
  { heartbeatMs = 15_000, mostPendingBytes = 8 * 1_024 * 1_024, lifeMs, failed }: StreamOptions = {},
): () => void {
  let heartbeat: { cancel(): void } | undefined;
  let life: { cancel(): void } | undefined;
  let unsubscribe: (() => void) | undefined;
  let stopped = false;
  /** However much there is to show, it is sent whole: one that was ended for its size would come back for it for ever. */
  let allowed = mostPendingBytes;

  const finish = (how: 'end' | 'cut'): void => {
    if (stopped) return;
    stopped = true;
    heartbeat?.cancel();
    life?.cancel();
    unsubscribe?.();
    try {
      sink[how]();
    } catch {
      // It is gone.
    }
  };
  const stop = (): void => finish('end');

  const write = (textOf: () => string, isState = false): void => {
    try {
      const text = textOf();
      if (isState) allowed = mostPendingBytes + Buffer.byteLength(text);
      sink.write(text);
      if (sink.pendingBytes > allowed) finish('cut');
    } catch (error) {
      failed?.(error);
      finish('cut');
    }
  };

  const beat = (): void => {
    heartbeat = startTimer(heartbeatMs, () => {
      write(() => ':\n\n');
      if (!stopped) beat();
    });
  };

  const expire = (): void => {
    // What is not taken by now would be waited for without an end.
    if (sink.pendingBytes > 0) finish('cut');
    else write(() => `retry: ${NEXT_MS}\n\n`);
    stop();
  };

  write(() => `retry: ${RETRY_MS}\n\n`);
  if (stopped) return stop;
  beat();
  if (lifeMs !== undefined) life = startTimer(lifeMs, expire);
  unsubscribe = feed.subscribe(view, ({ event }, text) => write(text, event === 'state'), stop);
  // It may have been over before there was anything to unsubscribe.
  if (stopped) unsubscribe();
  return stop;
}
