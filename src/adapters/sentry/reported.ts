import { isLatchkeyError } from '../../errors.js';

/** Errors are looked at up to so many in all; nobody nests deeper but by accident or on purpose. */
const MOST_LOOKED_AT = 64;

/**
 * Whether an incident stands behind an error: it, or one along its `cause` chain and the `errors` of an `AggregateError`, is a
 * `LatchkeyError` that belongs to an incident, which has been reported, or is being reported, once for all. Goes by what the errors
 * are, never by what they say. Never throws.
 */
export function isReported(error: unknown): boolean {
  const seen = new Set<unknown>();
  const queue: unknown[] = [error];
  for (let next = 0; next < queue.length && seen.size < MOST_LOOKED_AT; next++) {
    const current = queue[next];
    if (typeof current !== 'object' || current === null || seen.has(current)) continue;
    seen.add(current);
    if (belongsToIncident(current)) return true;
    queue.push(read(current, 'cause'));
    const errors = read(current, 'errors');
    if (!isArray(errors)) continue;
    for (let index = 0; index < errors.length && index < MOST_LOOKED_AT; index++) queue.push(read(errors, String(index)));
  }
  return false;
}

function belongsToIncident(error: object): boolean {
  try {
    return isLatchkeyError(error) && error.incident !== undefined;
  } catch {
    return false;
  }
}

/** Getters and proxies may throw. */
function read(object: object, name: string): unknown {
  try {
    return (object as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}

function isArray(value: unknown): value is unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}
