import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    // As in tsconfig.json: the examples import the package by its name.
    alias: [
      { find: /^latchkey$/, replacement: source('index.ts') },
      { find: /^latchkey\/(policy|signals|guard|sources|operator|browser)$/, replacement: source('$1/index.ts') },
      { find: /^latchkey\/([a-z]+)$/, replacement: source('adapters/$1.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
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
