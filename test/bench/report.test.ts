import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { ROOT } from '../../bench/support/built.js';

/** A process that reports of a bench whose rows, of these names, are to be `good`. */
function reporting(names: readonly string[], asJson: boolean): { status: number | null; stdout: string; stderr: string } {
  const program = `
    import { report } from './bench/support/report.ts';
    const rows = ${JSON.stringify(names)}.map((name) => ({ name, calls: 1 }));
    const target = ({ name }) => (name === 'peer' ? undefined : { wanted: 'good', met: name === 'unknown' ? undefined : name === 'good' });
    await report({ name: 'some bench', measure: async () => rows, target, notes: [] }, ${asJson});
    console.log('what follows is done');
  `;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', program];
  return spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
}

it('a bench that misses a target fails, once everything is done', () => {
  const { status, stdout, stderr } = reporting(['good', 'bad', 'worse', 'peer'], false);

  expect(status).toBe(1);
  expect(stdout).toMatch(/^bad .* MISSED$/m);
  expect(stdout).toMatch(/^what follows is done$/m);
  expect(stderr).toBe('some bench starts\nsome bench: target missed by bad, worse\n');
});

it('so it does with one document for machines, of which nothing else is on stdout', () => {
  const { status, stdout } = reporting(['bad'], true);

  expect(status).toBe(1);
  const [document, ...others] = stdout.trimEnd().split('\n');
  expect(JSON.parse(document!)).toEqual({ bench: 'some bench', node: process.version, rows: [{ name: 'bad', calls: 1 }] });
  expect(others).toEqual(['what follows is done']);
});

it('one that meets its targets, or has none, does not', () => {
  const { status, stderr } = reporting(['good', 'unknown', 'peer'], false);

  expect({ status, stderr }).toEqual({ status: 0, stderr: 'some bench starts\n' });
});
