const ROOT = new URL('../../../', import.meta.url);

export interface Package {
  readonly latchkey: typeof import('../../../src/index.js');
  readonly redis: typeof import('../../../src/adapters/redis.js');
  readonly sentry: typeof import('../../../src/adapters/sentry.js');
}

/** The package as it is written (`src`), or as it was built (`dist`). */
export async function importPackage(folder: string): Promise<Package> {
  const load = async (file: string): Promise<never> => (await import(new URL(`${folder}/${file}`, ROOT).href)) as never;
  return { latchkey: await load('index.js'), redis: await load('adapters/redis.js'), sentry: await load('adapters/sentry.js') };
}
