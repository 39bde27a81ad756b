import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
// @ts-expect-error a script of the documentation's, without types
import { entryPoints } from '../../docs/typedoc/entry-points.js';
import { ROOT } from '../support/built-package.js';
import { PAGES } from '../support/readme-project.js';

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { name: string; exports: Record<string, unknown> };
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

const EXAMPLES = readdirSync(join(ROOT, 'examples')).map((name) => `examples/${name}/README.md`);
const FILES = ['README.md', ...PAGES, ...EXAMPLES.filter((file) => existsSync(join(ROOT, file)))];

/** Without blocks and spans of code, where brackets mean something else. */
const prose = (text: string): string => text.replace(/^```.*?^```$/gms, '').replace(/`[^`\n]*`/g, 'code');

/** A heading's anchor, as code hosts make it. */
const anchorOf = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
    .replaceAll(' ', '-');

const anchors = (file: string): string[] =>
  [
    ...read(file)
      .replace(/^```.*?^```$/gms, '')
      .matchAll(/^#+ (.+)$/gm),
  ].map(([, heading]) => anchorOf(heading ?? ''));

interface Link {
  readonly file: string;
  readonly target: string;
}

const links: Link[] = FILES.flatMap((file) =>
  [...prose(read(file)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => ({ file, target: target ?? '' })),
).filter(({ target }) => !/^(https?|mailto):/.test(target));

describe('documentation', () => {
  it('links to files and headings that are there, from the place that it is at', () => {
    expect(links.length).toBeGreaterThan(40);
    const broken = links.filter(({ file, target }) => {
      const [path = '', anchor] = target.split('#');
      const to = path === '' ? file : normalize(join(dirname(file), path));
      if (relative(ROOT, join(ROOT, to)).startsWith('..') || !existsSync(join(ROOT, to))) return true;
      if (anchor === undefined) return false;
      return statSync(join(ROOT, to)).isDirectory() || !anchors(to).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  it('has an index of all its pages, to which the README leads', () => {
    const listed = links.filter(({ file }) => file === 'docs/README.md').map(({ target }) => `docs/${target}`);
    expect(PAGES.filter((page) => page !== 'docs/README.md' && !listed.includes(page))).toEqual([]);
    expect(links).toContainEqual({ file: 'README.md', target: 'docs/README.md' });
  });

  it('the reference has every entry point, of a source that is there', () => {
    const entries = Object.keys(manifest.exports).filter((subpath) => subpath !== './package.json');
    const points: { name: string; source: string }[] = entryPoints(manifest);
    expect(points.map(({ name }) => name)).toEqual(entries.map((subpath) => subpath.replace(/^\./, 'latchkey')));
    expect(points.filter(({ source }) => !existsSync(join(ROOT, source)))).toEqual([]);
  });

  it('what it is made with is locked, and says nothing of where it was fetched', () => {
    const lock = read('docs/typedoc/package-lock.json');
    const { devDependencies } = JSON.parse(read('docs/typedoc/package.json')) as { devDependencies: Record<string, string> };
    const { packages } = JSON.parse(lock) as { packages: Record<string, { version: string }> };
    for (const [name, version] of Object.entries(devDependencies)) expect(packages[`node_modules/${name}`]?.version).toBe(version);
    expect(lock).not.toMatch(/"resolved"|registry/);
  });

  it('no page names the machine that it was written on', () => {
    expect(FILES.filter((file) => /\/work\/|\/tmp\/|\/root\b|\/home\//.test(read(file)))).toEqual([]);
  });
});
