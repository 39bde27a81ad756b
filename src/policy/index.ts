/** The decisions by themselves: pure functions on values, to test a gateway's own rules against. */
export { type AfterCanary, afterCanary, type CanaryMode, type Doubt, isDoubtful } from './canary.js';
export {
  choose,
  completesBlock,
  displaces,
  isDead,
  isUsable,
  type Obstacle,
  obstacle,
  type ScopeKeyed,
  type Source,
  type Standing,
} from './choose.js';
export type { Classification, ClassifyRule } from './classification.js';
export { challengeError, classify } from './classify.js';
export {
  decideReport,
  type Incident,
  type IncidentEnd,
  type RecentReports,
  type ReportDecision,
  type ReportLimits,
  type Suppression,
} from './incident.js';
export { type AfterRejection, type NextStep, nextStep } from './next-step.js';
export {
  isResponseLike,
  type Outcome,
  type OutcomeLike,
  outcomeOfError,
  outcomeOfResponse,
  parsedBody,
  type ResponseLike,
} from './outcome.js';
export { providerRule } from './provider-rules.js';
export { DEFAULT_HOLD_MS, retryAfter } from './retry-after.js';
export { type Acceptance, type Reach, type Rejection, type Ruling, supersedes, UNPROVEN, type Verdict, verdictOf } from './verdict.js';
