import { startTimer } from '../clock.js';
import { Credential } from '../credential/credential.js';
import { isInstance } from '../instance.js';
import type { Lease } from '../ledger/lease.js';

/** What a refresh is told beside the lease. */
export interface RefreshContext {
  /** Aborts when the try takes longer than `refreshMs`, or Latchkey is closed. Pass it on to the client. */
  readonly signal: AbortSignal;
}

/**
 * Gets a credential in place of one that has expired, is about to, or was rejected: the lease says which, and for whose work. Resolves with undefined where
 * there is nothing to refresh it with; rejects with what the token endpoint's client threw.
 */
export type RefreshFunction = (lease: Lease, context: RefreshContext) => Credential | undefined | Promise<Credential | undefined>;

/** The try took too long. */
class RefreshTimeout extends Error {}
Object.defineProperty(RefreshTimeout.prototype, 'name', { value: 'TimeoutError', configurable: true, writable: true });

/**
 * One try, broken off after so many milliseconds. What arrives after that all the same goes to `late`: a refresh token may have been used up for it.
 * @throws what the function threw, a time-out, or a TypeError for what is no credential.
 */
export async function callRefresh(
  refresh: RefreshFunction,
  lease: Lease,
  ms: number,
  controller: AbortController,
  late: (credential: Credential) => void,
): Promise<Credential | undefined> {
  let isOver = false;
  const timer = startTimer(ms, () => controller.abort(new RefreshTimeout(`the refresh took longer than ${ms} ms`)));
  const { signal } = controller;
  const broken = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  const answer = (async () => {
    const credential = await refresh(lease, { signal });
    if (credential !== undefined && !isInstance(credential, Credential)) throw new NoCredential();
    if (isOver && credential !== undefined) late(credential);
    return credential;
  })();
  try {
    return await Promise.race([answer, broken]);
  } finally {
    isOver = true;
    timer.cancel();
  }
}

/** Its words are ours. */
class NoCredential extends TypeError {
  constructor() {
    super('the refresh function must resolve with a credential from bearer() or apiKey(), or with undefined');
  }
}

/** What a refresh threw, by its kind and the place that it comes from. Its words may hold a refresh token, which nobody here knows to look for. */
export function withoutWords(error: unknown, isRead = false): Error {
  if (isInstance(error, NoCredential)) return error;
  const isError = isInstance(error, Error);
  const [name, stack] = isError ? [textOf(error, 'name'), textOf(error, 'stack')] : [undefined, undefined];
  const kind = name !== undefined && /^[A-Za-z][A-Za-z0-9_]{0,49}$/.test(name) ? name : 'Error';
  const why = isRead ? ', and had read the answer that it was about: its `error` code is not known' : '';
  const copy = new Error(`the refresh function threw ${isError ? `a ${kind}` : 'what is no error'}${why}`);
  const places = stack === undefined ? [] : stack.split('\n').filter((line) => /^ {4}at .+:\d+:\d+\)?$/.test(line));
  copy.stack = [`${copy.name}: ${copy.message}`, ...places].join('\n');
  return copy;
}

function textOf(error: Error, field: 'name' | 'stack'): string | undefined {
  try {
    const text: unknown = error[field];
    return typeof text === 'string' ? text : undefined;
  } catch {
    return undefined;
  }
}
