import type { Lease } from '../../src/index.js';

export interface Answering {
  /** The values that were sent, in order. */
  readonly sent: string[];
  readonly attempt: (lease: Lease) => Response;
}

/** An attempt that is answered by the value it sends; 200 where none is named. */
export function answering(statuses: Readonly<Record<string, number>> = {}): Answering {
  const sent: string[] = [];
  return {
    sent,
    attempt: (lease) => {
      const value = lease.credential.reveal();
      sent.push(value);
      return new Response(null, { status: Object.hasOwn(statuses, value) ? (statuses[value] as number) : 200 });
    },
  };
}
