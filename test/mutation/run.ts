// `npm run mutation -- policy|ledger|worker [--files N --seed N]`: breaks the code in every place that Stryker knows, and counts what the tests notice.
// With `--files` only in so many files of the folder, drawn by the seed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureInstalled } from '../support/locked-folder.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HERE = fileURLToPath(new URL('.', import.meta.url));

/** What is mutated, by which suites it is judged, and the least score that passes, in per cent. */
const FOLDERS: Readonly<Record<string, { readonly suites: string; readonly least: number }>> = {
  policy: { suites: 'policy', least: 85 },
  ledger: { suites: 'ledger', least: 0 },
  worker: { suites: 'worker', least: 0 },
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { files: { type: 'string' }, seed: { type: 'string' } } });
const [folder = 'policy'] = positionals;
const chosen = FOLDERS[folder];
if (chosen === undefined) throw new TypeError(`mutation: the folder must be one of ${Object.keys(FOLDERS).join(', ')}`);

const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const all = readdirSync(join(ROOT, 'src', folder)).sort();
const files = values.files === undefined ? all : drawn(all, Number(values.files), seed);
if (files.length < all.length) console.log(`seed ${seed}: ${files.join(' ')}`);

ensureInstalled(HERE);
// Whoever interrupts a run interrupts Stryker with it; this one goes on to where the copy is removed.
process.on('SIGINT', () => {});
const status = strykerOn(files);
if (status !== 0) process.exit(status);

const report = join(ROOT, `coverage/mutation/${folder}.json`);
renameSync(join(ROOT, 'coverage/mutation/mutation.json'), report);
const score = scoreOf(JSON.parse(readFileSync(report, 'utf8')) as Report);
console.log(`src/${folder}: ${score.toFixed(2)} % (the least is ${chosen.least}); seed ${seed}; report: ${report}`);
// No score at all is none that will do.
if (!(score >= chosen.least)) process.exit(1);

interface Report {
  readonly files: Readonly<Record<string, { readonly mutants: readonly { readonly status: string }[] }>>;
}

/** Noticed, in per cent of all that could be run. */
function scoreOf({ files }: Report): number {
  const mutants = Object.values(files).flatMap(({ mutants }) => mutants.map(({ status }) => status));
  const count = (...statuses: string[]): number => mutants.filter((status) => statuses.includes(status)).length;
  const noticed = count('Killed', 'Timeout');
  return (100 * noticed) / (noticed + count('Survived', 'NoCoverage'));
}

/** Its exit status. Nothing of the copies that it works on is left behind. */
function strykerOn(names: readonly string[]): number {
  const copy = mkdtempSync(join(tmpdir(), 'latchkey-mutation-'));
  try {
    const stryker = join(HERE, 'node_modules/@stryker-mutator/core/bin/stryker.js');
    const mutate = names.map((name) => `src/${folder}/${name}`).join(',');
    const args = [stryker, 'run', 'test/mutation/stryker.config.json', '--mutate', mutate, '--tempDirName', copy];
    const env = { ...process.env, LATCHKEY_SUITES: chosen?.suites };
    return spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit', env }).status ?? 1;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** So many of a list, each as likely as any other, always the same for one seed. */
function drawn(list: readonly string[], count: number, from: number): string[] {
  let state = from;
  const next = (): number => {
    // Mulberry32.
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return list
    .map((file) => ({ file, rank: next() }))
    .sort((a, b) => a.rank - b.rank)
    .slice(0, count)
    .map(({ file }) => file);
}
