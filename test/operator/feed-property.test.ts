import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createLatchkey } from '../../src/index.js';
import { createFeed } from '../../src/operator/feed.js';
import { incidentRows } from '../../src/operator/incident-rows.js';
import { scopeRows } from '../../src/operator/rows.js';
import { Gateway, manyOperations } from '../property/operations.js';
import { freezeTime, START } from '../support/clock.js';
import { PageCopy } from './page-copy.js';

/** The longest hold, and the latest expiry after the start, and then longer than anything takes to be told. */
const QUIET_MS = 3_000 + 2_500;
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

it('what a page keeps by the differences is what there is, whenever it came and whatever happens', () => {
  let differences = 0;
  fc.assert(
    fc.property(manyOperations, fc.array(fc.nat({ max: 60 }), { maxLength: 3 }), (operations, arrivals) => {
      vi.clearAllTimers();
      vi.setSystemTime(START);
      const latchkey = createLatchkey({ canary: 'off', limits: { sessions: 3, identities: 3, parked: 4 } });
      const feed = createFeed(latchkey);
      const gateway = new Gateway({ latchkey, model: undefined, advance: (ms) => void vi.advanceTimersByTime(ms) });
      const pages = [new PageCopy(feed)];
      const check = (): void => {
        for (const { rows, incidents, stats } of pages) {
          expect(new Map(rows)).toEqual(new Map(scopeRows(latchkey).map((row) => [row.key, plain(row)])));
          expect(incidents).toEqual(plain(incidentRows(latchkey)));
          expect(stats).toEqual(plain(latchkey.stats()));
        }
      };
      operations.forEach((operation, index) => {
        if (arrivals.includes(index)) pages.push(new PageCopy(feed));
        gateway.apply(operation);
        if (operation.do === 'advance' && operation.ms >= 4_000 && Date.now() > START + QUIET_MS) check();
      });
      vi.advanceTimersByTime(QUIET_MS);
      check();
      for (const { entries } of pages) expect(entries.map(({ id }) => id)).toEqual(entries.map((_, index) => index + 1));
      differences += pages[0]?.news().filter((event) => event === 'rows').length ?? 0;
      feed.close();
    }),
    { numRuns: 150 },
  );
  expect(differences).toBeGreaterThan(150);
});
