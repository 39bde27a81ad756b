import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ROOT } from './built.js';
import { median } from './median.js';
import { started } from './progress.js';
import { shuffle } from './shuffle.js';

const execute = promisify(execFile);

/** Runs Node in a process of its own, and gives what it printed. */
export async function node(args: readonly string[]): Promise<string> {
  const { stdout } = await execute(process.execPath, args, { cwd: ROOT, maxBuffer: 2 ** 24 });
  return stdout;
}

/** Runs one of `bench/children` on its case; it prints its figures as JSON. */
export async function measure<Figures>(child: string, subject: object, nodeOptions: readonly string[] = []): Promise<Figures> {
  const file = fileURLToPath(new URL(`../children/${child}.ts`, import.meta.url));
  return JSON.parse(await node([...nodeOptions, '--import', 'tsx', file, JSON.stringify(subject)])) as Figures;
}

/** The case that a child was started for. */
export function subject<Case>(): Case {
  return JSON.parse(process.argv[2] ?? '{}') as Case;
}

/**
 * Each case so many times, one process after another, in a random order, so that a machine that grows slow is slow for all. Gives the median of each
 * figure, case by case.
 */
export async function medians<Case extends { readonly name: string; readonly sessions?: number | undefined }, Name extends string>(
  cases: readonly Case[],
  runs: number,
  take: (one: Case) => Promise<Record<Name, number>>,
): Promise<Record<Name, number>[]> {
  const taken = cases.map((): Record<Name, number>[] => []);
  const order = shuffle(
    cases.flatMap((_, index) => Array.from({ length: runs }, () => index)),
    Date.now(),
  );
  for (const [done, index] of order.entries()) {
    const [one, before] = [cases[index]!, taken[index]!];
    const name = one.sessions === undefined ? one.name : `${one.name} with ${one.sessions} sessions`;
    started(`${done + 1} of ${order.length}: ${name}, round ${before.length + 1} of ${runs}`);
    before.push(await take(one));
  }
  return taken.map((figures) => {
    const names = Object.keys(figures[0]!) as Name[];
    return Object.fromEntries(names.map((name) => [name, median(figures.map((figure) => figure[name]))])) as Record<Name, number>;
  });
}
