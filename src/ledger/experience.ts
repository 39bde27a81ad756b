import type { Trial } from '../policy/strikes.js';
import { type Ruling, UNPROVEN } from '../policy/verdict.js';
import type { Refusals } from './refusals.js';
import { ScopeRulings } from './scope-rulings.js';
import type { Successors } from './successors.js';

/** What outcomes have taught about an identity; made with the first one. */
export interface Experience {
  ruling: Ruling;
  readonly scopes: ScopeRulings;
  /** When a 2xx was last got with it, by anybody, and by a borrower. */
  provenAt: number;
  borrowProvenAt: number;
  /** The expiry hint that an acceptance has shown to be wrong, and the number of that call. */
  voidedHint: number | undefined;
  voidedBy: number;
  /** Outcomes of calls sent before this number were forgiven. */
  forgivenAt: number;
  /** In one object, made when there is something to say: most have none. */
  rare: RareExperience | undefined;
}

/** What few identities go through. */
export interface RareExperience {
  /** What a refresh has put in its place. */
  successors: Successors | undefined;
  refusals: Refusals | undefined;
  /** Until when a probe that is out may take; milliseconds since the epoch. */
  probedUntil: number;
  /** The last outcomes, from the first rejection that was only a strike. */
  trials: Trial[] | undefined;
  /** When it was first presented, where that is wanted; milliseconds since the epoch. */
  seenAt: number;
}

export function newExperience(): Experience {
  return {
    ruling: UNPROVEN,
    scopes: new ScopeRulings(),
    provenAt: Number.NEGATIVE_INFINITY,
    borrowProvenAt: Number.NEGATIVE_INFINITY,
    voidedHint: undefined,
    voidedBy: 0,
    forgivenAt: 0,
    rare: undefined,
  };
}

export function newRareExperience(): RareExperience {
  return { successors: undefined, refusals: undefined, probedUntil: 0, trials: undefined, seenAt: Number.NEGATIVE_INFINITY };
}
