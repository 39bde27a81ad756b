/** @throws {TypeError} naming what is wrong. */
export function checkOptions(where: string, options: object, names: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw new TypeError(`${where}: \`options\` must be an object`);
  for (const name in options) if (!names.includes(name)) throw new TypeError(`${where}: unknown option \`${name}\``);
}

/** The window that was given, or the one that the code runs in. On a server there is none. */
export function windowOf<W extends object>(where: string, given: W | undefined, needed: readonly (keyof W & string)[]): W {
  const window = given === undefined ? (globalThis as unknown as W) : given;
  if (typeof window !== 'object' || window === null) throw new TypeError(`${where}: \`window\` must be a window`);
  const missing = needed.find((name) => window[name] === undefined);
  if (missing !== undefined) throw new TypeError(`${where}: \`window\` must be a window, and has no \`${missing}\``);
  return window;
}

export function requirePrefix(where: string, prefix: unknown): void {
  if (prefix !== undefined && (typeof prefix !== 'string' || (prefix !== '' && !prefix.startsWith('/'))))
    throw new TypeError(`${where}: \`prefix\` must be a path that starts with \`/\`, or empty`);
}
