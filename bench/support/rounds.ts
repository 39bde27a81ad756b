import type { ScenarioRound } from '../children/scenario.js';
import { isOwn, type ScenarioCase } from '../scenarios/case.js';
import { measure } from './child.js';
import { median } from './median.js';
import { ensurePeers } from './peers-installed.js';
import { started } from './progress.js';
import type { Row } from './report.js';
import { shuffle } from './shuffle.js';
import type { Cell } from './table.js';

const OWN_ROUNDS = 5;
const PEER_ROUNDS = 3;

/** What `Bench.rounds` says of these. */
export const ROUNDS = `latchkey: the worst of ${OWN_ROUNDS} rounds; the others: medians of ${PEER_ROUNDS}`;

/**
 * Rounds of each case, in a process of its own each, in a random order. Of this library the worst one counts, of the others the median of each figure. Bad
 * is, in this order, what `badness` gives.
 */
export async function playRounds(
  scenario: string,
  cases: readonly ScenarioCase[],
  badness: (row: Row) => readonly number[],
): Promise<Row[]> {
  ensurePeers();
  const order = shuffle(
    cases.flatMap((one) =>
      Array.from(
        { length: isOwn(one) ? OWN_ROUNDS : PEER_ROUNDS },
        (_, round): ScenarioRound => ({ ...one, scenario, seed: 1 + 2 * round }),
      ),
    ),
    Date.now(),
  );
  const played = new Map<string, Row[]>();
  for (const [done, round] of order.entries()) {
    const before = played.get(round.name) ?? [];
    started(`${done + 1} of ${order.length}: ${round.name}, round ${before.length + 1} of ${isOwn(round) ? OWN_ROUNDS : PEER_ROUNDS}`);
    played.set(round.name, [...before, { name: round.name, ...(await measure<object>('scenario', round)) }]);
  }
  return cases.map((one) => (isOwn(one) ? worst : middle)(played.get(one.name)!, badness));
}

function worst(rows: readonly Row[], badness: (row: Row) => readonly number[]): Row {
  return rows.reduce((before, row) => (isWorse(badness(row), badness(before)) ? row : before));
}

function isWorse(one: readonly number[], other: readonly number[]): boolean {
  const at = one.findIndex((figure, index) => figure !== other[index]);
  return at >= 0 && one[at]! > other[at]!;
}

export function middle(rows: readonly Row[]): Row {
  const fields = Object.entries(rows[0]!).map(([field, first]): [string, Cell] => {
    if (typeof first === 'number') return [field, median(rows.map((row) => Number(row[field])))];
    if (typeof first === 'boolean') return [field, rows.filter((row) => row[field] === true).length > rows.length / 2];
    return [field, first];
  });
  return Object.fromEntries(fields) as Row;
}
