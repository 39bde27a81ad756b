import type { ScenarioCase } from '../scenarios/case.js';
import { represented, revoked } from '../scenarios/dead.js';
import { late } from '../scenarios/late.js';
import { POLICIES } from '../scenarios/policies.js';
import type { Scenario } from '../scenarios/scenario.js';
import { storm } from '../scenarios/storm.js';
import { subject } from '../support/child.js';

const SCENARIOS: Readonly<Record<string, Scenario>> = { storm, late, revoked, represented };

/** One round of one case of a scenario. */
export interface ScenarioRound extends ScenarioCase {
  readonly scenario: string;
  readonly seed: number;
}

const round = subject<ScenarioRound>();
const [scenario, policy] = [SCENARIOS[round.scenario], POLICIES[round.policy]];
if (scenario === undefined || policy === undefined) throw new Error(`no scenario ${round.scenario}, or no policy ${round.policy}`);
console.log(JSON.stringify(await scenario({ ...round, policy })));
