import type { GivenHint } from '../ledger/hints.js';
import type { Unrefreshable } from '../ledger/refusals.js';
import type { Identity } from '../ledger/verdicts.js';
import type { Ruling } from '../policy/verdict.js';
import type { Name, StoredRecord } from './carrier.js';
import { HybridClock } from './hybrid-clock.js';
import type { Wall } from './wall.js';

const { stamp, parse } = HybridClock;
const STAMP_LENGTH = 16;
/** Of two outcomes of one call the more severe counts, so the digit follows the number. */
const SEVERITY = { accepted: '0', held: '1', rejected: '2' } as const;
const SCOPE_PREFIX = 's.';
/** That it is not refreshed any more for a tenant, for good and for a while. */
const REFUSED_PREFIX = 'u.';
const RESTS_PREFIX = 'w.';
/** Of what a refresh put in its place for one tenant: that names a credential, and is not for everybody to read. */
export const SUCCESSOR_PREFIX = 'n.';
/** Of a moment by the upstream's clock, which is the same for everybody. */
const BY_UPSTREAM = 'u';
/** What a token endpoint's code looks like, or a connection's. */
const CODE = /^\w{1,64}$/;

type Fields = StoredRecord['fields'];

/** How a scope is called in the store, and which scope of this process's is meant by a name. */
export interface ScopeNames {
  nameOf(scopeKey: string): Name;
  keyOf(name: Name): string | undefined;
  nameOfTenant(tenant: string | undefined): Name;
  tenant(name: Name): { readonly tenant: string | undefined } | undefined;
}

/** All that is known of an identity, as the registers of its record: of two texts in one field the greater is the later. */
export function registersOf(identity: Identity, scopes: ScopeNames, wall: Wall): Map<string, string> {
  const fields = new Map<string, string>();
  const { ruling, forgivenAt, hinted, voided, refusals } = identity;
  const borrowed = ruling.state === 'accepted' && identity.provenAt(true) >= ruling.since;
  const own = rulingText(ruling, borrowed, wall);
  if (own !== undefined) fields.set('r', own);
  if (forgivenAt > 0) fields.set('f', stamp(forgivenAt));
  if (hinted !== undefined) fields.set('h', `${stamp(hinted.at)}|${hinted.expiresAt}${hinted.clock === undefined ? '' : BY_UPSTREAM}`);
  if (voided !== undefined) fields.set('x', `${stamp(voided.sent)}|${voided.expiresAt}`);
  for (const [tenant, why] of refusals?.entries() ?? []) {
    const name = scopes.nameOfTenant(tenant);
    if (why.until === undefined) fields.set(`${REFUSED_PREFIX}${name}`, refusalText(why));
    // That what a refresh has just brought rests, each process knows by itself.
    else if (why.restMs === undefined && why.isOwn !== true)
      fields.set(`${RESTS_PREFIX}${name}`, `${stamp(why.at)}|${wall.toStore(why.until)}`);
  }
  for (const [key, scoped] of identity.scopeRulings()) {
    const text = rulingText(scoped, false, wall);
    if (text !== undefined) fields.set(`${SCOPE_PREFIX}${scopes.nameOf(key)}`, text);
  }
  return fields;
}

/** Whether the expiry hint is another than the store has: that it was given again is not worth telling. */
export function isHintNews({ identity, stored }: { readonly identity: Identity; readonly stored: ReadonlyMap<string, string> }): boolean {
  const { hinted } = identity;
  return hinted !== undefined && readExpiry(stored.get('h'))?.expiresAt !== hinted.expiresAt;
}

/** Whether a ruling of this text stands in nobody's way. */
export function isAcceptance(text: string | undefined): boolean {
  return text?.[STAMP_LENGTH] === SEVERITY.accepted;
}

/** The scope that a field's ruling is for, by its name; undefined for one that is for all. */
export function scopeOf(field: string): Name | undefined {
  return field.startsWith(SCOPE_PREFIX) ? field.slice(SCOPE_PREFIX.length) : undefined;
}

/** The tenant that a field is about, by its name; undefined for one that is about no tenant's refreshes. */
function tenantOf(field: string): Name | undefined {
  return field.startsWith(REFUSED_PREFIX) || field.startsWith(RESTS_PREFIX) ? field.slice(REFUSED_PREFIX.length) : undefined;
}

/**
 * Takes over what the record has and the identity has not; of scopes and tenants that are not known here only the names are told. Returns whether that
 * changed anything.
 */
