import type { ScenarioRound } from '../children/scenario.js';
import type { ScenarioCase } from '../scenarios/case.js';
import { measure } from './child.js';
import type { Row } from './report.js';
import { shuffle } from './shuffle.js';

const ROUNDS = 5;

/**
 * Each case's worst round of five, in a process of its own each, in a random order. Of counts the worst one is of interest, and not the median. Bad is, in
 * this order, what `badness` gives.
 */
export async function worstRounds(
  scenario: string,
  cases: readonly ScenarioCase[],
  badness: (row: Row) => readonly number[],
): Promise<Row[]> {
  const rounds = shuffle(
    cases.flatMap((one) => Array.from({ length: ROUNDS }, (_, round): ScenarioRound => ({ ...one, scenario, seed: 1 + 2 * round }))),
    Date.now(),
  );
  const worst = new Map<string, Row>();
  for (const round of rounds) {
    const row: Row = { name: round.name, ...(await measure<object>('scenario', round)) };
    const before = worst.get(round.name);
    if (before === undefined || isWorse(badness(row), badness(before))) worst.set(round.name, row);
  }
  return cases.map(({ name }) => worst.get(name)!);
}

function isWorse(one: readonly number[], other: readonly number[]): boolean {
  const at = one.findIndex((figure, index) => figure !== other[index]);
  return at >= 0 && one[at]! > other[at]!;
}
