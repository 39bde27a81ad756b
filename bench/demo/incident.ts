import { readFileSync } from 'node:fs';

/** A user whose token expires, and who is back with a new one later. */
interface Outage {
  readonly user: string;
  readonly session: string;
  readonly tokenExpiresAtTick: number;
  readonly returnsAtTick: number;
}

export interface Replayed {
  readonly tickMs: number;
  /** Ticks 0 to this one are played. */
  readonly lastTick: number;
  readonly failingTicks: number;
  readonly outages: readonly Outage[];
}

/** Time to see that all is well again. */
const TICKS_AFTERWARDS = 5;

export function readIncident(): Replayed {
  const recorded = JSON.parse(readFileSync(new URL('./incident.json', import.meta.url), 'utf8')) as {
    tickSeconds: number;
    failingTicks: number;
    sessions: Outage[];
  };
  return {
    tickMs: recorded.tickSeconds * 1_000,
    lastTick: Math.max(...recorded.sessions.map((outage) => outage.returnsAtTick)) + TICKS_AFTERWARDS,
    failingTicks: recorded.failingTicks,
    outages: recorded.sessions,
  };
}
