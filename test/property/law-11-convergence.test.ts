import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, type Credential, type Latchkey, type LatchkeyOptions, type Lease } from '../../src/index.js';
import { freezeTime } from '../support/clock.js';
import { MemoryFleet, settled } from '../support/memory-fleet.js';
import {
  ALL_SCOPES,
  busyStep,
  canonicalLedger,
  FleetPlay,
  type FleetScope,
  type FleetStep,
  fleetStep,
  namedSlots,
  slotsOfSession,
  storedSlots,
} from './fleet-model.js';
import { LONG_MS } from './runs.js';

const SYNC_MS = 2_000;
/** A run is a whole history of three processes. */
const CHECKED = { numRuns: process.env['CI'] ? 500 : 100 };

describe('L11: with the store down each is a single process; when it is back, all end in the same state', () => {
  beforeEach(() => freezeTime());
  afterEach(() => vi.useRealTimers());

  async function play(
    steps: readonly FleetStep[],
    look: (fleet: MemoryFleet) => Promise<void> = lookAtOnce,
    options: readonly LatchkeyOptions[] = [{}, {}, {}],
    restMs = 0,
  ): Promise<void> {
    const fleet = new MemoryFleet();
    for (const own of options) fleet.add({ syncMs: SYNC_MS, ...own }).carrier.auto = false;
    const game = new FleetPlay(fleet);
    try {
      await fleet.ready();
      for (const step of steps) {
        if (step.do === 'wait') await vi.advanceTimersByTimeAsync(step.ms);
        else void game.play(step);
        await Promise.resolve();
      }
      game.heal();
      await vi.advanceTimersByTimeAsync(2 * SYNC_MS + restMs);
      await look(fleet);
      expect(game.stuck()).toEqual([]);
      expect(fleet.processes.map(({ latchkey }) => latchkey.stats().store)).toEqual(['up', 'up', 'up']);
    } finally {
      await fleet.close();
    }
  }

  async function lookAtOnce(fleet: MemoryFleet): Promise<void> {
    // Everybody asks about everything, or some would not need to know.
    for (const { latchkey } of fleet.processes) await latchkey.load(ALL_SCOPES);
    await settled();
    await vi.advanceTimersByTimeAsync(3 * SYNC_MS);
    await settled();
    const ledgers = fleet.processes.map(({ latchkey }) => canonicalLedger(latchkey.snapshot()));
    expect(ledgers[1]).toEqual(ledgers[0]);
    expect(ledgers[2]).toEqual(ledgers[0]);
    for (const { latchkey } of fleet.processes) expect(namedSlots(latchkey.snapshot())).toEqual(storedSlots(fleet.store.dump()));
  }

  /** Where there is not room for all of it at once. */
  async function lookOneByOne(fleet: MemoryFleet): Promise<void> {
    await vi.advanceTimersByTimeAsync(3 * SYNC_MS);
    for (const scope of ALL_SCOPES) {
      const found: string[] = [];
      const own: string[][] = [];
      for (const { latchkey } of fleet.processes) {
        await latchkey.load([scope]);
        found.push(inUse(latchkey, scope));
        own.push(slotsOfSession(namedSlots(latchkey.snapshot()), scope));
      }
      const stored = slotsOfSession(storedSlots(fleet.store.dump()), scope);
      expect(own, JSON.stringify(scope)).toEqual([stored, stored, stored]);
      expect(new Set(found), JSON.stringify(scope)).toHaveLength(1);
    }
  }

  it(
    'whatever is delivered, lost, repeated or late',
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fleetStep, { minLength: 1, maxLength: 60 }), (steps) => play(steps)),
        CHECKED,
      );
    },
    LONG_MS,
  );

  it(
    'with an outage in the middle',
    async () => {
      const some = fc.array(fleetStep, { minLength: 1, maxLength: 25 });
      await fc.assert(
        fc.asyncProperty(some, some, some, (before, during, after) =>
          play([
            ...before,
            { do: 'store', down: true },
            ...during.filter((step) => step.do !== 'store'),
            { do: 'store', down: false },
            ...after,
          ]),
        ),
        CHECKED,
      );
    },
    LONG_MS,
  );

  it(
    'with a store that was restarted empty',
    async () => {
      const some = fc.array(fleetStep, { minLength: 1, maxLength: 25 });
      await fc.assert(
        fc.asyncProperty(some, some, (before, after) => play([...before, { do: 'restart empty' }, ...after])),
        CHECKED,
      );
    },
    LONG_MS,
  );

  it(
    'with tokens that are refreshed',
    async () => {
      const options = { refresh, refreshMs: 1_000, expiry: { mandatoryMs: 0 } };
      await fc.assert(
        fc.asyncProperty(fc.array(busyStep, { minLength: 20, maxLength: 60, size: 'max' }), (steps) =>
          // Who waits for another that has died waits for as long as its lock lasts, twice.
          play(steps, lookAtOnce, [options, options, options], 30_000),
        ),
        CHECKED,
      );
    },
    LONG_MS,
  );

  it(
    'with room for few sessions',
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fleetStep, { minLength: 1, maxLength: 60 }), (steps) =>
          play(steps, lookOneByOne, [{}, { limits: { sessions: 3 } }, { limits: { sessions: 2 } }]),
        ),
        CHECKED,
      );
    },
    LONG_MS,
  );
});

/** Some are refreshed to another, some to one that others were refreshed to, some to one that they came of themselves; some not at all. */
async function refresh({ credential }: Lease): Promise<Credential | undefined> {
  const next = SUCCESSORS[credential.reveal()];
  await new Promise((resolve) => setTimeout(resolve, 20));
  return next === undefined ? undefined : bearer(next);
}

const SUCCESSORS: Readonly<Record<string, string>> = {
  'token-a': 'token-b',
  'token-b': 'token-e',
  'token-e': 'token-a',
  'token-c': 'token-e',
};

function inUse(latchkey: Latchkey, scope: FleetScope): string {
  const found = latchkey.resolve(scope);
  return found.ok ? `${found.lease.source} ${found.lease.credential.reveal()}` : found.reason;
}
