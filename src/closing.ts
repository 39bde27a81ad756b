import { startTimer } from './clock.js';
import type { Settler } from './ledger/settle.js';
import type { Replica } from './ledger/store.js';
import type { IncidentLog } from './report/incident-log.js';
import type { Delivery } from './report/reporter.js';
import type { Sweep } from './sweep.js';
import type { Canaries } from './worker/canary.js';
import type { Parking } from './worker/parking.js';
import type { Refresher } from './worker/refresher.js';
import type { Runner } from './worker/run.js';
import type { StatusBoard } from './worker/status-board.js';

/** What has to end. */
export interface Closing {
  readonly sweep: Sweep;
  readonly parking: Parking;
  readonly canaries: Canaries;
  readonly refresher: Refresher | undefined;
  readonly statuses: StatusBoard;
  readonly runner: Runner;
  readonly settler: Settler;
  readonly incidents: IncidentLog;
  readonly delivery: Delivery;
  readonly replica: Replica | undefined;
}

/** Ends everything: what is out is given `timeoutMs` and then aborted, and what is to be told is told within it. */
export async function closeAll(parts: Closing, timeoutMs: number): Promise<void> {
  const { sweep, parking, canaries, refresher, statuses, runner, settler, incidents, delivery, replica } = parts;
  sweep.cancel();
  parking.close();
  canaries.close();
  let timer: { cancel(): void } | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = startTimer(timeoutMs, resolve);
  });
  runner.interruptWaiting();
  await Promise.race([Promise.all([runner.flights.empty(), refresher?.settled()]), limit]);
  settler.close();
  runner.interruptAll();
  refresher?.close();
  statuses.close();
  await Promise.race([Promise.all([incidents.settled(), replica?.flush()]), limit]);
  await Promise.race([delivery.settled(), limit]);
  incidents.close();
  await Promise.race([replica?.close(), limit]);
  timer?.cancel();
}
