export type { Evictable, Latchkey, Resolution } from './api.js';
export type { Clock } from './clock.js';
export { type ApiKeyOptions, apiKey, type BearerOptions, bearer, type Credential, type CredentialScheme } from './credential/credential.js';
export {
  type CredentialHeaderOptions,
  type CredentialProblem,
  credentialFromHeaders,
  credentialProblem,
  type HeadersLike,
} from './credential/headers.js';
export type { ErrorCopy } from './credential/redact.js';
export {
  isLatchkeyError,
  LatchkeyError,
  type LatchkeyErrorCode,
  type LatchkeyErrorDetails,
  ResponseError,
  type ScopeParts,
} from './errors.js';
export type { ErrorOrigin, LatchkeyEventName, LatchkeyEvents, LatchkeyListener } from './events.js';
export { createLatchkey } from './latchkey.js';
export type { Capture } from './ledger/capture.js';
export type { CandidateExplanation, Explanation, RefreshExplanation } from './ledger/explain.js';
export type { Lease } from './ledger/lease.js';
export type { FallbackCandidate } from './ledger/reader.js';
export type { Scope } from './ledger/scope-key.js';
export type { SlotSnapshot, Snapshot, VerdictSnapshot } from './ledger/snapshot.js';
export type { FallbackRule, LatchkeyOptions } from './options.js';
export type { CanaryMode } from './policy/canary.js';
export type { Source } from './policy/choose.js';
export type { Classification, ClassifyRule } from './policy/classification.js';
export type { Incident, IncidentEnd, Suppression } from './policy/incident.js';
export type { Outcome, OutcomeLike } from './policy/outcome.js';
export type { BlockReason, Status, StatusState } from './policy/status.js';
export type { Reach, Verdict } from './policy/verdict.js';
export type { Reporter } from './report/reporter.js';
export type { Stats } from './stats.js';
export type { ExpiryOptions, ProbeOptions, RefreshKeyRule, StrikeOptions } from './time-options.js';
export type { RunContext } from './worker/context.js';
export { createIdleLoop, type IdleLoop, type IdleLoopOptions, type IdleTask, type TickSummary } from './worker/idle-loop.js';
export type { Attempt } from './worker/job.js';
export type { RefreshContext, RefreshFunction } from './worker/refresh-call.js';
export type { RunOptions } from './worker/run-options.js';
export type { TransientOptions } from './worker/transient.js';
