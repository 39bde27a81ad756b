/** Whole numbers below 2^32, by xorshift32: the same ones for the same seed, in every process. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Whole numbers from `least` to `most`, the same ones for the same seed. */
export function randomBetween(seed: number, least: number, most: number): () => number {
  const next = randomNumbers(seed);
  return () => least + (next() % (most - least + 1));
}
