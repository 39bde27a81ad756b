import pRetry from 'p-retry';
import { startTimer } from '../clock.js';
import type { Flight } from './flight.js';

/** How often, and with what pauses, a run repeats what failed for reasons that pass (429, 5xx, network). */
export interface TransientOptions {
  /** Repeats at the most, beside the first attempt. */
  readonly retries: number;
  /** The first pause, doubled each time and stretched at random by up to as much again. Default 500 ms. */
  readonly minMs?: number | undefined;
  /** The longest pause of our own. Default 30 s. */
  readonly maxMs?: number | undefined;
  /** The longest pause that a Retry-After is granted: a longer one is cut to it. Default 60 s. */
  readonly maxRetryAfterMs?: number | undefined;
}

/** Thrown to p-retry, which retries what is thrown. */
class StillFailing extends Error {}

interface TransientRun<S> extends TransientOptions {
  readonly flight: Flight;
  /** Until the run's time limit. */
  readonly remainingMs: () => number;
  /** Nobody will get this failure any more: its answer is read away, so that its socket can serve the next. */
  readonly giveUp: (failed: S) => Promise<void>;
}

/**
 * Goes on from a first transient failure: pauses, and sends again, until something else comes of it or the retries are used up. Gives the
 * last failure back at once if the upstream asks for a pause that the run has no time for.
 */
export async function retryTransient<S extends { readonly kind: string; readonly retryAfterMs?: number | undefined }>(
  first: S,
  again: () => Promise<S>,
  { retries, minMs = 500, maxMs = 30_000, maxRetryAfterMs = 60_000, flight, remainingMs, giveUp }: TransientRun<S>,
): Promise<S> {
  let last = first;
  try {
    return await pRetry(
      async (attemptNumber) => {
        // p-retry's first attempt is the one that has failed already.
        flight.resting = false;
        if (attemptNumber > 1) {
          await giveUp(last);
          last = await again();
        }
        if (last.kind === 'transient') throw new StillFailing();
        return last;
      },
      {
        retries,
        minTimeout: minMs,
        maxTimeout: maxMs,
        randomize: true,
        unref: true,
        signal: flight.signal,
        shouldRetry: ({ error }) => error instanceof StillFailing,
        onFailedAttempt: async ({ retriesLeft, retriesConsumed, error }) => {
          if (!(error instanceof StillFailing) || retriesLeft === 0) return;
          flight.resting = true;
          if (last.retryAfterMs === undefined) return;
          const asked = Math.min(last.retryAfterMs, maxRetryAfterMs);
          if (asked >= remainingMs()) throw error;
          // p-retry's own pause follows, so only the difference is waited for here.
          await pause(asked - Math.min(minMs * 2 ** retriesConsumed, maxMs), flight);
        },
      },
    );
  } catch (error) {
    if (error instanceof StillFailing) return last;
    void giveUp(last);
    throw error;
  } finally {
    flight.resting = false;
  }
}

async function pause(ms: number, flight: Flight): Promise<void> {
  if (ms <= 0) return;
  await flight.wait<void>((resolve) => {
    const timer = startTimer(ms, resolve);
    return () => timer.cancel();
  });
}
