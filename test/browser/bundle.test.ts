import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';

const FOLDER = fileURLToPath(new URL('../../src/browser', import.meta.url));

/** What a page is sent that exports this. A built-in of Node fails the build: none is external on this platform. */
async function bundled(contents: string): Promise<{ bytes: number; gzipped: number; inputs: string[] }> {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: FOLDER },
    bundle: true,
    format: 'esm',
    minify: true,
    platform: 'browser',
    target: 'es2022',
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
  const code = outputFiles[0]?.contents ?? new Uint8Array();
  const inputs = Object.keys(metafile.inputs).filter((path) => path !== '<stdin>');
  return { bytes: code.length, gzipped: gzipSync(code).length, inputs: inputs.map((path) => path.replace(/^.*src\//, '')) };
}

describe('the bundle for a browser', () => {
  it('needs nothing of Node and brings no dependency', async () => {
    const { inputs } = await bundled("export * from './index.ts'");
    expect(inputs.filter((path) => !path.startsWith('browser/'))).toEqual(['signals/safe-next.ts']);
    await expect(bundled("export { createHash } from 'node:crypto'")).rejects.toThrow('node:crypto');
  });

  it('is small', async () => {
    const { bytes, gzipped } = await bundled("export * from './index.ts'");
    expect(bytes).toBeGreaterThan(1_000);
    expect(bytes).toBeLessThan(8_400);
    expect(gzipped).toBeLessThan(3_300);
  });

  it('is smaller yet for a page that only watches', async () => {
    const { bytes, inputs } = await bundled("export { installAuthWatch } from './index.ts'");
    expect(bytes).toBeLessThan(3_000);
    expect(inputs.length).toBeGreaterThan(1);
  });
});
