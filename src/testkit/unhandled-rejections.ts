const EVENT = 'unhandledRejection';

type Listener = (...args: never[]) => void;

/** What is used of Node's process. */
interface ProcessLike {
  rawListeners(event: string): readonly Listener[];
  removeAllListeners(event: string): unknown;
  removeListener(event: string, listener: Listener): unknown;
  on(event: string, listener: Listener): unknown;
  getMaxListeners(): number;
  setMaxListeners(most: number): unknown;
}

/**
 * Takes the rejections that nobody handles, in the place of whoever listens for them, a test runner say; returns how to give that back. Where
 * there is no such event, as in a browser, nothing is taken.
 */
export function takeUnhandledRejections(take: (reason: unknown) => void): () => void {
  const { process } = globalThis as unknown as { readonly process?: Partial<ProcessLike> | undefined };
  if (!isProcess(process)) return () => {};
  // As they are, so that one that listens once does that still.
  const before = process.rawListeners(EVENT);
  process.removeAllListeners(EVENT);
  process.on(EVENT, take);
  return () => {
    process.removeListener(EVENT, take);
    const since = process.rawListeners(EVENT);
    process.removeAllListeners(EVENT);
    // Whoever has many of them was warned of that already.
    const most = process.getMaxListeners();
    process.setMaxListeners(0);
    for (const listener of [...before, ...since]) process.on(EVENT, listener);
    process.setMaxListeners(most);
  };
}

function isProcess(process: Partial<ProcessLike> | undefined): process is ProcessLike {
  const methods = ['rawListeners', 'removeAllListeners', 'removeListener', 'on', 'getMaxListeners', 'setMaxListeners'] as const;
  return methods.every((method) => typeof process?.[method] === 'function');
}
