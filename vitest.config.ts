import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defaultExclude, defineConfig } from 'vitest/config';

/** Their files share a worker and its modules: all that they change is put back, and the time that they know is frozen. */
const PURE = ['credential', 'ledger', 'policy', 'property', 'report', 'signals', 'sources', 'worker'].map(
  (folder) => `test/${folder}/**/*.test.ts`,
);
const ALL = 'test/**/*.test.ts';
/** Chromium runs what they are about, which Node drives it says nothing; and each reachable state of a model is as reachable on any. */
const ONCE = [
  'test/browser/chromium.test.ts',
  'test/browser/readme.test.ts',
  'test/example/chromium.test.ts',
  'test/operator/page-chromium.test.ts',
  'test/operator/page-looks.test.ts',
  'test/property/exhaustive.test.ts',
];

const once = process.env['LATCHKEY_OTHER_LINE'] === '1' ? ONCE : [];

const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    // As in tsconfig.json: the examples import the package by its name.
    alias: [
      { find: /^latchkey$/, replacement: source('index.ts') },
      { find: /^latchkey\/(policy|signals|guard|sources|operator|browser|testkit)$/, replacement: source('$1/index.ts') },
      { find: /^latchkey\/([a-z]+)$/, replacement: source('adapters/$1.ts') },
    ],
  },
  test: {
    projects: [
      { extends: true, test: { name: 'pure', include: PURE, exclude: [...defaultExclude, ...once], isolate: false } },
      {
        extends: true,
        test: {
          name: 'real',
          include: [ALL],
          exclude: [...defaultExclude, ...PURE, ...once],
        },
      },
    ],
    // The default leaves one processor to others: with two there would be one worker, though much of the time goes in waiting.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // Real servers and child processes share the machine with the property tests.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    restoreMocks: true,
    unstubGlobals: true,
    coverage: {
      include: ['src/**/*.ts'],
      reporter: ['text', 'json-summary'],
      thresholds: {
        'src/policy/**': { lines: 95 },
        'src/ledger/**': { lines: 95 },
        'src/worker/**': { lines: 95 },
      },
    },
  },
});
