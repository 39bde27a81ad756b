import { PEERS } from './policies.js';

/** One row of a scenario, and one process of its own. */
export interface ScenarioCase {
  /** The row's. */
  readonly name: string;
  /** The name of a policy. */
  readonly policy: string;
  /** The token has worked a moment before it dies. */
  readonly warm: boolean;
  /** What a refresh brings: a new token, the dead one, or `invalid_grant`. */
  readonly brings: 'new' | 'same' | 'invalid_grant';
}

const OWN: readonly ScenarioCase[] = [
  { name: 'latchkey', policy: 'latchkey', warm: true, brings: 'new' },
  { name: 'latchkey cold', policy: 'latchkey', warm: false, brings: 'new' },
  { name: 'latchkey refresh', policy: 'latchkey refresh', warm: true, brings: 'new' },
];
const BREAKERS = ['cockatiel', 'opossum'];
const OTHERS = PEERS.map((policy): ScenarioCase => ({ name: policy, policy, warm: true, brings: 'new' }));
const OTHERS_COLD = OTHERS.map((one): ScenarioCase => ({ ...one, name: `${one.name} cold`, warm: false }));

/** Where there is a good token to be had. */
export const RECOVERABLE: readonly ScenarioCase[] = [...OWN, ...OTHERS];

/** The same, and the others on a token that never worked. */
export const RECOVERABLE_COLD_TOO: readonly ScenarioCase[] = [...RECOVERABLE, ...OTHERS_COLD];

/** Where there is none. */
export const DEAD: readonly ScenarioCase[] = RECOVERABLE.map(dead);
/** The same, and breakers on a token that never worked: they count successes, of which the others keep no record. */
export const DEAD_COLD_TOO: readonly ScenarioCase[] = [...DEAD, ...OTHERS_COLD.filter(({ policy }) => BREAKERS.includes(policy)).map(dead)];

/** Where there is nothing to be refreshed, but a gateway with several tenants. */
export const SHARED: readonly ScenarioCase[] = [...OWN.slice(0, 2), ...OTHERS].map(dead);

function dead(one: ScenarioCase): ScenarioCase {
  return { ...one, brings: 'same' };
}

/** Rows of ours that nobody else plays: there is nothing to hold them against. */
const ALONE: ReadonlySet<string> = new Set(['latchkey invalid_grant', 'latchkey refresh succeeds']);

/** Not a peer on a token that never worked: it is in what the command prints. */
export function isShown(row: { readonly name: string }): boolean {
  if (ALONE.has(row.name)) return false;
  return isOwn(row) || !row.name.endsWith(' cold');
}

/** Whether a row is this library's: its figures are held against targets. */
export function isOwn({ name }: { readonly name: string }): boolean {
  return name.startsWith('latchkey');
}
