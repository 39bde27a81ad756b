import { readPrefix } from './prefix.js';

/** @throws {TypeError} if they are no object, or hold a name that is not known. */
export function requireOptions(where: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw new TypeError(`${where}: \`options\` must be an object`);
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new TypeError(`${where}: unknown option \`${name}\``);
  }
}

export function requireFunction(where: string, name: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`${where}: \`${name}\` must be a function`);
}

export function requireBoolean(where: string, name: string, value: unknown): void {
  if (typeof value !== 'boolean') throw new TypeError(`${where}: \`${name}\` must be true or false`);
}

export function wholeNumber(where: string, name: string, value: number | undefined, least: number, unit: string): number | undefined {
  if (value === undefined) return undefined;
  if (!Number.isSafeInteger(value) || value < least) {
    throw new TypeError(`${where}: \`${name}\` must be a whole number${unit}, ${least} or more`);
  }
  return value;
}

/** A path of the gateway's own, such as `/gw`; without a slash at its end. */
export function pathOption(where: string, name: string, value: string | undefined, fallback: string): string {
  if (value === undefined) return fallback;
  const path = readPrefix(value);
  if (path === undefined) throw new TypeError(`${where}: \`${name}\` must be a path such as '/gw'`);
  return path;
}

/** A login at the root would lead to itself from everywhere: no place below it could be told from it. */
export function loginPathOption(where: string, value: string | undefined): string {
  const path = pathOption(where, 'loginPath', value, '/login');
  if (path === '') throw new TypeError(`${where}: \`loginPath\` must be a path such as '/login', and not the root`);
  return path;
}
