import { setMaxListeners } from 'node:events';

/** Listens for a signal's abort, once; returns how to stop. */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  // A gateway's shutdown signal is given to hundreds of calls at a time, which is no leak: Node would warn from the eleventh on.
  if (signal instanceof AbortSignal) setMaxListeners(0, signal);
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}
