import { type Ruling, UNPROVEN } from '../policy/verdict.js';
import { ScopeRulings } from './scope-rulings.js';

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
  };
}
