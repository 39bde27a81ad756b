export function requireKnown(prefix: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new TypeError(`createLatchkey: unknown option \`${prefix}${name}\``);
  }
}

export function requireObject(name: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) throw new TypeError(`createLatchkey: \`${name}\` must be an object`);
}

export function requireFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`createLatchkey: \`${name}\` must be a function`);
}

export function requireOneOf(name: string, value: unknown, allowed: readonly string[], more = ''): void {
  if (value !== undefined && !allowed.includes(value as string)) {
    throw new TypeError(`createLatchkey: \`${name}\` must be ${allowed.map((one) => `'${one}'`).join(' or ')}${more}`);
  }
}

export function duration(name: string, value: number | undefined, fallback: number, least = 0): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !Number.isFinite(value) || value < least) {
    throw new TypeError(`createLatchkey: \`${name}\` must be a number of milliseconds, ${least} or more`);
  }
  return value;
}

export function count(name: string, value: number | undefined, fallback: number, least: number): number {
  if (value === undefined) return fallback;
  if (!Number.isSafeInteger(value) || value < least || value > 2 ** 31)
    throw new TypeError(`createLatchkey: \`${name}\` must be a whole number, ${least} or more`);
  return value;
}
