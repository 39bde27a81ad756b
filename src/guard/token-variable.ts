const DEFAULT = 'LATCHKEY_TOKEN';

/** What a variable may be called everywhere: neither the character that ends its name, nor the one that ends its value. */
const NAME = /^[^=\0]+$/;

export function readVariable(where: string, variable: unknown): string {
  if (variable === undefined) return DEFAULT;
  if (typeof variable === 'string' && NAME.test(variable)) return variable;
  throw new TypeError(`${where}: \`variable\` must be the name of an environment variable`);
}

/** The variable's value. An empty one counts as unset; what an object has by itself, such as `constructor`, is no variable. */
export function setIn(env: Readonly<Record<string, string | undefined>>, variable: string): string | undefined {
  const value = Object.hasOwn(env, variable) ? env[variable] : undefined;
  return value === '' ? undefined : value;
}

export function readEnv(
  where: string,
  env: Readonly<Record<string, string | undefined>> | undefined,
): Readonly<Record<string, string | undefined>> {
  if (env === undefined) return process.env;
  if (typeof env === 'object' && env !== null) return env;
  throw new TypeError(`${where}: \`env\` must be an object of strings`);
}
