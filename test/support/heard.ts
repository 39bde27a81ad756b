import type { Latchkey, LatchkeyEventName } from '../../src/index.js';

const EVENTS: Readonly<Record<LatchkeyEventName, true>> = {
  captured: true,
  accepted: true,
  rejected: true,
  denied: true,
  held: true,
  retried: true,
  borrowed: true,
  blocked: true,
  resumed: true,
  skipped: true,
  parked: true,
  incident: true,
  recovered: true,
  refreshed: true,
  refreshFailed: true,
  status: true,
  suppressed: true,
  evicted: true,
  store: true,
  error: true,
};

/** Every event that there is. */
export const EVENT_NAMES = Object.keys(EVENTS) as readonly LatchkeyEventName[];

export interface Heard {
  readonly name: LatchkeyEventName;
  readonly event: unknown;
}

/** Every event of an instance from now on, in order, but `status`, which says once more what the others come to. */
export function hearAll(latchkey: Latchkey): Heard[] {
  const heard: Heard[] = [];
  for (const name of EVENT_NAMES) if (name !== 'status') latchkey.on(name, (event) => void heard.push({ name, event }));
  return heard;
}

export function named(heard: readonly Heard[], name: LatchkeyEventName): unknown[] {
  return heard.filter((one) => one.name === name).map((one) => one.event);
}
