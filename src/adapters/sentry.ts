export { beforeSendLog, type LatchkeyIntegrationOptions, latchkeyIntegration } from './sentry/integration.js';
export { isReported } from './sentry/reported.js';
export { type SentryReporterOptions, sentryReporter } from './sentry/reporter.js';
export type { Redact } from './sentry/scrub.js';
export type {
  SentryEvent,
  SentryHint,
  SentryIntegration,
  SentryLevel,
  SentryLog,
  SentryNamespace,
  SentryScope,
} from './sentry/types.js';
