import { createUnauthorizedMonitor, type Exchange, type UnauthorizedMonitor, type Workload } from '../../src/adapters/proxy.js';
import type { Clock } from '../../src/clock.js';
import type { Latchkey, Scope } from '../../src/index.js';
import { settled } from '../support/clock.js';
import { type Deferred, deferred } from '../support/deferred.js';

export const SCOPE = { session: 's', provider: 'p' };

export type Watched = UnauthorizedMonitor<{ headers: Record<string, string> }>;

/** A monitor of many scopes: each request's stands in its headers. */
export function watchScopes(
  latchkey: Latchkey,
  onWorkload: (workload: Workload) => void,
  options: { limit?: number; provisional?: boolean; clock?: Clock } = {},
): Watched {
  const scope = ({ headers }: { headers: Record<string, string> }): Scope => JSON.parse(headers['x-scope'] ?? 'null') as Scope;
  return createUnauthorizedMonitor(latchkey, { scope, onWorkload, ...options });
}

export function openAt(monitor: Watched, token: string, scope: Scope = SCOPE): Exchange {
  return monitor.open({ headers: { authorization: `Bearer ${token}`, 'x-scope': JSON.stringify(scope) } });
}

export interface Write {
  readonly session: string | undefined;
  readonly state: string;
  readonly signal: AbortSignal;
  readonly done: Deferred<void>;
}

/** A store whose writes end when the test says so. */
export class HeldStore {
  readonly writes: Write[] = [];

  readonly write = ({ scope, state }: Workload, { signal }: { readonly signal: AbortSignal }): Promise<void> => {
    const done = deferred<void>();
    this.writes.push({ session: scope.session, state, signal, done });
    return done.promise;
  };

  states(): string[] {
    return this.writes.map(({ state }) => state);
  }

  async end(index: number, error?: Error): Promise<void> {
    const { done } = this.writes[index] as Write;
    if (error === undefined) done.resolve();
    else done.reject(error);
    await settled();
  }
}
