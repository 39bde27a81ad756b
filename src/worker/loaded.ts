import { onAbort } from '../abort.js';
import { type Clock, startTimer } from '../clock.js';
import { LatchkeyError } from '../errors.js';
import type { WorkScope } from '../ledger/scope-key.js';
import type { Replica } from '../ledger/store.js';
import type { RunOptions } from './run-options.js';

export interface LoadedOptions extends Pick<RunOptions, 'signal' | 'timeoutMs'> {
  readonly replica: Replica;
  readonly clock: Clock;
}

/**
 * Waits until what the fleet knows of a scope is here, or the store turns out to be down.
 * @returns what is left of `timeoutMs`.
 * @throws {LatchkeyError} `TIMEOUT`, or the signal's reason.
 */
export async function waitLoaded(scope: WorkScope, { replica, clock, signal, timeoutMs }: LoadedOptions): Promise<number | undefined> {
  const before = clock.now();
  let timer: { cancel(): void } | undefined;
  let unlisten: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      if (signal !== undefined) {
        if (signal.aborted) reject(signal.reason);
        else unlisten = onAbort(signal, () => reject(signal.reason));
      }
      const late = (): void => reject(new LatchkeyError('TIMEOUT', `the run took longer than ${timeoutMs} ms`, { scope: scope.parts }));
      if (timeoutMs !== undefined) timer = startTimer(timeoutMs, late);
      replica.load([scope]).then(resolve, reject);
    });
  } finally {
    timer?.cancel();
    unlisten?.();
  }
  return timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - (clock.now() - before));
}
