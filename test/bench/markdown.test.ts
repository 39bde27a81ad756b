import { describe, expect, it } from 'vitest';
import { markdownTable, sectionsOf, withSection } from '../../bench/support/markdown.js';
import type { Bench } from '../../bench/support/report.js';
import { middle } from '../../bench/support/rounds.js';

const README = 'Before\n<!-- bench:late -->\nold\n<!-- /bench:late -->\nBetween\n<!-- bench:storm -->\n<!-- /bench:storm -->\nAfter\n';

const BENCH: Bench = {
  name: 'late',
  measure: async () => [],
  target: () => undefined,
  readme: { columns: { name: '', calls: 'calls', usable: 'usable' }, shows: ({ name }) => name !== 'hidden' },
  notes: [],
};

describe('the tables of the README', () => {
  it('replaces what is between the markers of one bench, and nothing else', () => {
    const once = withSection(README, 'late', 'new');

    expect(once).toBe(README.replace('old', 'new'));
    expect(withSection(once, 'late', 'new')).toBe(once);
    expect(withSection(README, 'storm', '$& $1')).toBe(README.replace('storm -->\n<', () => 'storm -->\n$& $1\n<'));
  });

  it.each([
    ['no markers', 'Before\n'],
    ['no end', 'Before\n<!-- bench:late -->\n'],
    ['no start', 'Before\n<!-- /bench:late -->\n'],
    ['the wrong way round', '<!-- /bench:late -->\n<!-- bench:late -->\n'],
    ['an end before both', `<!-- /bench:late -->\n${README}`],
    ['two of them', README + README],
  ])('fails with %s', (_, text) => {
    expect(() => withSection(text, 'late', 'new')).toThrow('`<!-- bench:late -->` and `<!-- /bench:late -->` must be there once each');
  });

  it('finds the sections there are', () => {
    expect(sectionsOf(README)).toEqual(['late', 'storm']);
    expect(sectionsOf('in a line: `<!-- bench:NAME -->`')).toEqual([]);
  });

  it('shows the columns and rows that a bench names, with its own rows in bold', () => {
    const rows = [
      { name: 'latchkey', calls: 2_001, usable: true, other: 1 },
      { name: 'hidden', calls: 1, usable: true, other: 1 },
      { name: 'a|b', calls: -0.001, usable: false, other: 1 },
    ];

    const [head, rule, own, other, blank, machine, ...more] = markdownTable(BENCH, rows).split('\n');

    expect([head, rule]).toEqual(['|  | calls | usable |', '| --- | ---: | --- |']);
    expect(own).toBe('| **latchkey** | **2,001** | **yes** |');
    expect(other).toBe('| a\\|b | 0 | no |');
    expect(blank).toBe('');
    expect(machine).toMatch(/^Node v\d+\.\d+\.\d+, \d+ cores; medians\.$/);
    expect(more).toEqual([]);
  });

  it('takes the median of each figure, and what most rounds say', () => {
    const rows = [
      { name: 'peer', calls: 9, usable: true },
      { name: 'peer', calls: 1, usable: false },
      { name: 'peer', calls: 4, usable: true },
    ];

    expect(middle(rows)).toEqual({ name: 'peer', calls: 4, usable: true });
  });
});
