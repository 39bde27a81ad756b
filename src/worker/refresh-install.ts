import type { Clock } from '../clock.js';
import type { Credential } from '../credential/credential.js';
import type { Emitter } from '../events.js';
import type { Ledger } from '../ledger/ledger.js';
import type { OnSucceeded } from '../ledger/succession.js';
import { isDead } from '../policy/choose.js';
import type { Counters } from '../stats.js';
import type { RefreshFlight } from './refresh-flight.js';

export interface InstallOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly emitter: Emitter;
  readonly counters: Counters;
  readonly onSucceeded: OnSucceeded;
}

/** Puts what a refresh brought in place of what it was for. Returns whether there is anything better now. */
export function install(
  { ledger, clock, counters, emitter, onSucceeded }: InstallOptions,
  { identity, scope }: Pick<RefreshFlight, 'identity' | 'scope'>,
  credential: Credential,
  at: number,
): boolean {
  const known = ledger.identity(scope, credential);
  if (known === identity || (known !== undefined && isDead(known, clock.now()))) return false;
  const expiry = ledger.expiryOf(identity.provider, credential);
  // One that has expired by its issuer's clock can be none that the issuer has just given: then it is the clock here that is wrong.
  if (expiry !== undefined && !expiry.byUpstream && clock.now() >= expiry.endsAt) return false;
  const from = identity.fingerprint;
  const to = ledger.succeed(identity, { tenant: scope.tenant, credential, at }, onSucceeded);
  // Nobody holds the old one any more: a client has brought another, or has left.
  if (to === undefined) return true;
  counters.refreshed++;
  emitter.emit('refreshed', () => ({ scope: scope.parts, fingerprint: to.fingerprint, from }));
  return true;
}
