import type { Rejection, Ruling } from './verdict.js';

/** Where a lease's credential came from. */
export type Source = 'pinned' | 'session' | 'global';

/** What the policy needs to know of a candidate. */
export interface Standing {
  readonly ruling: Ruling;
  /** The expiry hint in force, milliseconds since the epoch. */
  readonly expiresAt: number | undefined;
  /** The rejection that stands for this one scope, if any. */
  rejectionFor(scope: ScopeKeyed): Rejection | undefined;
}

/** A scope by its collision-free key. */
export interface ScopeKeyed {
  readonly key: string;
  /** How long the credential has to last from now on, in milliseconds. Default 0. */
  readonly minTtlMs?: number | undefined;
}

/** Why a candidate may not be used now. */
export type Obstacle =
  | {
      readonly reason: 'rejected';
      readonly status: number | undefined;
      readonly since: number;
      readonly passed: number;
      /** Probes that have failed since. */
      readonly probes: number;
    }
  | {
      readonly reason: 'held';
      readonly status: number | undefined;
      readonly since: number;
      readonly until: number;
      readonly passed: number;
    }
  | { readonly reason: 'expired'; readonly since: number; readonly passed: number };

/** Usable for a scope: not rejected everywhere, not rejected for this scope, not held, not past its expiry or too near to it. */
export function isUsable(standing: Standing, scope: ScopeKeyed, now: number): boolean {
  const { ruling } = standing;
  if (ruling.state === 'rejected') return false;
  if (ruling.state === 'held' && now < ruling.until) return false;
  if (standing.expiresAt !== undefined && now + (scope.minTtlMs ?? 0) >= standing.expiresAt) return false;
  return standing.rejectionFor(scope) === undefined;
}

/** The same decision as `isUsable`, with its reason; of several the one that only another credential or an operator can lift. */
export function obstacle(standing: Standing, scope: ScopeKeyed, now: number): Obstacle | undefined {
  if (isUsable(standing, scope, now)) return undefined;
  const { ruling } = standing;
  const rejection = ruling.state === 'rejected' ? ruling : standing.rejectionFor(scope);
  if (rejection !== undefined) {
    const { status, since, passed, probes = 0 } = rejection;
    return { reason: 'rejected', status, since, passed, probes };
  }
  if (ruling.state === 'held' && now < ruling.until) {
    return { reason: 'held', status: ruling.status, since: ruling.since, until: ruling.until, passed: ruling.passed };
  }
  // Still to come where it would only not last long enough.
  return { reason: 'expired', since: standing.expiresAt ?? now, passed: -1 };
}

/** Dead for everybody: rejected everywhere, or past its expiry. A hold ends by itself, and one scope's 403 is no one else's matter. */
export function isDead(standing: Standing, now: number): boolean {
  return standing.ruling.state === 'rejected' || (standing.expiresAt !== undefined && now >= standing.expiresAt);
}

/** The first usable candidate of [the pin, and then nothing else; the scope's own; the global], or undefined: blocked. */
export function choose(
  pin: Standing | undefined,
  own: Standing | undefined,
  global: Standing | undefined,
  scope: ScopeKeyed,
  now: number,
): Source | undefined {
  if (pin !== undefined) return isUsable(pin, scope, now) ? 'pinned' : undefined;
  if (own !== undefined && isUsable(own, scope, now)) return 'session';
  if (global !== undefined && isUsable(global, scope, now)) return 'global';
  return undefined;
}

/**
 * Whether a presented credential takes a slot that holds another one: the later presentation does, unless it is dead and the present one
 * is not. One that was dead already when it took its place holds it only until something alive comes, however old.
 */
export function displaces(
  presented: { at: number; dead: boolean },
  present: { at: number; deadOnArrival: boolean; dead: boolean },
): boolean {
  if (presented.dead) return present.dead && presented.at > present.at;
  return presented.at > present.at || (present.deadOnArrival && present.dead);
}

/** Of the candidates of a blocked scope, the one whose fall completed the block. */
export function completesBlock(a: Obstacle, b: Obstacle): boolean {
  return a.since !== b.since ? a.since > b.since : a.passed > b.passed;
}
