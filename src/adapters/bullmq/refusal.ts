import { LatchkeyError, type ScopeParts } from '../../errors.js';

const STATES: Readonly<Record<string, string>> = {
  CREDENTIAL_MISSING: 'none has been captured',
  CREDENTIAL_REJECTED: 'it is rejected',
  CREDENTIAL_HELD: 'it is held',
  CREDENTIAL_EXPIRED: 'it has expired',
  AUTH_RETRYING: 'it has been refreshed without success',
};

/** Tells BullMQ that a job is in the delayed set already. It knows the error by its name, so that no copy of BullMQ has to be imported. */
export function movedToDelayed(): Error {
  return named(new Error('the job waits for a credential'), 'DelayedError');
}

/** More jobs are parked than may be. */
export function parkOverflow(cause: LatchkeyError, maxParked: number): LatchkeyError {
  return refusal('PARK_OVERFLOW', cause, `${maxParked} jobs of this queue are parked already`);
}

/** The job has waited for too long. */
export function parkTimeout(cause: LatchkeyError, since: number): LatchkeyError {
  return refusal('PARK_TIMEOUT', cause, `the job has waited since ${at(since)}`);
}

/** A failure for good, whatever attempts the job has left: BullMQ knows that by the error's name too. */
function refusal(code: 'PARK_TIMEOUT' | 'PARK_OVERFLOW', cause: LatchkeyError, what: string): LatchkeyError {
  const { scope, fingerprint, status, since, until, incident } = cause;
  const message = `${what}, and there is no usable credential for ${kindOf(scope)}: ${reasonOf(cause)}`;
  return named(new LatchkeyError(code, message, { scope, fingerprint, status, since, until, incident }), 'UnrecoverableError');
}

function reasonOf({ code, status, since }: LatchkeyError): string {
  // Since when it would be too short for the job is nothing that anybody knows.
  const isTooShort = code === 'CREDENTIAL_EXPIRED' && since === undefined;
  const state = isTooShort ? 'it does not last long enough' : (STATES[code] ?? 'none came in time');
  return `${state}${status === undefined ? '' : ` (${status})`}${since === undefined ? '' : ` since ${at(since)}`}`;
}

/** Which parts a scope names; whose they are is in the error's `scope`. */
function kindOf(scope: ScopeParts): string {
  const parts = (['tenant', 'session', 'provider', 'purpose'] as const).filter((part) => scope[part] !== undefined);
  return parts.length === 0 ? 'work of no session' : `its ${parts.join(', ')}`;
}

function at(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}

function named<E extends Error>(error: E, name: string): E {
  return Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
}
