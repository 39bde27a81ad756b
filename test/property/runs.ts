/** How many random cases each law is tried on: all of them where it counts, fewer while one works. */
const RUNS = process.env['CI'] ? 1_000 : 200;

/** fast-check's message names the seed and the path of a failure: add them here to repeat it. */
export const CHECKED = { numRuns: RUNS };

/** A law that takes a thousand cases may need longer than a test of one. */
export const LONG_MS = 300_000;
