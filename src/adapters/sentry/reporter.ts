import type { ScopeParts } from '../../errors.js';
import type { Incident } from '../../policy/incident.js';
import type { Reporter } from '../../report/reporter.js';
import type { SentryLevel, SentryNamespace } from './types.js';

/** Options of `sentryReporter`. */
export interface SentryReporterOptions {
  /** The first part of each fingerprint, by which Sentry groups. Default `'latchkey'`. */
  readonly namespace?: string | undefined;
  /** The end of an incident as a breadcrumb (default), or as an event of level `info`. */
  readonly recoveryAs?: 'breadcrumb' | 'event' | undefined;
  /** Of the event when an incident opens. Default `'error'`. */
  readonly level?: SentryLevel | undefined;
}

const NEEDED = [
  'getClient',
  'withScope',
  'withIsolationScope',
  'withActiveSpan',
  'captureException',
  'captureEvent',
  'addBreadcrumb',
] as const;
const LEVELS: readonly SentryLevel[] = ['fatal', 'error', 'warning', 'log', 'info', 'debug'];

/** Sentry cuts long lists, and nobody reads on. */
const MOST_SCOPES = 20;

/**
 * Tells incidents to Sentry: one event when one opens, whatever it stopped, and a breadcrumb or an event when it ends. Takes the
 * namespace as it is imported, `sentryReporter(Sentry)`; events go to the client that is current when an incident opens.
 * @throws {TypeError} for an option that is unknown or malformed, or a namespace that lacks a function.
 */
export function sentryReporter(Sentry: SentryNamespace, options: SentryReporterOptions = {}): Reporter {
  checkNamespace(Sentry);
  const { namespace, recoveryAs, level } = readOptions(options);

  return {
    opened(incident) {
      alone(Sentry, (scope) => {
        scope.setLevel(level);
        scope.setTags(tagsOf(incident));
        scope.setContext('latchkey', contextOf(incident));
        scope.setFingerprint(fingerprintOf(namespace, 'worker-auth-error', incident));
        Sentry.captureException(errorOf(incident), { mechanism: { type: 'latchkey', handled: true } });
      });
    },

    ended(incident) {
      if (recoveryAs === 'breadcrumb') {
        const data = { ...tagsOf(incident), incident: incident.id, ...recoveryOf(incident) };
        Sentry.addBreadcrumb({ category: 'latchkey', level: 'info', message: 'Background work resumed', data });
        return;
      }
      alone(Sentry, (scope) => {
        scope.setTags(tagsOf(incident));
        scope.setContext('latchkey', { ...contextOf(incident), ...recoveryOf(incident) });
        scope.setFingerprint(fingerprintOf(namespace, 'worker-auth-recovered', incident));
        Sentry.captureEvent({ message: `Background work resumed (incident ${shortId(incident)})`, level: 'info' });
      });
    },
  };
}

/** On scopes that know nothing of the request in which the rejection happened to be met. */
function alone(Sentry: SentryNamespace, capture: (scope: InstanceType<SentryNamespace['Scope']>) => void): void {
  const client = Sentry.getClient();
  if (client === undefined) return;
  const isolation = new Sentry.Scope();
  const scope = new Sentry.Scope();
  isolation.setClient(client);
  scope.setClient(client);
  Sentry.withActiveSpan(null, () => {
    Sentry.withIsolationScope(isolation, () => {
      Sentry.withScope(scope, () => capture(scope));
    });
  });
}

/** A new one each time, with words of its own: the SDK drops what equals the event before. */
function errorOf(incident: Incident): Error {
  const what =
    incident.kind === 'provider'
      ? 'Many credentials of one provider were rejected: background work is paused'
      : incident.status === undefined
        ? 'A credential is of no use any more: background work is paused'
        : 'A credential was rejected: background work is paused';
  const error = new Error(`${what} (incident ${shortId(incident)})`);
  error.name = 'WorkerAuthError';
  // The frames would be of whichever request met it first, source lines included.
  error.stack = `${error.name}: ${error.message}`;
  return error;
}

/** Few values only: identifiers belong into the context. */
function tagsOf({ provider, status, kind }: Incident): Record<string, string> {
  return { provider: provider ?? 'unknown', status: String(status ?? 'unknown'), kind };
}

function fingerprintOf(namespace: string, what: string, incident: Incident): string[] {
  const { provider, status, kind } = tagsOf(incident) as { provider: string; status: string; kind: string };
  return kind === 'provider' ? [namespace, what, provider, status, 'provider-wide'] : [namespace, what, provider, status];
}

function contextOf(incident: Incident): Record<string, unknown> {
  return {
    incident: incident.id,
    fingerprint: incident.fingerprint,
    opened_at: new Date(incident.openedAt).toISOString(),
    // In one text each: Sentry does not look deeper into a context.
    scopes: incident.scopes.slice(0, MOST_SCOPES).map(printScope),
    scope_count: incident.scopeCount,
    calls_suppressed: incident.suppressed,
  };
}

function recoveryOf(incident: Incident): Record<string, unknown> {
  return {
    end: incident.end,
    duration_ms: (incident.endedAt ?? incident.openedAt) - incident.openedAt,
    sessions_affected: sessionsOf(incident),
    calls_suppressed: incident.suppressed,
  };
}

/** A session may meet an incident with work of several purposes. Scopes that are not named count as one each. */
function sessionsOf({ scopes, scopeCount }: Incident): number {
  const named = new Set(scopes.map(({ tenant, session }) => JSON.stringify([tenant, session])));
  return named.size + Math.max(0, scopeCount - scopes.length);
}

function printScope({ tenant, session, purpose }: ScopeParts): string {
  const parts = { tenant, session, purpose };
  const named = Object.entries(parts).filter(([, value]) => value !== undefined);
  return named.length === 0 ? 'without session' : named.map(([name, value]) => `${name} ${value}`).join(', ');
}

function shortId({ id }: Incident): string {
  return id.slice(0, 8);
}

function checkNamespace(Sentry: unknown): void {
  const namespace = (typeof Sentry === 'object' && Sentry !== null ? Sentry : {}) as Record<string, unknown>;
  for (const name of [...NEEDED, 'Scope'])
    if (typeof namespace[name] !== 'function')
      throw new TypeError(`sentryReporter: \`Sentry\` must be the namespace of @sentry/node 9 to 11, and has no \`${name}\``);
}

function readOptions(options: SentryReporterOptions): { namespace: string; recoveryAs: 'breadcrumb' | 'event'; level: SentryLevel } {
  if (typeof options !== 'object' || options === null) throw new TypeError('sentryReporter: `options` must be an object');
  const { namespace = 'latchkey', recoveryAs = 'breadcrumb', level = 'error', ...unknown } = options;
  for (const name of Object.keys(unknown)) throw new TypeError(`sentryReporter: unknown option \`${name}\``);
  if (typeof namespace !== 'string' || namespace === '')
    throw new TypeError('sentryReporter: `namespace` must be a text that is not empty');
  if (recoveryAs !== 'breadcrumb' && recoveryAs !== 'event')
    throw new TypeError("sentryReporter: `recoveryAs` must be 'breadcrumb' or 'event'");
  if (!LEVELS.includes(level)) throw new TypeError(`sentryReporter: \`level\` must be one of ${LEVELS.join(', ')}`);
  return { namespace, recoveryAs, level };
}
