import type { Credential } from '../credential/credential.js';
import { LatchkeyError, type LatchkeyErrorCode } from '../errors.js';
import type { Block } from '../ledger/block.js';
import { printAnswer, printProviders } from '../ledger/explain.js';
import type { WorkScope } from '../ledger/scope-key.js';
import type { Job, Workshop } from './job.js';

const CODES: Readonly<Record<Block['reason'], LatchkeyErrorCode>> = {
  missing: 'CREDENTIAL_MISSING',
  rejected: 'CREDENTIAL_REJECTED',
  held: 'CREDENTIAL_HELD',
  expired: 'CREDENTIAL_EXPIRED',
};

/** What a run met before, which its error is to have as its cause. */
type Origin = ConstructorParameters<typeof LatchkeyError>[3];

/** About the rejection that the run met itself, or else about what blocks its scope. */
export function blockedError<T>(job: Job<T>, { ledger, refresher }: Workshop, incident: string | undefined): LatchkeyError {
  const scope = job.scope.parts;
  const block = ledger.block(job.scope);
  const { rejection } = job;
  const refresh = refresher?.progress(job.scope);
  // Whose one retry is spent has nothing to wait for, however the refresh goes.
  if (refresh !== undefined && !(job.retried && refresh.isPromising) && block !== undefined && block.reason !== 'missing') {
    const { identity, status } = block;
    const details = { scope, fingerprint: identity.fingerprint, status, since: refresh.progress.since, until: refresh.next, incident };
    const failed = refresh.failure === undefined ? '' : printAnswer(refresh.failure);
    const message = `the credential is being refreshed, which has not succeeded yet${failed}${rejection === undefined ? ', nothing was sent' : ''}`;
    return new LatchkeyError('AUTH_RETRYING', message, details, originOf(job));
  }
  if (rejection !== undefined) {
    const { call, status, since } = rejection;
    const until = block !== undefined && block.reason !== 'missing' ? block.until : undefined;
    const details = { scope, fingerprint: call.identity.fingerprint, status, since, until, incident };
    const message = `the credential was rejected${status === undefined ? '' : ` with ${status}`}`;
    return new LatchkeyError('CREDENTIAL_REJECTED', message, details, originOf(job));
  }
  if (block === undefined || block.reason === 'missing') {
    const others = ledger.otherProviders(job.scope);
    const hint = others.length === 0 ? '' : `; its session has presented one for: ${printProviders(others)}`;
    return new LatchkeyError('CREDENTIAL_MISSING', `no credential has been captured for this scope${hint}`, { scope });
  }
  const { reason, identity, status, since, until } = block;
  const isTooShort = reason === 'expired' && job.scope.minTtlMs > 0 && ledger.isUsable(identity, job.scope.lasting(0));
  const details = { scope, fingerprint: identity.fingerprint, status, since: isTooShort ? undefined : since, until, incident };
  const what = isTooShort ? 'does not last long enough' : `is ${reason}`;
  return new LatchkeyError(CODES[reason], `the credential ${what}, nothing was sent`, details);
}

export function originOf<T>({ rejection, failed }: Job<T>): { thrown: unknown; credentials: readonly Credential[] } | undefined {
  if (rejection === undefined) return undefined;
  const { given } = rejection;
  return { thrown: 'error' in given ? given.error : given.value, credentials: failed };
}

/** Nothing fresh came in time: what is in the way still, and when something is tried next. */
export function parkTimeout(
  scope: WorkScope,
  shop: Pick<Workshop, 'ledger' | 'refresher'>,
  { incident, origin }: { readonly incident?: string | undefined; readonly origin?: Origin } = {},
): LatchkeyError {
  const details = { scope: scope.parts, ...standingOf(scope, shop), incident };
  return new LatchkeyError('PARK_TIMEOUT', 'no fresh credential came in time', details, origin);
}

function standingOf(scope: WorkScope, { ledger, refresher }: Pick<Workshop, 'ledger' | 'refresher'>) {
  try {
    const block = ledger.block(scope);
    if (block === undefined || block.reason === 'missing') return {};
    const { identity, status, since, until } = block;
    return {
      fingerprint: identity.fingerprint,
      status,
      since,
      until: refresher?.progress(scope)?.next ?? until ?? refresher?.restsUntil(scope),
    };
  } catch {
    // A clock of the user's that throws: nobody is there to hear of it when a timer calls.
    return {};
  }
}
