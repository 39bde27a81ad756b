import type { Latchkey } from '../api.js';
import { isFingerprint } from '../credential/credential.js';
import type { ScopeParts } from '../errors.js';
import type { SlotSnapshot } from '../ledger/snapshot.js';
import { Refused } from './reply.js';

type Parts = { -readonly [Name in keyof ScopeParts]: ScopeParts[Name] };
type Fields = Readonly<Record<string, unknown>>;

const PARTS = ['tenant', 'session', 'provider', 'purpose'] as const;
const LONGEST_NAME = 64;

/** What an operator asks to be done, checked. */
export interface Action {
  readonly event: 'operator.evict' | 'operator.forgive';
  /** What it is about, for the audit log. */
  readonly about: Readonly<Record<string, unknown>>;
  /** What the store may know more of. */
  readonly scope: ScopeParts | undefined;
  /** How many slots it concerns; to be asked before it is taken. */
  count(): number;
  take(): void;
}

/** @throws {Refused} naming what is wrong with the body, and quoting none of its values. */
export function evictAction(latchkey: Latchkey, body: Fields): Action {
  requireKeys(body, ['session', 'tenant'], '');
  const scope = partsOf(body, '');
  if (scope.session === undefined && scope.tenant === undefined) throw new Refused(400, '`session` or `tenant` must be given');
  const isMeant = ({ slot, scope: held }: SlotSnapshot): boolean =>
    slot !== 'pinned' && held.tenant === scope.tenant && (scope.session === undefined || held.session === scope.session);
  return { event: 'operator.evict', about: scope, scope, count: () => slotsThat(latchkey, isMeant), take: () => latchkey.evict(scope) };
}

/** @throws {Refused} naming what is wrong with the body, and quoting none of its values. */
export function forgiveAction(latchkey: Latchkey, body: Fields): Action {
  requireKeys(body, ['fingerprint', 'scope'], '');
  const { fingerprint, scope } = body;
  if ((fingerprint === undefined) === (scope === undefined)) throw new Refused(400, '`fingerprint` or `scope` must be given, and not both');
  if (scope === undefined) {
    if (!isFingerprint(fingerprint)) throw new Refused(400, '`fingerprint` must be 16 hexadecimal digits');
    const count = (): number => slotsThat(latchkey, (slot) => slot.fingerprint === fingerprint);
    return { event: 'operator.forgive', about: { fingerprint }, scope: undefined, count, take: () => latchkey.forgive(fingerprint) };
  }
  if (typeof scope !== 'object' || scope === null || Array.isArray(scope)) throw new Refused(400, '`scope` must be an object');
  requireKeys(scope, PARTS, 'scope.');
  const parts = partsOf(scope as Fields, 'scope.');
  const count = (): number => {
    const { scope, candidates } = latchkey.explain(parts);
    const concerned = new Set(candidates.map(({ fingerprint }) => fingerprint));
    return slotsThat(latchkey, (slot) => concerned.has(slot.fingerprint) && slot.scope.provider === scope.provider);
  };
  return { event: 'operator.forgive', about: { scope: parts }, scope: parts, count, take: () => latchkey.forgive(parts) };
}

/** The scope that a query names. @throws {Refused} for a parameter that is unknown, empty, or there twice. */
export function scopeOfQuery(query: string): ScopeParts {
  const given = new URLSearchParams(query);
  const parts: Parts = {};
  for (const name of new Set(given.keys())) {
    const part = PARTS.find((one) => one === name);
    if (part === undefined) throw new Refused(400, `unknown parameter \`${shown(name)}\``);
    const [value = '', ...more] = given.getAll(name);
    if (value === '' || more.length > 0) throw new Refused(400, `\`${name}\` must be given once, and not be empty`);
    parts[part] = value;
  }
  return parts;
}

function slotsThat(latchkey: Latchkey, isMeant: (slot: SlotSnapshot) => boolean): number {
  return latchkey.snapshot().slots.filter(isMeant).length;
}

function partsOf(given: Fields, where: string): Parts {
  const parts: Parts = {};
  for (const part of PARTS) {
    if (!Object.hasOwn(given, part)) continue;
    const value = given[part];
    if (typeof value !== 'string' || value === '') throw new Refused(400, `\`${where}${part}\` must be a string, and not be empty`);
    parts[part] = value;
  }
  return parts;
}

function requireKeys(given: object, known: readonly string[], where: string): void {
  for (const key of Object.keys(given)) if (!known.includes(key)) throw new Refused(400, `unknown key \`${where}${shown(key)}\``);
}

/** On one line, and not at any length. */
function shown(name: string): string {
  const printable = name.replaceAll(/[^\x20-\x7e]/g, '?');
  return printable.length > LONGEST_NAME ? `${printable.slice(0, LONGEST_NAME)}…` : printable;
}
