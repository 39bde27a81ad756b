/** What is used of a Sentry scope. */
export interface SentryScope {
  setClient(client: unknown): void;
  setLevel(level: SentryLevel): unknown;
  setTags(tags: Record<string, string>): unknown;
  setContext(name: string, context: Record<string, unknown>): unknown;
  setFingerprint(fingerprint: string[]): unknown;
}

/** What is used of the namespace: `import * as Sentry from '@sentry/node'`, of 9, 10 or 11. */
export interface SentryNamespace {
  readonly Scope: new () => SentryScope;
  getClient(): unknown;
  withScope(scope: SentryScope | undefined, callback: () => void): void;
  withIsolationScope(scope: SentryScope | undefined, callback: () => void): void;
  withActiveSpan(span: null, callback: () => void): void;
  captureException(exception: unknown, hint?: { mechanism: { type: string; handled: boolean } }): unknown;
  captureEvent(event: { message: string; level: SentryLevel }): unknown;
  addBreadcrumb(breadcrumb: { category: string; level: SentryLevel; message: string; data: Record<string, unknown> }): void;
}

/** How grave Sentry takes an event to be. */
export type SentryLevel = 'fatal' | 'error' | 'warning' | 'log' | 'info' | 'debug';

/** What is read of an event. */
export interface SentryEvent {
  type?: unknown;
  exception?: { values?: readonly { type?: unknown }[] | undefined } | undefined;
}

/** What is read of a hint. */
export interface SentryHint {
  originalException?: unknown;
}

/** What is read of a structured log. */
export interface SentryLog {
  message: unknown;
  attributes?: Record<string, unknown> | undefined;
}

/** An integration as 9, 10 and 11 take it. */
export interface SentryIntegration {
  readonly name: string;
  beforeSetup(client: object): void;
  processEvent<E extends SentryEvent>(event: E, hint: SentryHint, client: object): E | null | PromiseLike<E | null>;
  afterAllSetup(client: object): void;
}
