import { onAbort } from '../abort.js';
import { startTimer } from '../clock.js';

/** How long a call may take, and what its caller does when it takes longer. */
export interface Bounds<T> {
  readonly timeoutMs: number;
  /** Ends the waiting, and the call's own signal with it. */
  readonly signal?: AbortSignal | undefined;
  /** Gets what the call answers after the time is over. */
  readonly late?: ((value: T) => void) | undefined;
}

/** Calls a function of the user's, tells it by its signal when nobody waits any more, and waits no longer than that whatever it makes of it. */
export function callWithin<T>(call: (signal: AbortSignal) => T | PromiseLike<T>, { timeoutMs, signal, late }: Bounds<T>): Promise<T> {
  const controller = new AbortController();
  return new Promise<T>((resolve, reject) => {
    let over = false;
    const end = (tell: () => void): void => {
      if (over) return;
      over = true;
      timer.cancel();
      unlisten?.();
      tell();
    };
    const giveUp = (reason: unknown): void =>
      end(() => {
        reject(reason);
        controller.abort(reason);
      });
    const timer = startTimer(timeoutMs, () => giveUp(new Error(`no answer within ${timeoutMs} ms`)));
    const unlisten = signal && onAbort(signal, () => giveUp(signal.reason));
    if (signal?.aborted) return giveUp(signal.reason);
    // A call that throws at once is one that rejects.
    new Promise<T>((answer) => answer(call(controller.signal)))
      .then(
        (value) => (over ? late?.(value) : end(() => resolve(value))),
        (error) => end(() => reject(error)),
      )
      // A late answer that cannot be used is nobody's error.
      .catch(() => {});
  });
}

/** The same promise, for one who may stop waiting: that ends nothing for the others who hold it. */
export function heeding<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const unlisten = onAbort(signal, () => reject(signal.reason));
    if (signal.aborted) reject(signal.reason);
    promise.then(resolve, reject).finally(unlisten);
  });
}
