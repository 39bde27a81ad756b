import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import type { Library } from './planted-scenarios.js';

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));

/** A line of the source, and what stands there instead. */
export interface Planted {
  readonly file: string;
  readonly line: string;
  readonly instead: string;
}

/** The library, built from its source with these bugs in it. @throws {Error} if a line is not there, or twice. */
export async function libraryWith(planted: readonly Planted[]): Promise<Library> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-planted-'));
  const outfile = join(folder, 'latchkey.mjs');
  const done = new Set<Planted>();
  try {
    await build({
      entryPoints: [join(SRC, 'index.ts')],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'silent',
      plugins: [
        {
          name: 'plant',
          setup({ onLoad }) {
            onLoad({ filter: /\.ts$/ }, ({ path }) => {
              let contents = readFileSync(path, 'utf8');
              for (const one of planted.filter(({ file }) => path === join(SRC, file))) {
                contents = plant(contents, one);
                done.add(one);
              }
              return { contents, loader: 'ts' };
            });
          },
        },
      ],
    });
    for (const one of planted) if (!done.has(one)) throw new Error(`src/${one.file} is not part of the library any more`);
    return (await import(/* @vite-ignore */ pathToFileURL(outfile).href)) as Library;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function plant(text: string, { file, line, instead }: Planted): string {
  const parts = text.split(line);
  if (parts.length !== 2) throw new Error(`src/${file} has this ${parts.length - 1} times, not once: ${line}`);
  return parts.join(instead);
}
