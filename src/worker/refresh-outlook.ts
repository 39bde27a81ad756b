import type { Candidate } from '../ledger/block.js';
import type { RefreshExplanation } from '../ledger/explain.js';
import type { Unrefreshable } from '../ledger/refusals.js';
import type { WorkScope } from '../ledger/scope-key.js';
import type { RefreshFlight } from './refresh-flight.js';
import { endOfLine, isOver, mayRefresh } from './refresh-need.js';

/** What a refresh would do for a scope's candidate; undefined where it would change nothing. */
export function refreshOutlook(
  candidate: Candidate,
  scope: WorkScope,
  flight: Pick<RefreshFlight, 'next' | 'failure'> | undefined,
  now: number,
): RefreshExplanation | undefined {
  const { identity } = candidate;
  const none = { status: undefined, code: undefined };
  if (flight !== undefined) {
    const { next, failure } = flight;
    return { state: next === undefined ? 'out' : 'waiting', next, status: failure?.status, code: failure?.code };
  }
  const isWanted = isOver(candidate);
  if (mayRefresh(identity, scope, now)) {
    if (isWanted) return { state: 'possible', next: undefined, ...none };
    const { refreshAt } = identity;
    return candidate.obstacle === undefined && refreshAt !== undefined ? { state: 'possible', next: refreshAt, ...none } : undefined;
  }
  const found = identity.unrefreshable(scope.tenant) ?? endOfLine(identity, scope.tenant, now);
  const { until, status, code } = found ?? {};
  if (found !== undefined && until === undefined) return { state: 'refused', next: undefined, status, code };
  const rest = latest(found, identity.successor(scope.tenant)?.unrefreshable(scope.tenant));
  return isWanted && rest !== undefined && now < rest ? { state: 'resting', next: rest, ...none } : undefined;
}

function latest(...rests: readonly (Unrefreshable | undefined)[]): number | undefined {
  const ends = rests.flatMap((rest) => rest?.until ?? []);
  return ends.length === 0 ? undefined : Math.max(...ends);
}
