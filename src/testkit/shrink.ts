/** A schedule that fails, and what it takes. */
interface Failing {
  readonly choices: readonly number[];
  readonly steps: readonly string[];
}

const MOST_TRIES = 400;

/** Looks for a shorter schedule that fails still, until it is late: fewer steps, or as many with less that is out of order. */
export async function shrink<F extends Failing>(
  failing: F,
  fails: (choices: readonly number[]) => Promise<F | undefined>,
  isLate: () => boolean,
): Promise<F> {
  let best = failing;
  let tries = 0;
  for (let found = true; found; ) {
    found = false;
    for (const choices of smaller(best.choices)) {
      if (++tries > MOST_TRIES || isLate()) return best;
      const shorter = await fails(choices);
      if (shorter === undefined || !isShorter(shorter, best)) continue;
      best = shorter;
      found = true;
      break;
    }
  }
  return best;
}

function isShorter(a: Failing, b: Failing): boolean {
  const [left, right] = [measure(a), measure(b)];
  const index = left.findIndex((value, at) => value !== right[at]);
  return index >= 0 && (left[index] ?? 0) < (right[index] ?? 0);
}

function measure({ choices, steps }: Failing): number[] {
  return [steps.length, choices.filter((choice) => choice > 0).length, choices.length, choices.reduce((sum, choice) => sum + choice, 0)];
}

/** The boldest first: whole stretches left out or put in order, and then one choice at a time. */
function* smaller(choices: readonly number[]): Iterable<readonly number[]> {
  for (let size = choices.length; size >= 1; size = Math.floor(size / 2)) {
    for (let start = 0; start < choices.length; start += size) {
      yield [...choices.slice(0, start), ...choices.slice(start + size)];
      if (choices.slice(start, start + size).some((choice) => choice > 0))
        yield choices.map((choice, index) => (index >= start && index < start + size ? 0 : choice));
    }
  }
  for (const [index, choice] of choices.entries()) {
    if (choice > 1) yield choices.with(index, Math.floor(choice / 2));
    if (choice > 2) yield choices.with(index, choice - 1);
  }
}
