import { defaultExclude } from 'vitest/config';
import base from '../../vitest.config.js';

const { projects: _, ...test } = base.test ?? {};
const folders = (process.env['LATCHKEY_SUITES'] ?? 'policy').split(',');
/** Real servers take seconds for each mutant. What they show of one, the suites on a frozen clock are to show without them. */
const SLOW = ['test/worker/refresh-endpoint.test.ts', 'test/worker/run-http.test.ts'];

/** As in every run, but only the suites that a mutant is shown to: those of the folder that it is in, which take seconds. */
export default {
  ...base,
  test: { ...test, include: folders.map((folder) => `test/${folder}/**/*.test.ts`), exclude: [...defaultExclude, ...SLOW] },
};
