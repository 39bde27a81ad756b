import { bearer, createLatchkey, type Latchkey, type Lease } from '../../src/index.js';
import { statusError } from '../support/attempts.js';
import { type RecordingReporter, recordingReporter } from '../support/reporter.js';

export const SCOPE = { session: 'ada', provider: 'llm' };
export const OLD = 'token-old';
export const NEW = 'token-new';

/** What a refresh comes to: a new token, the old one again, nothing, a refusal for good, or an outage. */
export type Brings = 'new' | 'same' | 'nothing' | 'invalid_grant' | 'outage';

export interface Refreshing {
  readonly latchkey: Latchkey;
  readonly reporter: RecordingReporter;
  /** Tokens that the upstream takes. */
  readonly alive: Set<string>;
  /** Every call, in the order of the answers. */
  readonly answers: { readonly token: string; readonly status: number }[];
  /** Calls so far, and those that had left when the first 401 was answered. */
  readonly seen: { calls: number; callsOut: number; refreshes: number };
  /** How long the next calls take, and then `usualMs`. */
  readonly latencies: number[];
  brings: Brings;
  refreshMs: number;
  readonly attempt: (lease: Lease) => Promise<string>;
  unauthorized(): number;
  present(token: string): void;
}

/** One session with a token, an upstream and a token endpoint, all on frozen time. */
export function refreshing({ refresh, usualMs = 0 }: { readonly refresh: boolean; readonly usualMs?: number }): Refreshing {
  const reporter = recordingReporter();
  const house: Omit<Refreshing, 'latchkey'> = {
    reporter,
    alive: new Set(),
    answers: [],
    seen: { calls: 0, callsOut: 0, refreshes: 0 },
    latencies: [],
    brings: 'new',
    refreshMs: 20,
    unauthorized: () => house.answers.filter(({ status }) => status === 401).length,
    async attempt(lease) {
      const token = lease.credential.reveal();
      house.seen.calls++;
      const status = house.alive.has(token) ? 200 : 401;
      await pass(house.latencies.shift() ?? usualMs);
      if (status === 401 && house.unauthorized() === 0) house.seen.callsOut = house.seen.calls;
      house.answers.push({ token, status });
      if (status === 401) throw statusError(401);
      return token;
    },
    present: (token) => void latchkey.capture(SCOPE, bearer(token)),
  };
  const bring = async () => {
    house.seen.refreshes++;
    await pass(house.refreshMs);
    switch (house.brings) {
      case 'new':
        house.alive.add(NEW);
        return bearer(NEW);
      case 'same':
        return bearer(OLD);
      case 'nothing':
        return undefined;
      case 'invalid_grant':
        throw Object.assign(new Error('refused'), { status: 400, error: 'invalid_grant' });
      case 'outage':
        throw statusError(503);
    }
  };
  const latchkey = createLatchkey({ reporter, refresh: refresh ? bring : undefined });
  return Object.assign(house, { latchkey });
}

/** The token is presented; a warm one works once, a moment before it dies. */
export async function begin(house: Refreshing, warm: boolean, kill = true): Promise<void> {
  house.present(OLD);
  if (warm) {
    house.alive.add(OLD);
    house.latencies.unshift(0);
    await house.latchkey.run(SCOPE, house.attempt);
  }
  if (kill) house.alive.delete(OLD);
  house.answers.length = house.seen.calls = 0;
}

function pass(ms: number): Promise<void> {
  return ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
}
