import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const SRC = fileURLToPath(new URL('../../src', import.meta.url));

/** Each layer may import from those before it, and from itself. */
const LAYERS = [
  'credential',
  'policy',
  'ledger',
  'report',
  'worker',
  'latchkey',
  'fleet',
  'signals',
  'guard',
  'sources',
  'operator',
  'browser',
  'adapters',
  'testkit',
] as const;
/** Files beside the folders that the layers build on; what they import of the layers is types only, or listed here. */
const FOUNDATION = new Set(['abort.ts', 'clock.ts', 'errors.ts', 'events.ts', 'instance.ts', 'origin.ts', 'promise-like.ts', 'stats.ts']);

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const imports: Import[] = files.flatMap((file) => {
  const text = readFileSync(join(SRC, file), 'utf8');
  return [...text.matchAll(/^(?:import|export)\s+(type\s+)?[^;]*?from\s+'([^']+)';/gms)].map(([, type, to]) => ({
    from: file.split(sep).join('/'),
    to: to?.startsWith('.')
      ? relative(SRC, join(SRC, dirname(file), to.replace(/\.js$/, '.ts')))
          .split(sep)
          .join('/')
      : (to ?? ''),
    typeOnly: type !== undefined,
  }));
});

function layerOf(file: string): number | undefined {
  if (FOUNDATION.has(file)) return undefined;
  const folder = file.includes('/') ? file.split('/')[0] : 'latchkey';
  return LAYERS.indexOf(folder as (typeof LAYERS)[number]);
}

describe('imports', () => {
  it(`point one way: ${LAYERS.join(' <- ')}`, () => {
    const wrong = imports.filter(({ from, to, typeOnly }) => {
      if (!to.endsWith('.ts') || typeOnly) return false;
      const [importer, imported] = [layerOf(from), layerOf(to)];
      return importer !== undefined && imported !== undefined && imported > importer;
    });
    expect(wrong).toEqual([]);
  });

  it('types may be shared upwards only from the foundation and the options', () => {
    const wrong = imports.filter(({ from, to, typeOnly }) => {
      if (!to.endsWith('.ts') || !typeOnly) return false;
      const [importer, imported] = [layerOf(from), layerOf(to)];
      return importer !== undefined && imported !== undefined && imported > importer;
    });
    expect(wrong).toEqual([]);
  });

  it('name a third-party package only where it belongs', () => {
    const allowed: Record<string, RegExp> = { 'p-retry': /^worker\//, 'lru-cache': /^ledger\// };
    const wrong = imports.filter(({ from, to }) => !to.endsWith('.ts') && !to.startsWith('node:') && !allowed[to]?.test(from));
    expect(wrong).toEqual([]);
  });

  it('do not go round in circles at run time', () => {
    const edges = new Map<string, string[]>();
    for (const { from, to, typeOnly } of imports) if (to.endsWith('.ts') && !typeOnly) edges.set(from, [...(edges.get(from) ?? []), to]);
    const done = new Set<string>();
    const walk = (file: string, path: string[]): string[] | undefined => {
      if (path.includes(file)) return [...path, file];
      if (done.has(file)) return undefined;
      for (const next of edges.get(file) ?? []) {
        const circle = walk(next, [...path, file]);
        if (circle !== undefined) return circle;
      }
      done.add(file);
      return undefined;
    };
    expect([...edges.keys()].map((file) => walk(file, [])).find((circle) => circle !== undefined)).toBeUndefined();
  });

  it('no file is over 300 lines, none has a default export or exports everything', () => {
    const texts = files.map((file) => [file, readFileSync(join(SRC, file), 'utf8')] as const);
    expect(texts.filter(([, text]) => text.split('\n').length > 301).map(([file]) => file)).toEqual([]);
    expect(texts.filter(([, text]) => /^export (default|\*)/m.test(text)).map(([file]) => file)).toEqual([]);
  });
});
