import type { Credential, Lease } from '../../src/index.js';
import type { RefreshContext, RefreshFunction } from '../../src/worker/refresh-call.js';

/** What one try comes to: thrown if it is an error. */
export type Brought = Credential | undefined | Error | Promise<Credential | undefined>;

export interface RecordedRefresh {
  readonly refresh: RefreshFunction;
  /** The values that were to be refreshed, in order. */
  readonly calls: string[];
  /** The signal of each try. */
  readonly signals: AbortSignal[];
}

/** A refresh that remembers what it was asked for, and brings what `bring` says. */
export function refreshing(bring: (lease: Lease, context: RefreshContext, tried: number) => Brought): RecordedRefresh {
  const calls: string[] = [];
  const signals: AbortSignal[] = [];
  return {
    calls,
    signals,
    refresh: (lease, context) => {
      calls.push(lease.credential.reveal());
      signals.push(context.signal);
      const brought = bring(lease, context, calls.length);
      if (brought instanceof Error) throw brought;
      return brought;
    },
  };
}

/** As a token endpoint's client throws it when it is refused for good. */
export function invalidGrant(): Error {
  return Object.assign(new Error('refused'), { status: 400, error: 'invalid_grant' });
}

/** As it throws it when the endpoint is down. */
export function endpointDown(): Error {
  return Object.assign(new Error('down'), { status: 503 });
}
