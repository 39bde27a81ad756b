import { afterEach, describe } from 'vitest';
import type { LatchkeyOptions } from '../../../src/index.js';
import { describeAsking } from './asking.js';
import { describeEviction } from './eviction.js';
import type { ContractFleet, MakeFleet } from './fleet.js';
import { describePins } from './pins.js';
import { describePresenting } from './presenting.js';
import { describeRefreshing } from './refreshing.js';
import { describeResolving } from './resolving.js';
import { describeVerdicts } from './verdicts.js';
import { describeWaiting } from './waiting.js';

/** A fleet for one test, closed after it. */
export type Start = (options?: LatchkeyOptions) => Promise<ContractFleet>;

/** What one state is to its users, however many processes share it. */
export function describeContract(name: string, makeFleet: MakeFleet): void {
  describe(name, () => {
    const fleets: ContractFleet[] = [];
    const start: Start = async (options) => {
      const fleet = await makeFleet(options);
      fleets.push(fleet);
      return fleet;
    };
    afterEach(async () => {
      await Promise.all(fleets.splice(0).map((fleet) => fleet.close()));
    });

    describe('presenting', () => describePresenting(start));
    describe('verdicts', () => describeVerdicts(start));
    describe('resolving', () => describeResolving(start));
    describe('pins', () => describePins(start));
    describe('eviction', () => describeEviction(start));
    describe('waiting', () => describeWaiting(start));
    describe('refreshing', () => describeRefreshing(start));
    describe('asking', () => describeAsking(start));
  });
}
