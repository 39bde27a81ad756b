/** In place, by Fisher and Yates; the same order for the same seed. */
export function shuffle<T>(items: T[], seed: number): T[] {
  let state = seed >>> 0 || 1;
  for (let last = items.length - 1; last > 0; last--) {
    // xorshift32: good enough to defeat a cache, and the same in every process.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const other = (state >>> 0) % (last + 1);
    [items[last], items[other]] = [items[other]!, items[last]!];
  }
  return items;
}
