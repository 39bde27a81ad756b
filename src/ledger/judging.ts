import { isUsable } from '../policy/choose.js';
import type { StrikeRules } from '../policy/strikes.js';
import type { Rejection } from '../policy/verdict.js';
import type { Call, Judgement } from './call.js';
import type { Sequence } from './sequence.js';

/** What a judgement came to: a verdict, nothing, or a rejection that does not count yet. */
export type Effect = 'applied' | 'none' | 'strike';

export interface Judging {
  readonly status: number | undefined;
  readonly now: number;
  readonly sequence: Sequence;
  readonly strikes: StrikeRules | undefined;
}

/** Records on an identity what a call learnt. `change`: what others may go on, or have to look, for. */
export function judgeCall(call: Call, judgement: Judgement, by: Judging): { readonly effect: Effect; readonly change?: 'proven' | 'held' } {
  const { identity, scope } = call;
  const { status, now, sequence } = by;
  const sent = sequence.bounded(call.sent);
  if (judgement.kind === 'accepted') {
    const obstructed = !isUsable(identity, scope, now) || identity.ruling.state === 'held';
    if (!identity.accept({ state: 'accepted', sent, passed: 0, since: now }, call)) return { effect: 'none' };
    return obstructed ? { effect: 'applied', change: 'proven' } : APPLIED;
  }
  const passed = sequence.next();
  if (judgement.kind === 'rejected')
    return { effect: reject(call, { state: 'rejected', reach: judgement.reach, sent, passed, since: now, status }, by) };
  const { ms, reason } = judgement;
  if (!identity.judge({ state: 'held', sent, passed, since: now, until: now + ms, status, reason })) return { effect: 'none' };
  return { effect: 'applied', change: 'held' };
}

const APPLIED = { effect: 'applied' } as const;

function reject({ identity, scope, probe }: Call, found: Rejection, { strikes }: Judging): Effect {
  const isForAll = found.reach === 'identity';
  const before = isForAll ? identity.ruling : identity.rejectionFor(scope);
  // Several leases of one probe that is due are one.
  const probes = before?.state === 'rejected' ? (before.probes ?? 0) + (probe && found.sent > before.passed ? 1 : 0) : 0;
  const rejection = { ...found, probes };
  if (isForAll && strikes !== undefined && identity.strike(rejection, strikes)) return 'strike';
  const applied = isForAll ? identity.judge(rejection) : identity.judgeFor(scope, rejection);
  if (applied && probe) identity.probing(0);
  return applied ? 'applied' : 'none';
}
