import { ExplorationError } from '../../src/testkit/exploration-error.js';
import { type ExploreOptions, explore } from '../../src/testkit/explore.js';
import type { Scenario } from '../../src/testkit/world.js';

/** What an exploration that must fail rejects with. */
export async function failure(scenario: Scenario, options: ExploreOptions = {}): Promise<ExplorationError> {
  const error: unknown = await explore(scenario, options).catch((reason: unknown) => reason);
  if (!(error instanceof ExplorationError)) throw new Error(`it did not fail: ${JSON.stringify(error)}`);
  return error;
}
