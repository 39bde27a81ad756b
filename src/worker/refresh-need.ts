import type { Credential } from '../credential/credential.js';
import type { Candidate } from '../ledger/block.js';
import type { LedgerReader } from '../ledger/reader.js';
import type { Unrefreshable } from '../ledger/refusals.js';
import { WorkScope } from '../ledger/scope-key.js';
import { successionOf } from '../ledger/successors.js';
import type { Identity } from '../ledger/verdicts.js';
import { isDead } from '../policy/choose.js';
import type { RefreshFlight } from './refresh-flight.js';

/** Whether a candidate is over, so that only another token helps: that one scope may not use it, or that it is held, no refresh changes. */
export function isOver({ identity, obstacle, refused }: Candidate): boolean {
  if (refused || obstacle === undefined) return false;
  return obstacle.reason === 'expired' || (obstacle.reason === 'rejected' && identity.ruling.state === 'rejected');
}

/** Whether a refresh may be asked for: it has not been refused, nor found to bring nothing better a moment ago. */
export function mayRefresh(identity: Identity, { tenant, minTtlMs }: WorkScope, now: number): boolean {
  const { credential, hinted, ruling } = identity;
  if (credential === undefined) return false;
  const unrefreshable = identity.unrefreshable(tenant);
  // What most are that are asked about again and again.
  if (unrefreshable !== undefined && unrefreshable.restMs === undefined && now < (unrefreshable.until ?? Number.POSITIVE_INFINITY))
    return false;
  const isOut = isDead(identity, now);
  // What came of it was turned away, and a client that does not know of that has presented it again.
  const next = identity.successor(tenant);
  const rest = next?.unrefreshable(tenant);
  if (rest?.restMs !== undefined && next?.ruling.state === 'rejected' && now < (rest.until ?? now)) return false;
  if (endOfLine(identity, tenant, now) !== undefined) return false;
  // Where a new one does not last long enough, the next would not either.
  const isTooShort = hinted?.freshMs !== undefined && hinted.freshMs <= minTtlMs;
  if (isTooShort && !isOut) return false;
  if (unrefreshable === undefined) return true;
  const { until, restMs } = unrefreshable;
  // What has come to its end unused has not been turned away.
  const hasServed = restMs !== undefined && isOut && ruling.state !== 'rejected' && !isTooShort;
  return hasServed || (until !== undefined && now >= until);
}

/** Why the last that came of it was refused another, where that is over: whoever presents an older one of the same login brings nothing new. */
export function endOfLine(identity: Identity, tenant: string | undefined, now: number): Unrefreshable | undefined {
  let last: Identity | undefined;
  for (const { identity: next } of successionOf(identity, tenant)) last = next;
  if (last === undefined || last === identity || !isDead(last, now)) return undefined;
  const refusal = last.unrefreshable(tenant);
  return refusal !== undefined && refusal.until === undefined && refusal.at >= identity.forgivenAt ? refusal : undefined;
}

type Wanted = Pick<RefreshFlight, 'identity' | 'scope' | 'holder'>;

/** Whether there is something to refresh still: the scope's work could be done with it, and it is over, or soon will be. */
export function isRefreshNeeded(ledger: Pick<LedgerReader, 'isUsable' | 'isCandidate'>, wanted: Wanted, now: number): boolean {
  const { identity, scope } = wanted;
  if (!identity.known || !mayRefresh(identity, scope, now) || !isStillHeld(ledger, wanted)) return false;
  const isDue = identity.refreshAt !== undefined && now >= identity.refreshAt;
  return isDue || isDead(identity, now) || !ledger.isUsable(identity, scope);
}

/** Whether it is what the scope's work would be done with, or that of whoever presented it; another tenant may have a credential of the same bytes. */
export function isStillHeld(ledger: Pick<LedgerReader, 'isCandidate'>, { identity, scope, holder }: Wanted): boolean {
  return ledger.isCandidate(scope, identity) || ledger.isCandidate(holder, identity);
}

/** What refreshes have put in an identity's place that the scope could work with now. */
export function heirOf(ledger: Pick<LedgerReader, 'isUsable'>, identity: Identity, scope: WorkScope): Credential | undefined {
  let heir: Credential | undefined;
  for (const { identity: next } of successionOf(identity, scope.tenant))
    if (next !== identity && ledger.isUsable(next, scope)) heir = next.credential ?? heir;
  return heir;
}

/** On whose behalf a lent credential is refreshed: of whoever presented it. */
export function lenderScope(ledger: Pick<LedgerReader, 'lenderOf'>, scope: WorkScope): WorkScope {
  return new WorkScope(scope.tenant, ledger.lenderOf(scope), scope.provider, undefined, false);
}

/** Whether a scope has something to work with now. */
export function canChoose(ledger: Pick<LedgerReader, 'choose'>, scope: WorkScope): boolean {
  try {
    return ledger.choose(scope) !== undefined;
  } catch {
    // A clock of the user's that throws: the run is to find out itself.
    return false;
  }
}
