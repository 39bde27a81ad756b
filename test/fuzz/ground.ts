import { inspect } from 'node:util';
import { StoreError } from '../../src/fleet/store-error.js';
import { GuardError } from '../../src/guard/guard-error.js';
import { isLatchkeyError } from '../../src/index.js';
import { SourceError } from '../../src/sources/source-error.js';
import { HostileError } from './values.js';

/** In no input but where a target puts it; characters that URLs, JSON and base64 each write otherwise. */
export const SECRET = 'Fz7"/s3cr3t\\+v@lue=&9xQ';
/** The same for places that take fewer characters. */
export const PLAIN_SECRET = 'Fz7s3cr3tv4lue9xQ-plain';

const FORMS = [SECRET, PLAIN_SECRET].flatMap((secret) => [
  secret,
  JSON.stringify(secret).slice(1, -1),
  encodeURIComponent(secret),
  new URLSearchParams([['', secret]]).toString().slice(1),
  ...[0, 1, 2].map((offset) => {
    const bytes = Buffer.from('\0'.repeat(offset) + secret);
    return bytes.toString('base64').slice(Math.ceil((offset * 8) / 6), Math.floor((bytes.length * 8) / 6));
  }),
]);

/** @throws {Error} if a secret stands in what is given away, in whatever form. */
export function requireNoSecret(what: string, given: unknown): void {
  const text = textOf(given);
  for (const form of FORMS) if (text.includes(form)) throw new Error(`${what} holds a secret: ${text.slice(0, 400)}`);
}

function textOf(given: unknown): string {
  if (typeof given === 'string') return given;
  const printed = inspect(given, { depth: 8, breakLength: Number.POSITIVE_INFINITY, maxStringLength: 100_000 });
  return given instanceof Error ? `${printed} ${given.message} ${given.stack} ${textOf(given.cause ?? '')}` : printed;
}

/** A caller's mistake says where it was made; what the engine throws by itself is a fault of ours. */
const OF_OURS = /^[A-Za-z][A-Za-z0-9.`() ]*: /;

/** @throws {Error} for what no documentation speaks of. */
function requireDocumented(error: unknown): void {
  requireNoSecret('an error', error);
  if (isLatchkeyError(error) || error instanceof StoreError || error instanceof GuardError || error instanceof SourceError) return;
  if (error instanceof TypeError && OF_OURS.test(error.message)) return;
  throw new Error(`threw ${textOf(error)}`, { cause: error });
}

/** An object of the caller's own will not be read. */
function isOwn(error: unknown): boolean {
  return (
    error instanceof HostileError ||
    (error instanceof TypeError && /a proxy that has been revoked|to a primitive value|to primitive value/.test(error.message))
  );
}

/** What it returns, or undefined if it threw what it may. `own`: errors of the caller's own objects may come through. */
export function within<T>(act: () => T, own: 'contained' | 'passed on' = 'contained'): T | undefined {
  try {
    return act();
  } catch (error) {
    if (own === 'passed on' && isOwn(error)) return undefined;
    requireDocumented(error);
    return undefined;
  }
}

/** So many turns of the event loop are enough for whatever waits for nothing. */
const MOST_TURNS = 60;

/**
 * The same for a promise. Counted in turns of the event loop, not in time: the machine may be slow.
 * @throws {Error} if it has not ended by then.
 */
export async function ended<T>(promise: Promise<T>, own: 'contained' | 'passed on' = 'contained'): Promise<T | undefined> {
  let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
  promise.then(
    (value) => {
      outcome = { value };
    },
    (error: unknown) => {
      outcome = { error };
    },
  );
  for (let turn = 0; turn < MOST_TURNS && outcome === undefined; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
  if (outcome === undefined) throw new Error(`no end after ${MOST_TURNS} turns`);
  const found = outcome;
  return within(() => {
    if ('error' in found) throw found.error;
    return found.value;
  }, own);
}

export function require(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}
