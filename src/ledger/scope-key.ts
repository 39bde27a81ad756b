import type { ScopeParts } from '../errors.js';

/**
 * Whose work it is. A bare string is `{ session }`; `{}` is work of no session. Without a tenant all scopes are one tenant's; the provider is
 * stated here and nowhere else. Each part has 1 to 1,024 characters.
 */
export type Scope =
  | string
  | {
      readonly tenant?: string | undefined;
      readonly session?: string | undefined;
      readonly provider?: string | undefined;
      readonly purpose?: string | undefined;
    };

/** A scope that has been checked, its provider folded; the provider is not part of `key`, since an identity has one already. */
export class WorkScope {
  readonly tenant: string | undefined;
  readonly session: string | undefined;
  readonly provider: string | undefined;
  readonly purpose: string | undefined;
  /** The session's own credential or nothing: this run is not to borrow. */
  readonly ownOnly: boolean;
  /** How long the credential has to last, in milliseconds. */
  readonly minTtlMs: number;

  constructor(
    tenant: string | undefined,
    session: string | undefined,
    provider: string | undefined,
    purpose: string | undefined,
    ownOnly: boolean,
    minTtlMs = 0,
  ) {
    this.tenant = tenant;
    this.session = session;
    this.provider = provider;
    this.purpose = purpose;
    this.ownOnly = ownOnly;
    this.minTtlMs = minTtlMs;
  }

  /** The same work, with a credential that lasts for so long. */
  lasting(minTtlMs: number): WorkScope {
    return new WorkScope(this.tenant, this.session, this.provider, this.purpose, this.ownOnly, minTtlMs);
  }

  /** Tenant, session and purpose in one string; two scopes share it only if they share all three. */
  get key(): string {
    return scopeKey(this.tenant, this.session, this.purpose);
  }

  /** For users: without the parts that were not given. */
  get parts(): ScopeParts {
    return scopeParts(this.tenant, this.session, this.provider, this.purpose);
  }
}

/** A scope without the parts that are undefined. */
function scopeParts(
  tenant: string | undefined,
  session: string | undefined,
  provider: string | undefined,
  purpose?: string | undefined,
): ScopeParts {
  const parts: { tenant?: string; session?: string; provider?: string; purpose?: string } = {};
  if (tenant !== undefined) parts.tenant = tenant;
  if (session !== undefined) parts.session = session;
  if (provider !== undefined) parts.provider = provider;
  if (purpose !== undefined) parts.purpose = purpose;
  return parts;
}

/** A session alone is its own key; anything else, and a session that begins with NUL, is spelt out behind a NUL. */
export function scopeKey(tenant: string | undefined, session: string | undefined, purpose?: string | undefined): string {
  if (tenant === undefined && purpose === undefined && session !== undefined && session.charCodeAt(0) !== 0) return session;
  return `\0${spellOut(tenant)}${spellOut(session)}${spellOut(purpose)}`;
}

/** Length first, so that no part can pretend to be the end of itself and the beginning of the next. */
function spellOut(part: string | undefined): string {
  return part === undefined ? '-' : `${part.length}:${part}`;
}

export interface ScopeRules {
  /** A scope must name its tenant. */
  readonly multiTenant: boolean;
  /** Folds aliases of a provider; must not throw. */
  readonly canonicalProvider: ((provider: string) => string) | undefined;
}

/** Names come from clients, and a gateway keeps thousands of them. */
const LONGEST_PART = 1_024;
const NO_SCOPE = 'scope: must be a string or a plain object';

/** @throws {TypeError} naming what is wrong with the scope. */
export function readScope(scope: Scope, rules: ScopeRules, ownOnly = false): WorkScope {
  // Kept apart and small: this is asked for each session at each tick.
  if (typeof scope === 'string' && scope !== '' && scope.length <= LONGEST_PART && !rules.multiTenant)
    return new WorkScope(undefined, scope, undefined, undefined, ownOnly);
  return readParts(scope, rules, ownOnly);
}

function readParts(scope: Scope, rules: ScopeRules, ownOnly: boolean): WorkScope {
  let tenant: string | undefined;
  let session: string | undefined;
  let provider: string | undefined;
  let purpose: string | undefined;
  if (typeof scope === 'string') {
    session = scope;
  } else if (typeof scope === 'object' && scope !== null && !(Symbol.iterator in scope)) {
    // A mistyped part would silently widen the work to the global credential.
    for (const part in scope) {
      if (part !== 'tenant' && part !== 'session' && part !== 'provider' && part !== 'purpose')
        throw new TypeError(`scope: unknown part \`${part}\``);
    }
    ({ tenant, session, provider, purpose } = scope);
    if (tenant === undefined && session === undefined && provider === undefined && purpose === undefined) requireParts(scope);
  } else {
    throw new TypeError(NO_SCOPE);
  }
  if (tenant !== undefined) requirePart('tenant', tenant);
  if (session !== undefined) requirePart('session', session);
  if (provider !== undefined) requirePart('provider', provider);
  if (purpose !== undefined) requirePart('purpose', purpose);
  if (rules.multiTenant && tenant === undefined) throw new TypeError("scope: `tenant` is required with `tenancy: 'multi'`");
  if (provider !== undefined && rules.canonicalProvider !== undefined) provider = rules.canonicalProvider(provider);
  return new WorkScope(tenant, session, provider, purpose, ownOnly);
}

/** So would a promise that was not awaited, or a date: what names no part has to be a plain object, of whatever realm. */
function requireParts(scope: object): void {
  const prototype: unknown = Object.getPrototypeOf(scope);
  if (prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null) return;
  if ('tenant' in scope || 'session' in scope || 'provider' in scope || 'purpose' in scope) return;
  throw new TypeError(NO_SCOPE);
}

function requirePart(name: string, value: unknown): void {
  if (typeof value !== 'string') throw new TypeError(`scope: \`${name}\` must be a string`);
  if (value === '') throw new TypeError(`scope: \`${name}\` is empty`);
  if (value.length > LONGEST_PART) throw new TypeError(`scope: \`${name}\` is longer than ${LONGEST_PART} characters; give a digest of it`);
}

/** The scope that a key was made of, its provider aside. */
export function parseScopeKey(key: string): ScopeParts {
  if (key.charCodeAt(0) !== 0) return { session: key };
  const parts: { tenant?: string; session?: string; purpose?: string } = {};
  let at = 1;
  for (const name of ['tenant', 'session', 'purpose'] as const) {
    if (key[at] === '-') {
      at++;
      continue;
    }
    const colon = key.indexOf(':', at);
    const end = colon + 1 + Number(key.slice(at, colon));
    parts[name] = key.slice(colon + 1, end);
    at = end;
  }
  return parts;
}

/** A piece of work: its scope, provider included, and whether it may borrow. */
export function workKey(scope: WorkScope): string {
  return `${scope.ownOnly ? '!' : ''}${spellOut(scope.provider)}${scope.key}`;
}
