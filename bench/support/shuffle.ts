import { randomNumbers } from './random.js';

/** In place, by Fisher and Yates; the same order for the same seed. */
export function shuffle<T>(items: T[], seed: number): T[] {
  // Good enough to defeat a cache.
  const next = randomNumbers(seed);
  for (let last = items.length - 1; last > 0; last--) {
    const other = next() % (last + 1);
    [items[last], items[other]] = [items[other]!, items[last]!];
  }
  return items;
}
