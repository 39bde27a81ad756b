export type Cell = string | number | boolean | undefined;

/** Aligned columns: names to the left, figures to the right. */
export function table(heads: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const lines = [heads, ...rows.map((row) => row.map(spell))];
  const widths = heads.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  const figures = heads.map((_, column) => rows.some((row) => typeof row[column] === 'number'));
  const align = (line: readonly string[]): string =>
    line
      .map((cell, column) => (figures[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd();
  return [align(lines[0]!), widths.map((width) => '-'.repeat(width)).join('  '), ...lines.slice(1).map(align)].join('\n');
}

export function spell(cell: Cell): string {
  if (cell === undefined) return '';
  return typeof cell === 'number' ? cell.toLocaleString('en', { maximumFractionDigits: 2, signDisplay: 'negative' }) : String(cell);
}
