import { afterEach, beforeEach, vi } from 'vitest';
import type { Latchkey, Scope } from '../../src/index.js';
import { freezeTime } from './clock.js';
import { MemoryFleet } from './memory-fleet.js';

/** A fleet in memory and frozen time, new for each test of a suite. */
export function frozenFleet(): { readonly fleet: MemoryFleet } {
  let fleet: MemoryFleet | undefined;
  beforeEach(() => {
    freezeTime();
    fleet = new MemoryFleet();
  });
  afterEach(async () => {
    const closed = fleet?.close();
    // What is out still is given its time.
    await vi.advanceTimersByTimeAsync(1_000);
    await closed;
    vi.useRealTimers();
  });
  return {
    get fleet() {
      if (fleet === undefined) throw new Error('only within a test');
      return fleet;
    },
  };
}

/** What the scope's work would be sent with, or why there is nothing. */
export function credentialOf(latchkey: Latchkey, scope: Scope): string {
  const found = latchkey.resolve(scope);
  return found.ok ? found.lease.credential.reveal() : found.reason;
}

export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}
