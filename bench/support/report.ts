import { ended, started } from './progress.js';
import { type Cell, table } from './table.js';

/** A row of a bench's document: its name, and its figures. */
export type Row = { readonly name: string } & Readonly<Record<string, Cell>>;

/** What a figure is to be, in words, and whether it is; undefined where it is only to be known. */
interface Target {
  readonly wanted: string;
  readonly met: boolean | undefined;
}

export interface Bench {
  readonly name: string;
  measure(): Promise<Row[]>;
  /** Undefined for a row that is there to compare with. */
  target(row: Row, rows: readonly Row[]): Target | undefined;
  /** Which of several rounds a row is. Default: medians. */
  readonly rounds?: string;
  /** What of it a README shows. Default: everything, under the fields' own names. */
  readonly readme?: {
    /** Headings, by field. */
    readonly columns: Readonly<Record<string, string>>;
    readonly shows?: (row: Row) => boolean;
  };
  /** What a reader of the table should know. */
  readonly notes: readonly string[];
}

const VERDICTS: Readonly<Record<string, string>> = { true: 'met', false: 'MISSED', undefined: '' };

/** Measures, and prints what that gave. A target that is missed makes the command fail, once it has done all that it has to do. */
export async function report(bench: Bench, asJson: boolean): Promise<Row[]> {
  const startedAt = performance.now();
  started(`${bench.name} starts`);
  const rows = await bench.measure();
  ended();
  if (asJson) console.log(JSON.stringify({ bench: bench.name, node: process.version, rows }));
  else print(bench, rows, performance.now() - startedAt);
  const missed = rows.filter((row) => bench.target(row, rows)?.met === false);
  if (missed.length > 0) {
    console.error(`${bench.name}: target missed by ${missed.map(({ name }) => name).join(', ')}`);
    process.exitCode = 1;
  }
  return rows;
}

function print(bench: Bench, rows: readonly Row[], ms: number): void {
  const fields = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = rows.map((row) => {
    const target = bench.target(row, rows);
    const verdict = target === undefined ? [] : [target.wanted, VERDICTS[String(target.met)]];
    return [...fields.map((field) => rounded(row[field])), ...verdict];
  });
  console.log(table([...fields, 'target', ''], lines));
  const seconds = (ms / 1_000).toFixed(0);
  console.log(`\n${[...bench.notes, `Node ${process.version}; ${bench.rounds ?? 'medians'}; took ${seconds} s.`].join('\n')}`);
}

function rounded(figure: Cell): Cell {
  return typeof figure === 'number' && figure >= 100 ? Math.round(figure) : figure;
}
