import { availableParallelism } from 'node:os';
import { isOwn } from '../scenarios/case.js';
import type { Bench, Row } from './report.js';
import { type Cell, spell } from './table.js';

/** A bench's table for a README: a heading line, a line for each row that it shows, and what it was measured on. */
export function markdownTable(bench: Bench, rows: readonly Row[]): string {
  const { columns, shows = () => true } = bench.readme ?? { columns: Object.fromEntries(fieldsOf(rows).map((field) => [field, field])) };
  const shown = rows.filter(shows);
  const fields = Object.keys(columns);
  const isFigure = fields.map((field) => shown.some((row) => typeof row[field] === 'number'));
  const lines = [
    fields.map((field) => columns[field]!),
    isFigure.map((is) => (is ? '---:' : '---')),
    ...shown.map((row) => fields.map((field) => cellOf(row, row[field]))),
  ];
  const machine = `Node ${process.version}, ${availableParallelism()} cores; ${bench.rounds ?? 'medians'}.`;
  return `${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n\n${machine}`;
}

function fieldsOf(rows: readonly Row[]): string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(row)))];
}

function cellOf(row: Row, cell: Cell): string {
  const text = typeof cell === 'boolean' ? (cell ? 'yes' : 'no') : spell(cell).replaceAll('|', '\\|');
  return text !== '' && isOwn(row) ? `**${text}**` : text;
}

/** The names of the sections that a text has markers for, in order. */
export function sectionsOf(text: string): string[] {
  return [...text.matchAll(/^<!-- bench:(\S+) -->$/gm)].map(([, name]) => name!);
}

/**
 * The text with that between a bench's two markers replaced.
 *
 * @throws `Error` where each of the markers is not there exactly once, or they are the wrong way round.
 */
export function withSection(text: string, name: string, body: string): string {
  const [start, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const [before, ...behind] = text.split(start);
  const [, after, ...more] = behind.join(start).split(end);
  if (before === undefined || behind.length !== 1 || after === undefined || more.length > 0 || before.includes(end)) {
    throw new Error(`no place for it: the lines \`${start}\` and \`${end}\` must be there once each, in this order`);
  }
  return `${before}${start}\n${body}\n${end}${after}`;
}
