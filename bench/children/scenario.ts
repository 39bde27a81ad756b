import type { ScenarioCase } from '../scenarios/case.js';
import { contamination } from '../scenarios/contamination.js';
import { represented, revoked } from '../scenarios/dead.js';
import { late } from '../scenarios/late.js';
import { policyNamed } from '../scenarios/policies.js';
import type { Scenario } from '../scenarios/scenario.js';
import { storm } from '../scenarios/storm.js';
import { subject } from '../support/child.js';

const SCENARIOS: Readonly<Record<string, Scenario>> = { storm, late, revoked, represented, contamination };

/** One round of one case of a scenario. */
export interface ScenarioRound extends ScenarioCase {
  readonly scenario: string;
  readonly seed: number;
}

const round = subject<ScenarioRound>();
const scenario = SCENARIOS[round.scenario];
if (scenario === undefined) throw new Error(`no scenario ${round.scenario}`);
const figures = await scenario({ ...round, policy: await policyNamed(round.policy) });
// Some peers leave timers behind that would keep the process for an hour.
process.stdout.write(JSON.stringify(figures), () => process.exit());
