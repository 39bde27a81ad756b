import type { Latchkey, LatchkeyEventName } from '../../src/index.js';

/** Every event that there is. */
export const EVENT_NAMES: readonly LatchkeyEventName[] = [
  'captured',
  'accepted',
  'rejected',
  'denied',
  'held',
  'retried',
  'borrowed',
  'blocked',
  'resumed',
  'skipped',
  'parked',
  'incident',
  'recovered',
  'suppressed',
  'evicted',
  'error',
];

export interface Heard {
  readonly name: LatchkeyEventName;
  readonly event: unknown;
}

/** Every event of an instance from now on, in order. */
export function hearAll(latchkey: Latchkey): Heard[] {
  const heard: Heard[] = [];
  for (const name of EVENT_NAMES) latchkey.on(name, (event) => void heard.push({ name, event }));
  return heard;
}

export function named(heard: readonly Heard[], name: LatchkeyEventName): unknown[] {
  return heard.filter((one) => one.name === name).map((one) => one.event);
}
