import { LAWS, type Law, type Laws } from './laws.js';
import { byQuarter, type Sample } from './measure.js';

export interface Outcome {
  readonly seed: number;
  readonly minutes: number;
  readonly operations: ReadonlyMap<string, number>;
  readonly laws: Laws;
  readonly samples: readonly Sample[];
}

/** Shorter runs say nothing of what grows: it is still warming up. */
const JUDGED_MINUTES = 10;
/** A heap is never measured twice alike: half a per cent. */
const NOISE = 1.005;

export interface Summary {
  readonly seed: number;
  readonly minutes: number;
  readonly operations: Readonly<Record<string, number>>;
  readonly checks: Readonly<Record<string, number>>;
  /** Medians by quarter; the heap in MiB. */
  readonly heapMiB: readonly (number | undefined)[];
  readonly handles: readonly (number | undefined)[];
  readonly timers: readonly (number | undefined)[];
  /** What grew from the second quarter to the last; nothing is said of short runs. */
  readonly grew: readonly string[];
}

export function summaryOf({ seed, minutes, operations, laws, samples }: Outcome): Summary {
  const heapMiB = byQuarter(samples.map(({ heap }) => Math.round((heap / 2 ** 20) * 100) / 100));
  const handles = byQuarter(samples.map((one) => one.handles));
  const timers = byQuarter(samples.map((one) => one.timers));
  const grew: string[] = [];
  if (minutes >= JUDGED_MINUTES) {
    if ((heapMiB[3] ?? 0) > (heapMiB[1] ?? 0) * NOISE) grew.push('heap');
    if ((handles[3] ?? 0) > (handles[1] ?? 0)) grew.push('handles');
  }
  return { seed, minutes, operations: sorted(operations), checks: sorted(laws.checks), heapMiB, handles, timers, grew };
}

export function printed({ seed, minutes, operations, checks, heapMiB, handles, timers, grew }: Summary): string {
  const lines = [`seed ${seed}, ${minutes} min`, '', '| operation | count |', '| --- | ---: |'];
  for (const [name, count] of Object.entries(operations)) lines.push(`| ${name} | ${count.toLocaleString('en')} |`);
  lines.push('', '| law | | checks |', '| --- | --- | ---: |');
  for (const [law, count] of Object.entries(checks)) lines.push(`| ${law} | ${LAWS[law as Law]} | ${count.toLocaleString('en')} |`);
  lines.push('', '| median by quarter | 1 | 2 | 3 | 4 |', '| --- | ---: | ---: | ---: | ---: |');
  for (const [name, medians] of Object.entries({ 'heap, MiB': heapMiB, handles, timers }))
    lines.push(`| ${name} | ${medians.map((median) => median ?? '').join(' | ')} |`);
  lines.push('', grew.length === 0 ? 'All laws were kept.' : `It grew: ${grew.join(', ')}.`);
  return lines.join('\n');
}

function sorted(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true })));
}
