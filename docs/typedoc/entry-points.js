/**
 * The package's entry points, from its `exports`: `latchkey/proxy` and the source file that its types are made of. Whatever is exported is documented.
 * @param {{ name: string, exports: Record<string, string | { types: string }> }} manifest
 * @returns {{ name: string, source: string }[]}
 */
export function entryPoints({ name, exports }) {
  return Object.entries(exports).flatMap(([subpath, target]) =>
    typeof target === 'string'
      ? []
      : [{ name: subpath.replace(/^\./, name), source: target.types.replace(/^\.\/dist\//, 'src/').replace(/\.d\.ts$/, '.ts') }],
  );
}
