import base from '../../vitest.config.js';

const { projects: _, ...test } = base.test ?? {};
const folders = (process.env['LATCHKEY_SUITES'] ?? 'policy').split(',');

/** As in every run, but only the suites that a mutant is shown to: those of the folder that it is in, which take seconds. */
export default { ...base, test: { ...test, include: folders.map((folder) => `test/${folder}/**/*.test.ts`) } };
