/** What has happened since the start. */
export interface Counters {
  captures: number;
  runs: number;
  attempts: number;
  accepted: number;
  rejected: number;
  denied: number;
  held: number;
  /** Outcomes that came after one of a call sent later, or for an identity that was forgotten: they changed nothing. */
  late: number;
  retried: number;
  borrowed: number;
  skipped: number;
  parked: number;
  incidents: number;
  reports: number;
  reportsSuppressed: number;
  evicted: number;
  /** Tries to refresh a credential, those that brought another one, and those that came to nothing. */
  refreshes: number;
  refreshed: number;
  refreshesFailed: number;
  /** Calls that put a rejected credential to the test. */
  probes: number;
}

/** Counters since the start, and gauges of now. */
export interface Stats extends Readonly<Counters> {
  /** Failures of functions of the user's, contained. */
  readonly errors: number;
  readonly sessions: number;
  readonly identities: number;
  /** Identities that no slot points at, remembered for their verdict. */
  readonly tombstones: number;
  /** Runs on their way, those that wait included, and `whenRunnable` waiters. */
  readonly running: number;
  /** Those of them that wait: parked, or behind a canary. */
  readonly waiting: number;
  readonly openIncidents: number;
  /** Refreshes that go on, their pauses included. */
  readonly refreshing: number;
  /** Whether the store answers; undefined without one. */
  readonly store: 'up' | 'down' | undefined;
}

export function newCounters(): Counters {
  return {
    captures: 0,
    runs: 0,
    attempts: 0,
    accepted: 0,
    rejected: 0,
    denied: 0,
    held: 0,
    late: 0,
    retried: 0,
    borrowed: 0,
    skipped: 0,
    parked: 0,
    incidents: 0,
    reports: 0,
    reportsSuppressed: 0,
    evicted: 0,
    refreshes: 0,
    refreshed: 0,
    refreshesFailed: 0,
    probes: 0,
  };
}