export function adoptRegisters(
  identity: Identity,
  fields: Fields,
  scopes: ScopeNames,
  wall: Wall,
  onUnknown: (concern: Name) => void,
  onHint: (hint: GivenHint) => void,
): boolean {
  let changed = false;
  const forgivenAt = parse(fields['f'] ?? '');
  if (forgivenAt > identity.forgivenAt && wall.believes(forgivenAt)) {
    identity.forgive(forgivenAt);
    changed = true;
  }
  const hint = readExpiry(fields['h']);
  if (hint !== undefined && hint.at > (identity.hinted?.at ?? -1) && wall.believes(hint.at)) {
    onHint(hint);
    changed = true;
  }
  const own = registersOf(identity, scopes, wall);
  const isNews = (field: string, text: string): boolean => {
    const sent = parse(text.slice(0, STAMP_LENGTH));
    return text > (own.get(field) ?? '') && sent >= identity.forgivenAt && wall.believes(sent);
  };
  const voided = readExpiry(fields['x']);
  if (voided !== undefined && (fields['x'] ?? '') > (own.get('x') ?? '')) {
    identity.void(voided.expiresAt, voided.at);
    changed = true;
  }
  for (const [field, text] of Object.entries(fields)) {
    const owner = tenantOf(field);
    if (owner !== undefined && isNews(field, text)) {
      const why = field.startsWith(REFUSED_PREFIX) ? readRefusal(text) : readRest(text, wall);
      const followed = scopes.tenant(owner);
      if (followed === undefined) onUnknown(owner);
      else if (why !== undefined && identity.endRefresh(followed.tenant, why)) changed = true;
    }
    const scope = scopeOf(field);
    if (field !== 'r' && scope === undefined) continue;
    const ruling = isNews(field, text) ? readRuling(text, scope !== undefined, wall) : undefined;
    if (ruling === undefined) continue;
    if (scope === undefined) {
      identity.take(ruling.ruling, ruling.borrowed);
      changed = true;
      continue;
    }
    const key = scopes.keyOf(scope);
    if (key === undefined) {
      onUnknown(scope);
    } else {
      identity.takeFor({ key }, ruling.ruling);
      changed = true;
    }
  }
  return changed;
}

function rulingText(ruling: Ruling, borrowed: boolean, wall: Wall): string | undefined {
  switch (ruling.state) {
    case 'unproven':
      return undefined;
    case 'accepted':
      return write(ruling, [wall.toStore(ruling.since), borrowed ? 1 : 0]);
    case 'rejected':
      return write(ruling, [wall.toStore(ruling.since), ruling.passed, ruling.status, ...(ruling.probes ? [ruling.probes] : [])]);
    case 'held':
      return write(ruling, [
        wall.toStore(ruling.since),
        ruling.passed,
        ruling.status,
        wall.toStore(ruling.until),
        ruling.reason === undefined ? undefined : encodeURIComponent(JSON.stringify(ruling.reason)),
      ]);
  }
}

function write({ sent, state }: Exclude<Ruling, { state: 'unproven' }>, values: readonly (number | string | undefined)[]): string {
  return `${stamp(sent)}${SEVERITY[state]}${values.map((value) => value ?? '').join(',')}`;
}

/** Undefined for what no process of this version has written. */
function readRuling(text: string, scoped: boolean, wall: Wall): { ruling: Ruling; borrowed: boolean } | undefined {
  const sent = parse(text.slice(0, STAMP_LENGTH));
  const [since, ...rest] = text.slice(STAMP_LENGTH + 1).split(',');
  const at = number(since);
  if (at === undefined) return undefined;
  const known = { sent, since: wall.fromStore(at) };
  const passed = number(rest[0]) ?? 0;
  const status = number(rest[1]);
  switch (text[STAMP_LENGTH]) {
    case SEVERITY.accepted:
      return { ruling: { state: 'accepted', ...known, passed: 0 }, borrowed: passed === 1 };
    case SEVERITY.rejected:
      return {
        ruling: { state: 'rejected', reach: scoped ? 'scope' : 'identity', ...known, passed, status, probes: number(rest[2]) ?? 0 },
        borrowed: false,
      };
    case SEVERITY.held: {
      const until = number(rest[2]);
      if (until === undefined) return undefined;
      const reason = decoded(rest[3]);
      return { ruling: { state: 'held', ...known, passed, status, until: wall.fromStore(until), reason }, borrowed: false };
    }
    default:
      return undefined;
  }
}

function readExpiry(text: string | undefined): { at: number; expiresAt: number; byUpstream: boolean } | undefined {
  if (text === undefined) return undefined;
  const byUpstream = text.endsWith(BY_UPSTREAM);
  const expiresAt = number(text.slice(STAMP_LENGTH + 1, byUpstream ? -BY_UPSTREAM.length : undefined));
  return expiresAt === undefined ? undefined : { at: parse(text.slice(0, STAMP_LENGTH)), expiresAt, byUpstream };
}

function refusalText({ at, status, code }: Unrefreshable): string {
  return `${stamp(at)}|${status ?? ''}|${code !== undefined && CODE.test(code) ? code : ''}`;
}

function readRefusal(text: string): Unrefreshable {
  const [at = '', status, code = ''] = text.split('|');
  return { at: parse(at), until: undefined, status: number(status), code: CODE.test(code) ? code : undefined };
}

function readRest(text: string, wall: Wall): Unrefreshable | undefined {
  const [at = '', until] = text.split('|');
  const end = number(until);
  return end === undefined ? undefined : { at: parse(at), until: wall.fromStore(end), status: undefined, code: undefined };
}

function number(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

function decoded(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    const reason: unknown = JSON.parse(decodeURIComponent(text));
    return typeof reason === 'string' ? reason : undefined;
  } catch {
    return undefined;
  }
}
