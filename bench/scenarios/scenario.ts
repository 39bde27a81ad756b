import type { Cell } from '../support/table.js';
import type { ScenarioCase } from './case.js';
import type { Policy } from './policy.js';

export interface Played extends Omit<ScenarioCase, 'name' | 'policy'> {
  readonly policy: Policy;
  readonly seed: number;
}

/** What became of one policy in it. */
export type Scenario = (played: Played) => Promise<Readonly<Record<string, Cell>>>;
