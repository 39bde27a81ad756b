import { onAbort } from '../abort.js';

export type Verification<S> = { readonly kind: 'valid'; readonly session: S } | { readonly kind: 'invalid' } | { readonly kind: 'unknown' };

/** Whichever value is valid first; nobody waits for the others then, and they are told so. Without a valid one a doubt outweighs a no. */
export async function firstValid<S>(
  values: readonly string[],
  verified: (value: string, signal: AbortSignal) => Promise<Verification<S>>,
  signal: AbortSignal | undefined,
): Promise<Verification<S>> {
  const over = new AbortController();
  const unlisten = signal && onAbort(signal, () => over.abort(signal.reason));
  const all = values.map((value) => verified(value, over.signal));
  try {
    return await Promise.any(all.map(validOnly));
  } catch {
    return (await Promise.all(all)).find(({ kind }) => kind === 'unknown') ?? { kind: 'invalid' };
  } finally {
    unlisten?.();
    over.abort();
  }
}

async function validOnly<S>(verification: Promise<Verification<S>>): Promise<Verification<S>> {
  const result = await verification;
  if (result.kind !== 'valid') throw result;
  return result;
}
