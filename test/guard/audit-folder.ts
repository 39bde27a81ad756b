import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

/** A folder for each test of a file; `at` gives a path in it. */
export function auditFolder(): { at(...names: string[]): string } {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'latchkey-audit-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  return { at: (...names) => join(folder, ...names) };
}

/** Every line of a log, parsed; fails for one that is no JSON, and for a last one without an end. */
export function linesOf(path: string): Record<string, unknown>[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  if (lines.pop() !== '') throw new Error('the last line has no end');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}
