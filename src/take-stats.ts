import type { Emitter } from './events.js';
import type { Ledger } from './ledger/ledger.js';
import type { Replica } from './ledger/store.js';
import type { IncidentLog } from './report/incident-log.js';
import type { Counters, Stats } from './stats.js';
import type { Refresher } from './worker/refresher.js';
import type { Runner } from './worker/run.js';
import type { Seats } from './worker/seats.js';

interface Counted {
  readonly counters: Counters;
  readonly emitter: Emitter;
  readonly ledger: Ledger;
  readonly runner: Runner;
  readonly seats: Seats;
  readonly incidents: IncidentLog;
  readonly refresher: Refresher | undefined;
  readonly replica: Replica | undefined;
}

/** Counters and gauges as they are now. */
export function takeStats({ counters, emitter, ledger, runner, seats, incidents, refresher, replica }: Counted): Stats {
  return {
    ...counters,
    errors: emitter.failures,
    ...ledger.sizes,
    running: runner.flights.size,
    waiting: seats.taken,
    openIncidents: incidents.size,
    refreshing: refresher?.size ?? 0,
    store: replica?.state,
  };
}
