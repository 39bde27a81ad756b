import type { FleetCallsCase } from '../children/fleet-calls.js';
import { measure, medians } from '../support/child.js';
import type { Row } from '../support/report.js';

const RUNS = 3;

/** What a run costs while nothing happens but calls, in one process. */
export async function measureCalls(redisUrl: string): Promise<Row[]> {
  const cases = (['bare', 'latchkey', 'latchkey with a store'] as const).map((name): FleetCallsCase => ({ name, redisUrl }));
  const figures = await medians(cases, RUNS, (one) => measure<{ nsPerCall: number }>('fleet-calls', one));
  return cases.map(({ name }, index) => ({
    name,
    processes: 1,
    nsPerCall: figures[index]!.nsPerCall,
    callsPerSecond: 1e9 / figures[index]!.nsPerCall,
  }));
}
