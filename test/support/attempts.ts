import type { Lease } from '../../src/index.js';

/** An error as HTTP clients throw it. */
export function statusError(status: number, headers: Record<string, string> = {}): Error & { status: number } {
  return Object.assign(new Error(`the upstream answered ${status}`), { status, headers });
}

export interface Script {
  /** The values that were sent, in order. */
  readonly sent: string[];
  readonly attempt: (lease: Lease) => string;
}

/** An attempt that throws the next status of what it sends, or returns `ok`; the last status of a list is for ever. */
export function throwing(statuses: Readonly<Record<string, number | readonly number[]>>): Script {
  const sent: string[] = [];
  return {
    sent,
    attempt: (lease) => {
      const value = lease.credential.reveal();
      const before = sent.filter((one) => one === value).length;
      sent.push(value);
      const script = Object.hasOwn(statuses, value) ? statuses[value] : undefined;
      const status = typeof script === 'number' ? script : script?.[Math.min(before, script.length - 1)];
      if (status !== undefined && status >= 300) throw statusError(status);
      return `ok ${value}`;
    },
  };
}

/** Whether and how a promise has ended, without waiting for it. */
export function watch<T>(promise: Promise<T>): { state: 'pending' | 'resolved' | 'rejected'; value?: T; reason?: unknown } {
  const seen: ReturnType<typeof watch<T>> = { state: 'pending' };
  promise.then(
    (value) => Object.assign(seen, { state: 'resolved', value }),
    (reason: unknown) => Object.assign(seen, { state: 'rejected', reason }),
  );
  return seen;
}
