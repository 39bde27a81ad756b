import { defineConfig } from 'vitest/config';

export default defineConfig({
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
